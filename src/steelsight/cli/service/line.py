"""`steelsight line BUNDLE SOURCE --ledger LEDGER --station NAME`: judge what arrives, into the ledger."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from steelsight.cli.console import BundleArgument, JsonFlag, emit_json, print_line
from steelsight.cli.options import expand_options
from steelsight.errors import BadInput
from steelsight.options import option

if TYPE_CHECKING:
    from steelsight.ledger.chain.draws import AuditPlan
    from steelsight.service.station.http import HttpSource
    from steelsight.service.station.line import Line
    from steelsight.service.station.recorder import Recorder
    from steelsight.service.station.source import Source

__all__ = ["line"]


@dataclass(frozen=True)
class KeepingFlags:
    """Where sheets are kept."""

    images: str | None = option(
        None, help="Image store to keep every image in: a folder or a URL. Default: images stay in place."
    )
    spool: Path | None = option(
        None, help="File for entries while the database is away. Default: the line ends then."
    )


@dataclass(frozen=True)
class SourceFlags:
    """How sheets arrive."""

    pattern: str | None = option(
        None, help="Coil and position from names, such as '{coil}_{position_m}_{side}.jpg'."
    )
    sidecar_wait: float = option(
        0.0, help="Seconds to wait for the file beside an image that states its place.", min=0, max=60
    )
    http_token: Path | None = option(
        None, help="File with the token that cameras send; only on loopback may it be left out."
    )
    idle: float | None = option(None, help="End after this many seconds without a sheet.", min=0)


@dataclass(frozen=True)
class JudgingFlags:
    """What judges, and what follows from it."""

    shadow: Path | None = option(
        None, help="A second BUNDLE that judges the same sheets without being shown.", metavar="BUNDLE"
    )
    calibration: Path | None = option(
        None,
        help="TOML or JSON file: how pixels lie on the strip. Default: the calibration on record goes on.",
    )
    audit: float = option(0.0, help="Share of the sheets to draw for audit.", min=0, max=1)
    audit_key: Path | None = option(None, help="File with the secret key of the draws, at least 16 bytes.")
    engine: str = option("openvino", help="openvino or onnxruntime.")
    threads: int = option(1, help="Number of threads; 0 = the engine's own choice.", min=0)


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
    keeping: KeepingFlags,
    arriving: SourceFlags,
    judging: JudgingFlags,
    as_json: JsonFlag = False,
) -> None:
    """Judge every sheet that arrives and write it into the ledger, once, until Ctrl-C.

    The same command continues where it stopped: sheets that are in the ledger are not judged again.
    """
    from steelsight.service.station.recorder import Recorder
    from steelsight.service.station.spool import Spool

    settings = _line_settings(bundle, keeping, judging)
    with ExitStack() as opened:
        waiting = None if keeping.spool is None else opened.enter_context(closing(Spool(keeping.spool)))
        recorder = opened.enter_context(closing(Recorder(ledger, station, waiting, report=print_line)))
        found = _run(source, recorder, settings, arriving)
    if as_json:
        emit_json({**found, **vars(recorder.counts)})


def _line_settings(bundle: Path, keeping: KeepingFlags, judging: JudgingFlags) -> dict[str, Any]:
    """What a `Line` is made of, besides its recorder; opened before the ledger is."""
    from steelsight.ledger.images.store import ImageStore
    from steelsight.runtime.engine.inspector import load
    from steelsight.service.station.calibration_file import read_calibration

    audit = _audit_plan(judging.audit, judging.audit_key)
    calibration = None if judging.calibration is None else read_calibration(judging.calibration)
    opened = [
        None if each is None else load(each, engine=judging.engine, threads=judging.threads)
        for each in (bundle, judging.shadow)
    ]
    store = None if keeping.images is None else ImageStore(keeping.images)
    names = ("inspector", "shadow", "store", "audit", "calibration")
    return dict(zip(names, (*opened, store, audit, calibration), strict=True))


def _run(source: str, recorder: Recorder, settings: dict[str, Any], arriving: SourceFlags) -> dict[str, Any]:
    """Judge until the source ends; what was done, in plain values."""
    from steelsight.service.station.line import Line

    running = Line(recorder=recorder, **settings)
    try:
        with _interrupted_by_sigterm():
            running.run(_open_source(source, arriving, running))
    except KeyboardInterrupt:
        print_line("stopped; every sheet that was judged is in the ledger or in the spool")
    finally:
        found = running.report.as_dict()
        words = f"{found['sheets']} sheets judged, {found['known']} known"
        if running.report.latencies_ms:
            words += f"; latency p50 {found['latency_p50_ms']:.0f} ms, p99 {found['latency_p99_ms']:.0f} ms"
        print_line(words)
    return found


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM, by which services are stopped, ends the line as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _open_source(source: str, arriving: SourceFlags, running: Line) -> Source:
    from steelsight.service.station.archive import TarSource
    from steelsight.service.station.folder import FolderSource
    from steelsight.service.station.places import NamePattern

    names = None if arriving.pattern is None else NamePattern(arriving.pattern)
    if source == "-":
        return TarSource(sys.stdin.buffer, pattern=names)
    if source.startswith("http://"):
        return _http_source(source, arriving.http_token, arriving.idle)
    if "://" in source:
        raise BadInput(
            f"{source}: expected a folder, - for a tar stream, or http://HOST:PORT; put a proxy with TLS "
            "before it for https"
        )
    return FolderSource(
        Path(source),
        pattern=names,
        sidecar_s=arriving.sidecar_wait,
        idle_s=arriving.idle,
        known=running.known,
        report=print_line,
    )


def _http_source(source: str, token: Path | None, idle: float | None) -> HttpSource:
    from urllib.parse import urlsplit

    from steelsight.reading import read_regular
    from steelsight.service.serving.protocol import BoundedProtocol
    from steelsight.service.station.http import HttpOptions, HttpSource

    try:
        place = urlsplit(source)
        host, port = place.hostname or "", place.port
    except ValueError as error:
        raise BadInput(f"{source}: expected http://HOST:PORT ({error})") from error
    if not host or port is None or place.path not in ("", "/") or place.query or place.username:
        raise BadInput(f"{source}: expected http://HOST:PORT and nothing else")
    try:
        secret = None if token is None else read_regular(token, most_bytes=4096).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{token}: cannot be read as a token ({error})") from error
    made = HttpSource(host, port, secret, HttpOptions(idle_s=idle), protocol=BoundedProtocol)
    print_line(f"listening at http://{place.netloc} for POST /v1/sheets?item=NAME")
    return made


def _audit_plan(share: float, key: Path | None) -> AuditPlan | None:
    from steelsight.ledger.chain.draws import AuditPlan
    from steelsight.reading import read_regular

    if not share:
        return None
    if key is None:
        raise BadInput(
            "--audit: expected --audit-key with it; make one with `openssl rand -out audit.key 32`"
        )
    try:
        return AuditPlan(read_regular(key, most_bytes=2**20), {"other": share})
    except OSError as error:
        raise BadInput(f"{key}: cannot be read ({error.strerror or error})") from error
