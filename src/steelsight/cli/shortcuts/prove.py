"""`steelsight shortcuts prove RUN DATA --nuisance stain|end|FILE`: proof of one shortcut."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, console, emit_json
from steelsight.cli.options import expand_options
from steelsight.cli.shortcuts.options import EvaluationArgument, NuisanceOption, RunArgument
from steelsight.shortcuts.prove.options import ProofOptions

__all__ = ["prove"]


@expand_options
def prove(
    run: RunArgument,
    data: EvaluationArgument,
    nuisance: NuisanceOption,
    options: ProofOptions,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. Default: RUN/shortcuts/prove-NAME.", metavar="DIR")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Prove or refute a suspected shortcut: the study's test, pasting with a control, a verdict by rule."""
    from steelsight.shortcuts.prove.run import PAGE, prove_run

    with console.status("predicting and pasting"):
        report = prove_run(run, data, nuisance, options, out=out)
    proof = report.proof
    console.print(
        f"{proof.nuisance} → {proof.suspected_class}: {proof.verdict}", markup=False, soft_wrap=True
    )
    console.print(proof.because, markup=False, soft_wrap=True)
    for note in proof.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(f"report: {report.folder / PAGE}", markup=False, soft_wrap=True)
    if as_json:
        emit_json({"out": str(report.folder), **report.numbers})
