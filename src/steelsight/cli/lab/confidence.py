"""`steelsight confidence RUN DATA`: comparison of confidence scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import DataArgument, JsonFlag, console, emit_json, print_earlier, print_line
from steelsight.cli.options import draws_figures, expand_options
from steelsight.runs.options import ConfidenceOptions
from steelsight.sheets.options import DataOptions

if TYPE_CHECKING:
    from steelsight.api.results.trust import ConfidenceResult

__all__ = ["confidence"]


@draws_figures
@expand_options
def confidence(
    run: Annotated[Path, typer.Argument(help="RUN folder, or a folder of `train --folds`.", metavar="RUN")],
    data: DataArgument,
    options: ConfidenceOptions,
    sheets: DataOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder for confidence.html and confidence.json. Default: RUN.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare confidence scores: area under the risk-coverage curve, coverage at 99 and 95 % accuracy."""
    from steelsight.api.data import Data
    from steelsight.api.lab.run import Run

    with console.status("predicting"):
        done = Run(run).confidence(Data(data, sheets), out=out, options=options)
    _print(done)
    numbers = done.as_dict()
    print_earlier(numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(numbers)


def _print(done: ConfidenceResult) -> None:
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text

    found = done.table()
    table = Table(found.titles[0], box=None, pad_edge=False)
    for head in found.titles[1:]:
        table.add_column(head, justify="right", no_wrap=True)
    for name, aurc, *coverages in found.rows:
        table.add_row(name, Text(f"{aurc:.4f}"), *(Text(cell_text(each, 2)) for each in coverages))
    console.print(table)
    for name, statements in done.certificates.items():
        for statement in statements:
            print_line(f"{name}: {statement}")
