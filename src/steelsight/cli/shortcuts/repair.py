"""`steelsight shortcuts repair RUN DATA --nuisance stain|end|FILE`: cure a shortcut and prove again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json
from steelsight.cli.shortcuts.options import (
    GroupsFromOption,
    MaterialOption,
    NuisanceOption,
    PastedOption,
    RunArgument,
)

__all__ = ["repair"]


def repair(
    run: RunArgument,
    data: Annotated[Path, typer.Argument(help="The DATA folder it was trained on.", metavar="DATA")],
    nuisance: NuisanceOption,
    cures: Annotated[
        str | None, typer.Option(help="Names joined by commas; default all. A wrong one lists them.")
    ] = None,
    judges: Annotated[
        Path | None,
        typer.Option(help="DATA folder whose sheets judge; default the run's test sheets.", metavar="DATA"),
    ] = None,
    suspect: Annotated[
        str | None,
        typer.Option(help="The class it speaks for; default none, for ends type 2.", metavar="CLASS"),
    ] = None,
    groups_from: GroupsFromOption = "auto",
    start: Annotated[
        str, typer.Option(help="run: training goes on from its weights; recipe: it starts over.")
    ] = "run",
    epochs: Annotated[
        int | None, typer.Option(min=1, help="At most so many; default: as the run's recipe.")
    ] = None,
    limit: PastedOption = 500,
    material: MaterialOption = "auto",
    groups: GroupsOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Default: RUN/shortcuts/repair-NAME.", metavar="DIR")
    ] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and data, same figures.")] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh/--resume", help="Start over, or go on with what DIR holds.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Retrain with every cure, choose one on validation sheets, and prove again on others.

    Each cure leaves a RUN folder in DIR, ready for evaluate, explain and export.
    """
    from rich.table import Table
    from rich.text import Text

    from steelsight.reports.cells import cell_text
    from steelsight.shortcuts.repair.methods import CURES
    from steelsight.shortcuts.repair.report import headline
    from steelsight.shortcuts.repair.run import PAGE, repair_run
    from steelsight.training.loop.progress import ConsoleProgress

    chosen = (
        tuple(CURES) if cures is None else tuple(name.strip() for name in cures.split(",") if name.strip())
    )
    with ConsoleProgress(console) as watcher:
        found = repair_run(
            run,
            data,
            nuisance,
            cures=chosen,
            judges=judges,
            source=groups_from,
            suspect=suspect,
            start=start,
            epochs=epochs,
            limit=limit,
            material=material,
            groups=groups,
            allow_bad=allow_bad,
            seed=seed,
            fresh=fresh,
            out=out,
            watcher=watcher,
            say=lambda text: console.print(text, markup=False, soft_wrap=True),
        )
    table = Table("cure", "verdict", box=None, pad_edge=False)
    for head in ("flips beyond control", "accuracy", "right with and without (validation)"):
        table.add_column(head, justify="right")
    for each in (found.repair.before, *found.repair.after):
        pasted = each.judgement.proof.pasted
        cells = (
            each.name,
            each.judgement.proof.verdict,
            "" if pasted is None else cell_text(pasted.excess),
            cell_text(each.metrics["accuracy"]),
            f"{each.robust:.3f}",
        )
        table.add_row(*map(Text, cells))
    console.print(table)
    for name, reason in found.repair.impossible.items():
        console.print(f"{name} could not be done: {reason}", markup=False, soft_wrap=True)
    told = headline(found.repair, found.numbers["nuisance"], found.numbers["suspect"])
    console.print(told, markup=False, soft_wrap=True)
    if found.repair.best.run is not None:
        console.print(f"repaired run: {found.repair.best.run}", markup=False, soft_wrap=True)
    console.print(f"report: {found.folder / PAGE}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"out": str(found.folder), **found.numbers})
