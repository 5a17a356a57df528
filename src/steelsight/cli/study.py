"""`steelsight study DATA --out DIR`: the study's tables and figures on these data, in one report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import GroupsOption, JsonFlag, console, emit_json
from steelsight.errors import BadRecipe

if TYPE_CHECKING:
    from steelsight.study.report import StudyReport
    from steelsight.study.results import StudyResults

__all__ = ["study"]


class Vgg(StrEnum):
    """What becomes of VGG16, which takes a dozen times as long as the others."""

    SKIP = "skip"
    SUBSET = "subset"
    FULL = "full"


class Techniques(StrEnum):
    """What is compared about rare types."""

    NONE = "none"
    STUDY = "study"
    ALL = "all"


class Controls(StrEnum):
    """What stands beside the transplant of weights."""

    FREE = "free"
    TRAINED = "trained"


class Start(StrEnum):
    """What weights training starts from."""

    AUTO = "auto"
    NONE = "none"


def study(
    data: Annotated[
        Path, typer.Argument(help="Folder in Kaggle's layout, or one folder per class.", metavar="DATA")
    ],
    out: Annotated[Path, typer.Option(help="Where report.html, report.json and the runs go.", metavar="DIR")],
    models: Annotated[
        str, typer.Option(help="Networks to train, joined by commas.")
    ] = "adhoc,vgg16_bn,squeezenet,squeezenet_reduced",
    vgg: Annotated[
        Vgg, typer.Option(help="VGG16: skip it, train it on few sheets from a random start, or fully.")
    ] = Vgg.SKIP,
    vgg_sheets: Annotated[int, typer.Option(help="Training sheets for --vgg subset.")] = 400,
    vgg_epochs: Annotated[int, typer.Option(help="Epochs at most for --vgg subset.")] = 3,
    epochs: Annotated[int | None, typer.Option(help="Epochs at most; default the study's 60.")] = None,
    sheets: Annotated[int | None, typer.Option(help="Use this many sheets, drawn at random.")] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Another DATA folder to test on; the first then only trains and validates.", metavar="DATA"
        ),
    ] = None,
    multiclass: Annotated[bool, typer.Option(help="The study's second half, of the defect types.")] = True,
    techniques: Annotated[
        Techniques,
        typer.Option(help="What to do about rare types: compare what the study did, all there is, or none."),
    ] = Techniques.STUDY,
    controls: Annotated[
        Controls,
        typer.Option(
            help="Of the transplant: untrained weights alone, or two more trainings: another seed and "
            "shuffled labels."
        ),
    ] = Controls.FREE,
    groups: GroupsOption = None,
    pretrained: Annotated[
        Start, typer.Option(help="auto: ImageNet's weights where there are any.")
    ] = Start.AUTO,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Further recipe keys, key=value.", metavar="KEY=VALUE")
    ] = None,
    explained: Annotated[
        int, typer.Option(min=1, help="Sheets with masks, at most, that choose a mask rule, and that judge.")
    ] = 200,
    probed: Annotated[
        int, typer.Option(min=1, help="Sheets, at most, that the layers' probes are fitted on and judged by.")
    ] = 800,
    neurons: Annotated[
        int, typer.Option(min=1, help="Neurons a layer whose images are made, in each half.")
    ] = 4,
    quick: Annotated[
        bool, typer.Option("--quick", help="Minutes instead of hours; decides nothing.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again what is trained already.")] = False,
    allow_bad: Annotated[int, typer.Option(min=0, help="Go on with at most so many bad items.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of split, training, noise and resampling.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0 = as many as PyTorch takes.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Repeat the study: train its models, write its tables and figures beside the published ones."""
    import torch

    from steelsight.study.options import StudyOptions
    from steelsight.study.run import run_study
    from steelsight.training.loop.progress import ConsoleProgress

    if threads:
        torch.set_num_threads(threads)
    options = StudyOptions(
        models=_names(models),
        vgg=vgg.value,
        vgg_sheets=vgg_sheets,
        vgg_epochs=vgg_epochs,
        epochs=epochs,
        sheets=sheets,
        groups=groups,
        allow_bad=allow_bad,
        seed=seed,
        pretrained=pretrained.value,
        settings=tuple(setting or ()),
        fresh=fresh,
        quick=quick,
        test=test,
        multiclass=multiclass,
        techniques=techniques.value,
        controls=controls.value,
        explained=explained,
        probed=probed,
        neurons=neurons,
    )
    with ConsoleProgress(console) as watcher:
        report = run_study(data, out, options, watcher=watcher)
    _print(report)
    if as_json:
        emit_json(report.as_dict())


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise BadRecipe("--models: expected names joined by commas, got none")
    return names


def _print(report: StudyReport) -> None:
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text

    table = Table("network", box=None, pad_edge=False)
    for head in ("accuracy", "at X + 0.15 Z", "AUC there"):
        table.add_column(head, justify="right", no_wrap=True)
    for result in report.binary.results.values():
        shown = (result.clean_report.accuracy, result.noisy_report.accuracy, result.noisy_report.auc)
        table.add_row(result.title, *(Text(cell_text(interval, 2)) for interval in shown))
    console.print(table)
    if not isinstance(report.multiclass, str):
        console.print(_types_table(report.multiclass.study))
    for name, reason in report.binary.skipped.items():
        console.print(f"{name}: {reason}", markup=False, soft_wrap=True)
    console.print(f"report: {report.path}", markup=False, soft_wrap=True)


def _types_table(found: StudyResults) -> Any:
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text

    table = Table("model of the types", box=None, pad_edge=False)
    for head in ("accuracy at X + 0.15 Z", "balanced", "AUC"):
        table.add_column(head, justify="right", no_wrap=True)
    for result in found.results.values():
        noisy = result.noisy_report
        shown = (noisy.accuracy, noisy.balanced_accuracy, noisy.auc)
        table.add_row(result.title, *(Text(cell_text(interval, 2)) for interval in shown))
    return table
