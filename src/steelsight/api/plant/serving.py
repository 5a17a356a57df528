"""Run what serves a ledger until it is stopped: the service, and a console on a generated coil. No torch.

Each call blocks until Ctrl-C or SIGTERM and must be made in the main thread, which alone receives signals.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.api.data import path_or_none
from steelsight.argument_types import checked
from steelsight.child_processes import without_main_module

if TYPE_CHECKING:
    from steelsight.runs.plant.live_coil import LiveCoil
    from steelsight.service.serving.run import ServiceSummary

__all__ = ["serve", "serve_live_coil"]

Report = Callable[[str], None]


@checked
def serve(
    settings: Mapping[str, Any] | None = None,
    *,
    config: Path | str | None = None,
    report: Report = print,
) -> ServiceSummary:
    """Serve the HTTP API and the console; with the setting `watch`, judge what arrives in a folder too.

    settings  by the names of docs/service.md; they come before the environment's STEELSIGHT_SERVE_NAME, the
              file of `config`, and defaults, in this order; None as a value = not given
    config    TOML file with settings
    report    called with lines of text: the address, the first login, what happens to the station
    returns   the address, and how many requests were answered
    raises    BadInput and its kinds, LeaseLost: what cannot be opened; nothing listens then
    """
    from steelsight.service.serving.run import serve as run
    from steelsight.service.settings.load import load_settings

    return run(load_settings(settings, config=path_or_none(config)), report)


@checked
def serve_live_coil(
    out: Path | str,
    *,
    bundle: Path | str | None = None,
    rate: float = 2.0,
    seed: int = 0,
    port: int = 8080,
    login: bool = False,
    report: Report = print,
) -> ServiceSummary:
    """Serve the console on a generated coil that runs live; it needs the extra `[synth]` too.

    The coil has a roll mark, stains on sheets without a defect, and a lamp that fades. Everybody on this
    machine may use the console, as an operator: it is for looking, not for a plant.

    out     folder for the ledger, the images, the generated sheets, a table of rolls and policies
    bundle  BUNDLE folder, or fast or accurate; None = fast
    rate    sheets a second, 0.1 to 20
    port    to listen on; 0 = any free one
    login   ask for a login, and report a link for the first one, as administrator
    report  called with lines of text, as by `serve`
    raises  BadBundle, BadOutput, and as `serve`; ModuleNotFoundError where the extra is missing
    """
    from steelsight.files import check_output
    from steelsight.runs.plant.live_coil import LiveCoil, live_sheets
    from steelsight.runs.plant.live_settings import live_settings
    from steelsight.runtime.bundle.open import open_bundle
    from steelsight.service.serving.run import serve as run
    from steelsight.service.settings.load import load_settings

    folder, chosen = Path(out), path_or_none(bundle)
    if chosen is not None:
        open_bundle(chosen)  # one that cannot be used is told before anything starts
    incoming = folder / "incoming"
    check_output(incoming)
    coil = LiveCoil(seed=seed, name=time.strftime("G%m%d-%H%M%S", time.gmtime()))
    next(live_sheets(coil))  # a missing extra is told before anything starts
    incoming.mkdir(parents=True, exist_ok=True)
    given = {
        **live_settings(folder, coil),
        "bundle": chosen,
        "watch": incoming,
        "ledger": str(folder / "console.db"),
        "images": str(folder / "images"),
        "open": not login,
        "port": port,
    }
    settings = load_settings(given, config=None)
    with _drawn_live(incoming, coil, rate):
        if not login:
            report("for engineers and administrators there are more pages: --login prints a link to them")
        return run(settings, report)


@contextmanager
def _drawn_live(incoming: Path, coil: LiveCoil, rate: float) -> Iterator[None]:
    """Sheets arrive in a folder, written by a process of its own that ends with this one."""
    from steelsight.runs.plant.live_coil import write_live_in_child

    child = multiprocessing.get_context("spawn").Process(
        target=write_live_in_child, args=(os.getpid(), str(incoming), coil, rate), daemon=True
    )
    with without_main_module():
        child.start()
    try:
        yield
    finally:
        child.terminate()
        child.join()
