"""`steelsight train DATA`: train a model on a folder of sheets, or cross-validate on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from steelsight.cli.console import DataArgument, JsonFlag, console, emit_json, print_line
from steelsight.cli.executor import RayOption, chosen_executor
from steelsight.cli.options import draws_figures, expand_options
from steelsight.errors import BadRecipe
from steelsight.sheets.options import DataOptions
from steelsight.training.options import FoldOptions, TrainOptions

__all__ = ["show_evaluation", "train"]

_HEADLINES = ("accuracy", "balanced_accuracy", "f1_weighted", "auc", "defect_auc")


@draws_figures
@expand_options
def train(
    data: DataArgument,
    out: Annotated[Path, typer.Option(help="RUN folder to write.", metavar="RUN")],
    options: TrainOptions,
    sheets: DataOptions,
    ray: RayOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a model, test it on sheets that were not used in training, and write everything to RUN.

    After an interruption the same command continues, and gives the same figures.
    """
    if ray is not None and options.folds is None and not options.every_sheet:
        raise BadRecipe(
            "--ray: expected --folds or --all, whose trainings are independent, got one; leave it out"
        )
    if options.test is not None:
        result = _train_and_test(data, options.test, out, options, sheets)
    elif options.every_sheet:
        folds = FoldOptions(options.folds or 5, options.repeats)
        result = _train_on_all(data, out, options, sheets, folds, ray)
    elif options.folds is not None:
        folds = FoldOptions(options.folds, options.repeats)
        result = _cross_validate(data, out, options, sheets, folds, ray)
    else:
        result = _train_once(data, out, options, sheets)
    print_line(f"report: {out / 'report.html'}")
    if as_json:
        emit_json(result)


def _train_once(data: Path, out: Path, options: TrainOptions, sheets: DataOptions) -> dict[str, Any]:
    from steelsight.api.data import Data
    from steelsight.api.lab.training import train
    from steelsight.api.progress import console_progress

    with console_progress(console) as progress:
        run = train(Data(data, sheets), options, out=out, progress=progress)
    show_report("test sheets", run.metrics["test"])
    show_report(f"test sheets, X + {run.metrics['noise_sigma']}Z", run.metrics["test_noisy"])
    if point := run.metrics["operating_point"]:
        print_line(describe_operating(point))
    return run.as_dict()


def _cross_validate(
    data: Path, out: Path, options: TrainOptions, sheets: DataOptions, folds: FoldOptions, ray: str | None
) -> dict[str, Any]:
    from steelsight.api.data import Data
    from steelsight.api.lab.training import cross_validate
    from steelsight.api.progress import console_progress

    with chosen_executor(ray) as executor, console_progress(console) as progress:
        done = cross_validate(
            Data(data, sheets), options, out=out, folds=folds, progress=progress, executor=executor
        )
    show_report("out-of-fold sheets", done.metrics["pooled"])
    return done.as_dict()


def _train_and_test(
    data: Path, other: Path, out: Path, options: TrainOptions, sheets: DataOptions
) -> dict[str, Any]:
    from steelsight.api.data import Data
    from steelsight.api.lab.training import train_and_test
    from steelsight.api.progress import console_progress

    with console_progress(console) as progress:
        run, tested = train_and_test(Data(data, sheets), other, options, out=out, progress=progress)
    show_evaluation(f"sheets of {other.name}", tested.metrics)
    print_line(f"report on {other.name}: {tested.report}")
    return {**run.as_dict(), "tested_on": tested.as_dict()}


def _train_on_all(
    data: Path, out: Path, options: TrainOptions, sheets: DataOptions, folds: FoldOptions, ray: str | None
) -> dict[str, Any]:
    from steelsight.api.data import Data
    from steelsight.api.lab.training import train_on_all
    from steelsight.api.progress import console_progress

    with chosen_executor(ray) as executor, console_progress(console) as progress:
        run, validated = train_on_all(
            Data(data, sheets), options, out=out, folds=folds, progress=progress, executor=executor
        )
    show_report("out-of-fold sheets", validated.metrics["pooled"])
    return {**run.as_dict(), "cross_validation": validated.metrics}


def show_evaluation(what: str, metrics: dict[str, Any]) -> None:
    """Print an evaluation's headline figures, its operating point and its notes."""
    show_report(what, metrics["report"])
    if point := metrics["operating_point"]:
        print_line(describe_operating(point))
    for note in metrics["notes"]:
        print_line(f"note: {note}")


def show_report(what: str, report: dict[str, Any] | None) -> None:
    """Print a report's headline figures with their intervals."""
    if report is None:
        console.print(f"{what}: none")
        return
    console.print(f"{what}: {report['sheets']}", markup=False)
    if "types" in report:
        for name, metrics in report["types"].items():
            console.print(f"  {name:<24} AUC {_interval(metrics['auc'])}", markup=False)
        return
    for name in _HEADLINES:
        if name in report:
            console.print(f"  {name.replace('_', ' '):<18} {_interval(report[name])}", markup=False)


def describe_operating(point: dict[str, Any]) -> str:
    """Escape and overkill at the operating point, as shares and per thousand sheets on the line."""
    return (
        f"  escape {point['escape']['estimate']:.3f}, overkill {point['overkill']['estimate']:.3f}; of 1,000 "
        f"sheets with {point['prevalence']:.1%} defective, {point['escaped_per_1000']:.1f} defective ones "
        f"pass and {point['overkilled_per_1000']:.1f} good ones are stopped"
    )


def _interval(interval: dict[str, float | None]) -> str:
    estimate, low, high = (interval[key] for key in ("estimate", "low", "high"))
    if estimate is None:
        return "undefined"
    return f"{estimate:.3f}" + ("" if low is None or high is None else f"  ({low:.3f} to {high:.3f})")
