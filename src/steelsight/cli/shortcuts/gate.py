"""`steelsight shortcuts gate RUN DATA --policy FILE`: release gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, RunArgument, emit_json, print_line, step_status
from steelsight.cli.options import draws_figures, expand_options
from steelsight.cli.shortcuts.options import EvaluationArgument
from steelsight.shortcuts.prove.options import GateOptions

__all__ = ["gate"]


@draws_figures
@expand_options
def gate(
    run: RunArgument,
    data: EvaluationArgument,
    policy: Annotated[
        Path,
        typer.Option(
            help=r"TOML file of [\[shortcut]] tables with nuisance and most_excess.", metavar="FILE"
        ),
    ],
    options: GateOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: RUN/shortcuts.", metavar="DIR")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Prove every shortcut a policy names. Exit code 1 if a clause fails, 2 for bad input."""
    from steelsight.api.lab.run import Run

    with step_status("proving") as say:
        done = Run(run).gate(
            data, policy, out=out, options=options, progress=lambda event: say(event.message)
        )
    for nuisance, suspect, passed, why in done.table().rows:
        print_line(f"{'pass' if passed else 'FAIL'}  {nuisance} → {suspect}: {why}")
    print_line(done.title)
    if as_json:
        emit_json(done.as_dict())
    if not done.passed:
        raise typer.Exit(1)
