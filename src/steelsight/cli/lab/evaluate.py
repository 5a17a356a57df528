"""`steelsight evaluate RUN DATA`: how good a trained model is on sheets it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json
from steelsight.cli.lab.train import show_report

__all__ = ["evaluate"]


def evaluate(
    run: Annotated[Path, typer.Argument(help="RUN folder of a trained model.", metavar="RUN")],
    data: Annotated[
        Path, typer.Argument(help="Folder in Kaggle's layout, or one folder per class.", metavar="DATA")
    ],
    split: Annotated[
        str,
        typer.Option(
            help="unseen: whatever the run did not learn from; test, validation, train: that part of its own "
            "split; all: refused where the run trained on any of it."
        ),
    ] = "unseen",
    noise: Annotated[
        float,
        typer.Option(min=0, help="Judge on X + sigma Z in normalised units; the study's sigma is 0.15."),
    ] = 0.0,
    prevalence: Annotated[
        float | None,
        typer.Option(help="Share of defective sheets on the line, for escapes per thousand sheets."),
    ] = None,
    groups: GroupsOption = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of noise and of the bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Where to write. Default: RUN/evaluations/NAME-SPLIT.", metavar="DIR")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge a model on sheets it never saw: metrics with intervals, figures, a page, every single answer."""
    from steelsight.runs.evaluate import evaluate_run
    from steelsight.sheets.options import DataOptions

    with console.status("evaluating"):
        done = evaluate_run(
            run,
            data,
            DataOptions(groups, allow_bad),
            part=split,
            noise_sigma=noise,
            prevalence=prevalence,
            seed=seed,
            out=out,
        )
    show_report(f"{split} sheets", done.metrics["report"])
    if point := done.metrics["operating_point"]:
        console.print(
            f"  escape {point['escape']['estimate']:.3f}, overkill {point['overkill']['estimate']:.3f}; per "
            f"1,000 sheets with {point['prevalence']:.1%} defective {point['escaped_per_1000']:.1f} escape"
        )
    for note in done.metrics["notes"]:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(f"report: {done.folder / 'report.html'}", markup=False, soft_wrap=True)
    result: dict[str, Any] = {"out": str(done.folder), **done.metrics}
    if as_json:
        emit_json(result)
