"""`steelsight shortcuts find RUN DATA`: what a model may look at instead of the defect."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json, step_status

__all__ = ["find"]

PAGE = "shortcuts.html"


def find(
    run: Annotated[Path, typer.Argument(help="RUN folder of a trained model.", metavar="RUN")],
    data: Annotated[Path, typer.Argument(help="DATA folder, as for train.", metavar="DATA")],
    split: Annotated[
        str, typer.Option(help="Which sheets are looked at: test, validation, train, unseen or all.")
    ] = "test",
    limit: Annotated[int, typer.Option(min=1, help="At most so many sheets, drawn at random.")] = 2000,
    segments: Annotated[
        str, typer.Option(help="How sheets are cut for concepts: slic, grid or strips.")
    ] = "slic",
    groups: GroupsOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where shortcuts.html and .json go; default RUN/shortcuts.", metavar="DIR"),
    ] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of samples, permutations, clusters and pastes.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Rank what goes with the model's margins within true classes, and check the suspects by pasting them."""
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text
    from steelsight.shortcuts.find.numbers import find_json
    from steelsight.shortcuts.find.ranking import STATUSES
    from steelsight.shortcuts.find.report import candidate_name, headline, write_find_page
    from steelsight.shortcuts.find.run import find_shortcuts

    folder = out if out is not None else run / "shortcuts"
    with step_status("opening") as say:
        found, card, _ = find_shortcuts(
            run,
            data,
            part=split,
            limit=limit,
            groups=groups,
            allow_bad=allow_bad,
            seed=seed,
            segments=segments,
            say=say,
        )
        say("drawing")
        write_find_page(folder / PAGE, found, title=run.name, seed=seed, model=card.model.name)
    table = Table("candidate", "speaks for", box=None, pad_edge=False)
    table.add_column("status", no_wrap=True, min_width=max(map(len, STATUSES)))
    for head in ("effect D", "q", "paste"):
        table.add_column(head, justify="right", no_wrap=True)
    for each in found.suspects[:10]:
        shift = cell_text(each.check.shift, 2) if each.check else ""
        words = (candidate_name(each), card.class_names[each.pull.target], each.status)
        figures = (cell_text(each.pull.effect, 2), f"{each.pull.q_value:.4f}", shift)
        table.add_row(*map(Text, (*words, *figures)))
    console.print(table)
    console.print(headline(found), markup=False, soft_wrap=True)
    console.print(f"report: {folder / PAGE}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"run": str(run), "out": str(folder), "split": split, "seed": seed, **find_json(found)})
