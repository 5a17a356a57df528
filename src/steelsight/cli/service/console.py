"""`steelsight console`: the service on a generated coil that runs live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from steelsight.cli.console import print_line
from steelsight.runtime.bundle.default import BUNDLE_HELP

__all__ = ["console"]


def console(
    out: Annotated[
        Path, typer.Option(help="Folder for the ledger, the images and the generated sheets.", metavar="DIR")
    ] = Path("demo-console"),
    bundle: Annotated[
        Path | None,
        typer.Option(help=f"{BUNDLE_HELP} Default: fast.", metavar="BUNDLE", show_default=False),
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=20, help="Sheets a second.")] = 2.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the generated coil.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 = any free one.")] = 8080,
    login: Annotated[
        bool,
        typer.Option("--login", help="Ask for a login; prints a link for the first one, as administrator."),
    ] = False,
) -> None:
    """Show the console on a generated coil that runs live, until Ctrl-C.

    The coil has a roll mark, stains on sheets without a defect, and a lamp that fades; DIR holds a table of
    rolls, rules of recommended actions and a policy of the release gate. Everybody on this machine may use
    the console, as an operator: it is for looking, not for a plant. The pages Quality, Admin and Audit log,
    acting on Models, and deciding audit draws before the verdict is shown need --login.
    """
    from steelsight.api.plant.serving import serve_live_coil

    serve_live_coil(out, bundle=bundle, rate=rate, seed=seed, port=port, login=login, report=print_line)
    print_line("ended")
