"""`steelsight robustness RUN DATA`: robustness to noise and corruptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import (
    DataArgument,
    JsonFlag,
    RunArgument,
    emit_json,
    print_earlier,
    print_line,
    progress_bar,
)
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.options import RobustnessOptions

__all__ = ["robustness"]


@draws_figures
@expand_options
def robustness(
    run: RunArgument,
    data: DataArgument,
    options: RobustnessOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: RUN/robustness-SPLIT.", metavar="DIR")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Sweep noise, blur, exposure, compression, dead columns and vibration, and draw the curves."""
    from steelsight.runs.robustness import measure_robustness

    with progress_bar("disturbing sheets") as progress:
        report = measure_robustness(run, data, options, out=out, progress=progress)
    for line in report.lines:
        print_line(f"  {line}")
    print_earlier(report.numbers)
    print_line(f"report: {report.page}")
    if as_json:
        emit_json(report.numbers)
