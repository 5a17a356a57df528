"""`steelsight evaluate RUN DATA`: metrics of a trained model on sheets that were not used in training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import (
    DataArgument,
    JsonFlag,
    RunArgument,
    console,
    emit_json,
    print_earlier,
    print_line,
)
from steelsight.cli.lab.train import show_evaluation
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.options import EvaluateOptions
from steelsight.sheets.options import DataOptions

__all__ = ["evaluate"]


@draws_figures
@expand_options
def evaluate(
    run: RunArgument,
    data: DataArgument,
    options: EvaluateOptions,
    sheets: DataOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write. Default: RUN/evaluations/NAME-SPLIT.", metavar="DIR"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Evaluate a model on sheets not used in training: metrics with intervals, figures, predictions."""
    from steelsight.api.data import Data
    from steelsight.api.lab.run import Run

    with console.status("evaluating"):
        done = Run(run).evaluate(Data(data, sheets), out=out, options=options)
    show_evaluation(f"{options.split} sheets", done.metrics)
    print_earlier(done.metrics)
    print_line(f"report: {done.report}")
    if as_json:
        emit_json(done.as_dict())
