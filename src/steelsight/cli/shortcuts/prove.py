"""`steelsight shortcuts prove RUN DATA --nuisance stain|end|FILE`: is a suspicion true?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json
from steelsight.cli.shortcuts.options import (
    GroupsFromOption,
    JudgesArgument,
    MaterialOption,
    NuisanceOption,
    PastedOption,
    RunArgument,
    SplitOption,
)

__all__ = ["prove"]


def prove(
    run: RunArgument,
    data: JudgesArgument,
    nuisance: NuisanceOption,
    suspect: Annotated[
        str | None,
        typer.Option(help="The class it may speak for; default none, for ends type 2.", metavar="CLASS"),
    ] = None,
    groups_from: GroupsFromOption = "auto",
    split: SplitOption = "unseen",
    each: Annotated[
        int | None, typer.Option(min=1, help="At most so many sheets a group in the test; the study: 50.")
    ] = None,
    limit: PastedOption = 500,
    material: MaterialOption = "auto",
    groups: GroupsOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Default: RUN/shortcuts/prove-NAME.", metavar="DIR")
    ] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of stamps, places and the bootstrap.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Prove or clear a suspected shortcut: the study's test, pasting with a control, a verdict by rule."""
    from steelsight.shortcuts.prove.run import PAGE, prove_run

    with console.status("judging, pasting, judging again"):
        found = prove_run(
            run,
            data,
            nuisance,
            part=split,
            source=groups_from,
            suspect=suspect,
            limit=limit,
            each=each,
            material=material,
            groups=groups,
            allow_bad=allow_bad,
            seed=seed,
            out=out,
        )
    proof = found.proof
    console.print(f"{proof.nuisance} → {proof.suspect}: {proof.verdict}", markup=False, soft_wrap=True)
    console.print(proof.because, markup=False, soft_wrap=True)
    for note in proof.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(f"report: {found.folder / PAGE}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"out": str(found.folder), **found.numbers})
