"""`steelsight gate BUNDLE DATA --policy FILE`: release gate of a bundle, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.adaptation.gate.options import BundleGateOptions
from steelsight.cli.console import BundleArgument, JsonFlag, emit_json, print_line, step_status
from steelsight.cli.options import expand_options

__all__ = ["gate"]


@expand_options
def gate(
    bundle: BundleArgument,
    data: Annotated[
        Path, typer.Argument(help="DATA folder of sheets that it has not learnt from.", metavar="DATA")
    ],
    policy: Annotated[
        Path,
        typer.Option(
            help=r"TOML file of \[\[shortcut]] tables with nuisance, most_flipped and most_excess, and of "
            r"\[quality].",
            metavar="FILE",
        ),
    ],
    options: BundleGateOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="BUNDLE folder for a copy with the record. Default: BUNDLE itself.", metavar="DIR"),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Paste nuisances, compare upper bounds of flips with a policy, and record the outcome in the card.

    Exit code 1 if the bundle may not be released, 2 for bad input.
    """
    from steelsight.api.plant.adaptation import gate_bundle

    with step_status("opening") as say:
        found = gate_bundle(
            bundle, data, policy, out=out, options=options, progress=lambda event: say(event.message)
        )
    for note in found.notes:
        print_line(f"note: {note}")
    for outcome, why in found.table().rows:
        print_line(f"{'pass' if outcome == 'passed' else 'FAIL'}  {why}")
    print_line(found.title)
    print_line(f"record: {found.folder / 'card.json'}")
    if as_json:
        emit_json(found.as_dict())
    if not found.passed:
        raise typer.Exit(1)
