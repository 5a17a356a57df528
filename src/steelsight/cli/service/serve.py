"""`steelsight serve`: the HTTP API on a ledger, and a station that watches a folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steelsight.cli.console import JsonFlag, emit_json, print_line
from steelsight.cli.options import expand_options
from steelsight.errors import BadInput
from steelsight.options import option
from steelsight.runtime.bundle.default import BUNDLE_HELP

__all__ = ["serve"]


@dataclass(frozen=True)
class ServeFlags:
    """Settings that have a flag of their own; None = not given."""

    bundle: Path | None = option(None, help=f"{BUNDLE_HELP} It judges. Default: fast.", metavar="BUNDLE")
    watch: Path | None = option(
        None, help="Folder that a camera writes into: a station process judges it.", metavar="DIR"
    )
    ledger: str | None = option(
        None, help="LEDGER; made where it is missing. Default: steelsight.db here.", metavar="LEDGER"
    )
    images: str | None = option(
        None, help="Image store. Default: a folder beside a ledger in a file.", metavar="STORE"
    )
    station: str | None = option(None, help="Name of the station of --watch. Default: line-1.")
    pattern: str | None = option(None, help="Coil and position from names, as of `steelsight line`.")
    sidecar_wait: float | None = option(
        None, help="Seconds to wait for the file beside an image, as of `steelsight line`.", min=0, max=60
    )
    calibration: Path | None = option(
        None, help="How pixels lie on the strip, as of `steelsight line`.", metavar="FILE"
    )
    host: str | None = option(None, help="Address to listen on. Default: 127.0.0.1.")
    port: int | None = option(
        None, help="Port to listen on; 0 = any free one. Default: 8080.", min=0, max=65535
    )
    open: bool = option(False, help="Admit everybody without login; on a loopback address only.")
    config: Path | None = option(None, help="TOML file with settings.", metavar="FILE")
    set: tuple[str, ...] = option(
        (), help="Any setting, as NAME=VALUE; may be given several times.", metavar="NAME=VALUE"
    )


@expand_options
def serve(flags: ServeFlags, as_json: JsonFlag = False) -> None:
    """Serve the HTTP API until Ctrl-C or SIGTERM; with --watch, judge what arrives in a folder too.

    Settings come from flags, environment variables STEELSIGHT_SERVE_NAME, the file of --config, and
    defaults, in this order.
    """
    from steelsight.api.plant.serving import serve as run

    done = run(_given(flags), config=flags.config, report=print_line)
    print_line(f"ended; {done.requests} requests were answered")
    if as_json:
        emit_json(asdict(done))


def _given(flags: ServeFlags) -> dict[str, Any]:
    """The settings that flags give; a flag of its own comes before --set."""
    given: dict[str, Any] = {}
    for each in flags.set:
        name, equals, value = each.partition("=")
        if not equals:
            raise BadInput(f"--set {each!r:.80}: expected NAME=VALUE")
        given[name.strip()] = value
    own = {name: value for name, value in asdict(flags).items() if name not in ("config", "set")}
    return given | {name: value for name, value in own.items() if value is not None and value is not False}
