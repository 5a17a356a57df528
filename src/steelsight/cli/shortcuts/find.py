"""`steelsight shortcuts find RUN DATA`: search for shortcuts without nuisance labels."""

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
    print_line,
    step_status,
)
from steelsight.cli.options import expand_options
from steelsight.shortcuts.find.options import SearchOptions

__all__ = ["find"]

PAGE = "shortcuts.html"


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
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text
    from steelsight.shortcuts.find.numbers import find_json
    from steelsight.shortcuts.find.ranking import STATUSES
    from steelsight.shortcuts.find.report import candidate_name, headline, write_find_page
    from steelsight.shortcuts.find.run import find_shortcuts

    folder = out if out is not None else run / "shortcuts"
    with step_status("opening") as say:
        result, card = find_shortcuts(run, data, options, say=say)
        say("drawing")
        write_find_page(folder / PAGE, result, title=run.name, seed=options.seed, model=card.model.name)
    table = Table("candidate", "indicates", box=None, pad_edge=False)
    table.add_column("status", no_wrap=True, min_width=max(map(len, STATUSES)))
    for head in ("effect D", "q", "paste"):
        table.add_column(head, justify="right", no_wrap=True)
    for each in result.candidates[:10]:
        shift = cell_text(each.check.shift, 2) if each.check else ""
        words = (candidate_name(each), card.class_names[each.association.target], each.status)
        figures = (cell_text(each.association.effect, 2), f"{each.association.q_value:.4f}", shift)
        table.add_row(*map(Text, (*words, *figures)))
    console.print(table)
    print_line(headline(result))
    print_line(f"report: {folder / PAGE}")
    if as_json:
        numbers = {"run": str(run), "out": str(folder), "split": options.split, "seed": options.seed}
        emit_json({**numbers, **find_json(result)})
