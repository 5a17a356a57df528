"""`steelsight inspect transplant RUN DONOR DATA`: one model with another's weights, part by part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import (
    DataArgument,
    JsonFlag,
    ThreadsOption,
    console,
    emit_json,
    print_earlier,
    print_line,
    set_threads,
)
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.transplant.options import TransplantOptions
from steelsight.sheets.options import DataOptions

__all__ = ["transplant"]


@draws_figures
@expand_options
def transplant(
    run: Annotated[
        Path, typer.Argument(help="RUN that receives weights, such as the multi-class model.", metavar="RUN")
    ],
    donor: Annotated[
        Path, typer.Argument(help="RUN whose weights are taken, such as the binary model.", metavar="DONOR")
    ],
    data: DataArgument,
    options: TransplantOptions,
    sheets: DataOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: RUN/transplant.", metavar="DIR")
    ] = None,
    threads: ThreadsOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Replace RUN's weights by DONOR's part by part, from the input, from the output, and each part alone."""
    from steelsight.api.data import Data
    from steelsight.api.lab.run import Run

    set_threads(threads)
    with console.status("transplanting"):
        done = Run(run).transplant(donor, Data(data, sheets), out=out, options=options)
    for line in done.lines:
        print_line(line)
    print_earlier(done.report.numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(done.as_dict())
