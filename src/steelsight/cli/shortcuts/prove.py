"""`steelsight shortcuts prove RUN DATA --nuisance stain|end|FILE`: proof of one shortcut."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import JsonFlag, RunArgument, console, emit_json, print_earlier, print_line
from steelsight.cli.options import draws_figures, expand_options
from steelsight.cli.shortcuts.options import EvaluationArgument, NuisanceOption
from steelsight.shortcuts.prove.options import ProofOptions

__all__ = ["prove"]


@draws_figures
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
    from steelsight.api.lab.run import Run

    with console.status("predicting and pasting"):
        done = Run(run).prove(data, nuisance, out=out, options=options)
    print_line(done.title)
    print_line(done.because)
    for note in done.notes:
        print_line(f"note: {note}")
    print_earlier(done.report.numbers)
    print_line(f"report: {done.page}")
    if as_json:
        emit_json(done.as_dict())
