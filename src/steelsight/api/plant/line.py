"""Run a station: judge what arrives, into a ledger, as `steelsight line` does. No torch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.argument_types import checked
from steelsight.errors import BadInput
from steelsight.interrupting import interrupted_by_sigterm

if TYPE_CHECKING:
    from steelsight.ledger.chain.draws import AuditPlan
    from steelsight.service.station.http import HttpSource
    from steelsight.service.station.line import Line, LineReport
    from steelsight.service.station.options import ArrivalOptions, JudgingOptions, KeepingOptions
    from steelsight.service.station.recorder import Recorder, RecorderCounts
    from steelsight.service.station.source import Source

__all__ = ["LineSummary", "run_line"]

Report = Callable[[str], None]


@dataclass(frozen=True)
class LineSummary:
    """What a line did, when it has ended."""

    judged: LineReport
    recorded: RecorderCounts

    def as_dict(self) -> dict[str, Any]:
        """Sheets by state, latencies, and what was written into the ledger and the spool."""
        return {**self.judged.as_dict(), **vars(self.recorded)}


@checked
def run_line(
    bundle: Path | str,
    source: Path | str,
    ledger: Path | str,
    station: str,
    *,
    keeping: KeepingOptions | None = None,
    arriving: ArrivalOptions | None = None,
    judging: JudgingOptions | None = None,
    report: Report = print,
) -> LineSummary:
    """Judge every sheet that arrives and write it into the ledger, once, until the source ends or Ctrl-C.

    The same call continues where it stopped: sheets that are in the ledger are not judged again. In the main
    thread SIGTERM ends it as Ctrl-C does.

    bundle    BUNDLE folder, or fast or accurate
    source    a folder that a camera writes into, - for a tar stream on standard input, or http://HOST:PORT
    ledger    a file, sqlite:///FILE, or postgresql://USER@HOST/NAME that exists
    station   name of the station; one process at a time uses it
    keeping   image store and spool
    arriving  how sheets arrive; `idle` ends the line after so many seconds without one
    judging   shadow, calibration, audit draws, engine
    report    called with lines of text
    raises    BadBundle, BadLedger, BadSource, BadInput, BadOutput; LeaseLost where another process has the
              name
    """
    from steelsight.service.station.options import ArrivalOptions, JudgingOptions, KeepingOptions
    from steelsight.service.station.recorder import Recorder
    from steelsight.service.station.spool import Spool

    kept = keeping or KeepingOptions()
    settings = _line_settings(Path(bundle), kept, judging or JudgingOptions())
    with ExitStack() as opened:
        waiting = None if kept.spool is None else opened.enter_context(closing(Spool(kept.spool)))
        recorder = opened.enter_context(closing(Recorder(str(ledger), station, waiting, report=report)))
        judged = _run(str(source), recorder, settings, arriving or ArrivalOptions(), report)
    return LineSummary(judged, recorder.counts)


def _line_settings(bundle: Path, keeping: KeepingOptions, judging: JudgingOptions) -> dict[str, Any]:
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


def _run(
    source: str, recorder: Recorder, settings: dict[str, Any], arriving: ArrivalOptions, report: Report
) -> LineReport:
    """Judge until the source ends, and report what was done, whatever ended it."""
    from steelsight.service.station.line import Line

    running = Line(recorder=recorder, **settings)
    try:
        with interrupted_by_sigterm():
            running.run(_open_source(source, arriving, running, report))
    except KeyboardInterrupt:
        report("stopped; every sheet that was judged is in the ledger or in the spool")
    finally:
        found = running.report.as_dict()
        words = f"{found['sheets']} sheets judged, {found['known']} known"
        if running.report.latencies_ms:
            words += f"; latency p50 {found['latency_p50_ms']:.0f} ms, p99 {found['latency_p99_ms']:.0f} ms"
        report(words)
    return running.report


def _open_source(source: str, arriving: ArrivalOptions, running: Line, report: Report) -> Source:
    from steelsight.service.station.archive import TarSource
    from steelsight.service.station.folder import FolderSource
    from steelsight.service.station.places import NamePattern

    names = None if arriving.pattern is None else NamePattern(arriving.pattern)
    if source == "-":
        return TarSource(sys.stdin.buffer, pattern=names)
    if source.startswith("http://"):
        return _http_source(source, arriving.http_token, arriving.idle, report)
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
        report=report,
    )


def _http_source(source: str, token: Path | None, idle: float | None, report: Report) -> HttpSource:
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
    report(f"listening at http://{place.netloc} for POST /v1/sheets?item=NAME")
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
