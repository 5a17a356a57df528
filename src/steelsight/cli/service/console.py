"""`steelsight console`: the service on a generated coil that runs live."""

from __future__ import annotations

import multiprocessing
import os
import time
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
    from steelsight.files import check_output
    from steelsight.runs.plant.live_coil import LiveCoil, live_sheets, write_live_in_child
    from steelsight.runs.plant.live_settings import live_settings
    from steelsight.runtime.bundle.open import open_bundle
    from steelsight.service.serving.run import serve
    from steelsight.service.settings.load import load_settings

    if bundle is not None:
        open_bundle(bundle)  # one that cannot be used is told before anything starts
    incoming = out / "incoming"
    check_output(incoming)
    coil = LiveCoil(seed=seed, name=time.strftime("G%m%d-%H%M%S", time.gmtime()))
    next(live_sheets(coil))  # a missing extra is told before anything starts
    incoming.mkdir(parents=True, exist_ok=True)
    given = {
        **live_settings(out, coil),
        "bundle": bundle,
        "watch": incoming,
        "ledger": str(out / "console.db"),
        "images": str(out / "images"),
        "open": not login,
        "port": port,
    }
    settings = load_settings({name: value for name, value in given.items() if value is not None}, config=None)
    child = multiprocessing.get_context("spawn").Process(
        target=write_live_in_child, args=(os.getpid(), str(incoming), coil, rate), daemon=True
    )
    child.start()
    if not login:
        print_line("for engineers and administrators there are more pages: --login prints a link to them")
    try:
        serve(settings, print_line)
    finally:
        child.terminate()
        child.join()
    print_line("ended")
