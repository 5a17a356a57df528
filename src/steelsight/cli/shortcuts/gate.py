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
    from steelsight.shortcuts.gate import gate_run

    with step_status("proving") as say:
        result = gate_run(run, data, policy, options, out=out, say=say)
    for decision in result.decisions:
        word, proof = "pass" if decision.passed else "FAIL", decision.proof
        print_line(f"{word}  {proof.nuisance} → {proof.suspected_class}: {decision.why}")
    print_line("the run may be released" if result.passed else "the run may not be released")
    if as_json:
        decisions = [decision.as_dict() for decision in result.decisions]
        emit_json({"run": str(run), "passed": result.passed, "decisions": decisions})
    if not result.passed:
        raise typer.Exit(1)
