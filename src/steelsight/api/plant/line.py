"""Run a station: judge what arrives, into a ledger, as `steelsight line` does. No torch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from steelsight.api.plant.settings import LineSettings
from steelsight.api.settings import choose
from steelsight.argument_types import checked
from steelsight.errors import BadInput, BadRecipe
from steelsight.interrupting import interrupted_by_sigterm
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.ledger.chain.draws import AuditPlan
    from steelsight.service.station.http import HttpSource
    from steelsight.service.station.line import Line, LineReport
    from steelsight.service.station.options import ArrivalOptions, JudgingOptions, KeepingOptions
    from steelsight.service.station.recorder import Recorder, RecorderCounts
    from steelsight.service.station.source import Source

__all__ = ["LineSummary", "run_line"]

Report = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class LineSummary(NotebookResult):
    """What a line did, when it has ended."""

    judged: LineReport
    recorded: RecorderCounts

    @property
    def title(self) -> str:
        """How many sheets were judged now, and before."""
        return _counted(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Sheets by state, latencies, and what was written into the ledger and the spool."""
        return {**self.judged.as_dict(), **vars(self.recorded)}

    def table(self) -> ResultTable:
        """One row a number; of each state one."""
        values = self.as_dict()
        states = tuple((state.replace("_", " "), count) for state, count in values.pop("states").items())
        return ResultTable(
            ("of the line", "value"),
            states + tuple((name.replace("_", " "), value) for name, value in values.items()),
        )


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
    **settings: Unpack[LineSettings],
) -> LineSummary:
    """Judge every sheet that arrives and write it into the ledger, once, until the source ends or Ctrl-C.

    The same call continues where it stopped: sheets that are in the ledger are not judged again. In the main
    thread SIGTERM ends it as Ctrl-C does.

    bundle    BUNDLE folder, or fast or accurate
    source    a folder that a camera writes into, - for a tar stream on standard input, or http://HOST:PORT
    ledger    a file, sqlite:///FILE, or postgresql://USER@HOST/NAME that exists
    station   name of the station; one process at a time uses it
    keeping   whole option classes instead of settings, as the command line has them: `images` and `spool`;
    arriving  `pattern`, `sidecar_wait`, `http_token`, and `idle`: seconds without a sheet that end the line;
    judging   `shadow`, `calibration`, `audit`, `audit_key`, `engine`, `threads`
    report    called with lines of text
    settings  by the names of the options of `steelsight line`, such as images="images", idle=60
    raises    BadBundle, BadLedger, BadSource, BadInput, BadOutput; BadRecipe for a setting that does not
              exist or is out of its bounds; LeaseLost where another process has the name
    """
    from steelsight.service.station.options import ArrivalOptions, JudgingOptions, KeepingOptions
    from steelsight.service.station.recorder import Recorder
    from steelsight.service.station.spool import Spool

    kinds = (KeepingOptions, ArrivalOptions, JudgingOptions)
    names = [each.name for kind in kinds for each in fields(kind)]
    for name in settings:
        if name not in names:
            raise BadRecipe(f"{name}: expected one of {', '.join(names)}, got a setting of another name")
    kept = choose(KeepingOptions, keeping, _of(KeepingOptions, settings))
    arrival = choose(ArrivalOptions, arriving, _of(ArrivalOptions, settings))
    opened_line = _line_settings(
        Path(bundle), kept, choose(JudgingOptions, judging, _of(JudgingOptions, settings))
    )
    with ExitStack() as opened:
        waiting = None if kept.spool is None else opened.enter_context(closing(Spool(kept.spool)))
        recorder = opened.enter_context(closing(Recorder(str(ledger), station, waiting, report=report)))
        judged = _run(str(source), recorder, opened_line, arrival, report)
    return LineSummary(judged, recorder.counts)


def _of(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are fields of one option class."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in settings.items() if name in names}


def _counted(found: Mapping[str, Any]) -> str:
    sheets = found["sheets"]
    return f"{sheets} sheet{'s' * (sheets != 1)} judged, {found['known']} known"


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
        words = _counted(found)
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
