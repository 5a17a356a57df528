"""`steelsight shortcuts gate RUN DATA --policy FILE`: may this run be released?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import AllowBadOption, GroupsOption, JsonFlag, console, emit_json, step_status
from steelsight.cli.shortcuts.options import (
    GroupsFromOption,
    JudgesArgument,
    PastedOption,
    RunArgument,
    SplitOption,
)

__all__ = ["gate"]


def gate(
    run: RunArgument,
    data: JudgesArgument,
    policy: Annotated[
        Path,
        typer.Option(help="TOML file of [[shortcut]] tables with nuisance and most_excess.", metavar="FILE"),
    ],
    groups_from: GroupsFromOption = "auto",
    split: SplitOption = "unseen",
    limit: PastedOption = 500,
    groups: GroupsOption = None,
    out: Annotated[Path | None, typer.Option(help="Default: RUN/shortcuts.", metavar="DIR")] = None,
    allow_bad: AllowBadOption = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of stamps, places and the bootstrap.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Prove every shortcut a policy names. Exit code 1 if one is over its bound, 2 for bad input."""
    from steelsight.shortcuts.gate import gate_run

    with step_status("proving") as say:
        found = gate_run(
            run,
            data,
            policy,
            part=split,
            source=groups_from,
            limit=limit,
            groups=groups,
            allow_bad=allow_bad,
            seed=seed,
            out=out,
            say=say,
        )
    for each in found.decisions:
        word = "pass" if each.passed else "FAIL"
        console.print(
            f"{word}  {each.proof.nuisance} → {each.proof.suspect}: {each.why}", markup=False, soft_wrap=True
        )
    console.print("the run may be released" if found.passed else "the run may not be released", markup=False)
    if as_json:
        emit_json(
            {
                "run": str(run),
                "passed": found.passed,
                "decisions": [each.as_dict() for each in found.decisions],
            }
        )
    if not found.passed:
        raise typer.Exit(1)
