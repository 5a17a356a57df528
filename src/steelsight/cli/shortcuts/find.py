"""`steelsight shortcuts find RUN DATA`: search for shortcuts without nuisance labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import (
    DataArgument,
    JsonFlag,
    RunArgument,
    console,
    emit_json,
    print_earlier,
    print_line,
    step_status,
)
from steelsight.cli.options import draws_figures, expand_options
from steelsight.shortcuts.find.options import SearchOptions

if TYPE_CHECKING:
    from steelsight.api.results.shortcuts import ShortcutsResult

__all__ = ["find"]

MOST_SHOWN = 10  # candidates in the terminal
STATUS_WIDTH = 9  # letters of the longest status


@draws_figures
@expand_options
def find(
    run: RunArgument,
    data: DataArgument,
    options: SearchOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for shortcuts.html and .json. Default: RUN/shortcuts.", metavar="DIR"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Rank properties associated with the model's margins within true classes, and check them by pasting."""
    from steelsight.api.lab.run import Run

    with step_status("opening") as say:
        done = Run(run).shortcuts(data, out=out, options=options, progress=lambda event: say(event.message))
    _print(done)
    print_line(done.headline)
    print_earlier(done.report.numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(done.as_dict())


def _print(done: ShortcutsResult) -> None:
    """The MOST_SHOWN highest candidates."""
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text

    found = done.table()
    table = Table(*found.titles[:2], box=None, pad_edge=False)
    table.add_column(found.titles[2], no_wrap=True, min_width=STATUS_WIDTH)
    for head in found.titles[3:]:
        table.add_column(head, justify="right", no_wrap=True)
    for *words, effect, q_value, shift in found.rows[:MOST_SHOWN]:
        figures = (cell_text(effect, 2), f"{q_value:.4f}", "" if shift is None else cell_text(shift, 2))
        table.add_row(*map(Text, (*words, *figures)))
    console.print(table)
    if len(found.rows) > MOST_SHOWN:
        print_line(f"the first {MOST_SHOWN} of {len(found.rows)} candidates; the page has all")
