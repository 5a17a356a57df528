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
    from steelsight.api.lab.run import Run

    with progress_bar("disturbing sheets") as progress:
        done = Run(run).robustness(
            data, out=out, options=options, progress=lambda event: progress(event.done, event.total)
        )
    for line in done.lines:
        print_line(f"  {line}")
    print_earlier(done.report.numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(done.as_dict())
