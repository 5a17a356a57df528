"""`steelsight line BUNDLE SOURCE --ledger LEDGER --station NAME`: judge what arrives, into the ledger."""

from __future__ import annotations

from typing import Annotated

import typer

from steelsight.cli.console import BundleArgument, JsonFlag, emit_json, print_line
from steelsight.cli.options import expand_options
from steelsight.service.station.options import ArrivalOptions, JudgingOptions, KeepingOptions

__all__ = ["line"]


@expand_options
def line(
    bundle: BundleArgument,
    source: Annotated[
        str,
        typer.Argument(
            help="A folder that a camera writes into, - for a tar stream, or http://HOST:PORT to receive at.",
            metavar="SOURCE",
        ),
    ],
    ledger: Annotated[str, typer.Option(help="LEDGER, made by `steelsight ledger init`.", metavar="LEDGER")],
    station: Annotated[str, typer.Option(help="Name of this station; one process at a time uses it.")],
    keeping: KeepingOptions,
    arriving: ArrivalOptions,
    judging: JudgingOptions,
    as_json: JsonFlag = False,
) -> None:
    """Judge every sheet that arrives and write it into the ledger, once, until Ctrl-C.

    The same command continues where it stopped: sheets that are in the ledger are not judged again.
    """
    from steelsight.api.plant.line import run_line

    done = run_line(
        bundle,
        source,
        ledger,
        station,
        keeping=keeping,
        arriving=arriving,
        judging=judging,
        report=print_line,
    )
    if as_json:
        emit_json(done.as_dict())
