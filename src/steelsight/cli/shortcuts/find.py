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
    from steelsight.shortcuts.find.search_report import SearchReport

__all__ = ["find"]

MOST_SHOWN = 10  # candidates in the terminal


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
    from steelsight.shortcuts.find.report import headline
    from steelsight.shortcuts.find.search_report import report_shortcuts

    with step_status("opening") as say:
        report = report_shortcuts(run, data, options, out=out, say=say)
    _print(report)
    print_line(headline(report.result))
    print_earlier(report.numbers)
    print_line(f"report: {report.page}")
    if as_json:
        emit_json(report.numbers)


def _print(report: SearchReport) -> None:
    """The MOST_SHOWN highest candidates."""
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text
    from steelsight.shortcuts.find.ranking import STATUSES
    from steelsight.shortcuts.find.report import candidate_name

    table = Table("candidate", "indicates", box=None, pad_edge=False)
    table.add_column("status", no_wrap=True, min_width=max(map(len, STATUSES)))
    for head in ("effect D", "q", "paste"):
        table.add_column(head, justify="right", no_wrap=True)
    for each in report.result.candidates[:MOST_SHOWN]:
        shift = cell_text(each.check.shift, 2) if each.check else ""
        words = (candidate_name(each), report.card.class_names[each.association.target], each.status)
        figures = (cell_text(each.association.effect, 2), f"{each.association.q_value:.4f}", shift)
        table.add_row(*map(Text, (*words, *figures)))
    console.print(table)
    if len(report.result.candidates) > MOST_SHOWN:
        print_line(f"the first {MOST_SHOWN} of {len(report.result.candidates)} candidates; the page has all")
