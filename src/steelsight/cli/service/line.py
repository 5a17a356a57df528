"""`steelsight line BUNDLE SOURCE --ledger LEDGER --station NAME`: judge what arrives, into the ledger."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, emit_json, print_line
from steelsight.errors import BadInput

if TYPE_CHECKING:
    from steelsight.ledger.chain.draws import AuditPlan
    from steelsight.service.station.line import Line
    from steelsight.service.station.source import Source

__all__ = ["line"]


def line(
    bundle: Annotated[Path, typer.Argument(help="BUNDLE folder.", metavar="BUNDLE")],
    source: Annotated[
        str,
        typer.Argument(help="A folder that the camera writes into, or - for a tar stream.", metavar="SOURCE"),
    ],
    ledger: Annotated[str, typer.Option(help="LEDGER, made by `steelsight ledger init`.", metavar="LEDGER")],
    station: Annotated[str, typer.Option(help="Name of this station; one process at a time uses it.")],
    images: Annotated[
        str | None,
        typer.Option(
            help="Image store to keep every image in: a folder or a URL. Default: images stay in place."
        ),
    ] = None,
    spool: Annotated[
        Path | None,
        typer.Option(help="File for entries while the database is away. Default: the line ends then."),
    ] = None,
    shadow: Annotated[
        Path | None, typer.Option(help="A second BUNDLE that judges the same sheets without being shown.")
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(help="Coil and position from names, such as '{coil}_{position_m}_{side}.jpg'."),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="TOML or JSON file: how pixels lie on the strip. Default: the calibration on record goes on."
        ),
    ] = None,
    sidecar_wait: Annotated[
        float,
        typer.Option(
            min=0, max=60, help="Seconds to wait for the file beside an image that states its place."
        ),
    ] = 0.0,
    audit: Annotated[float, typer.Option(min=0, max=1, help="Share of the sheets to draw for audit.")] = 0.0,
    audit_key: Annotated[
        Path | None, typer.Option(help="File with the secret key of the draws, at least 16 bytes.")
    ] = None,
    engine: Annotated[str, typer.Option(help="openvino or onnxruntime.")] = "openvino",
    threads: Annotated[int, typer.Option(min=0, help="Number of threads; 0 = the engine's own choice.")] = 1,
    idle: Annotated[
        float | None,
        typer.Option(min=0, help="End after this many seconds without a sheet.", show_default=False),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge every sheet that arrives and write it into the ledger, once, until Ctrl-C.

    The same command continues where it stopped: sheets that are in the ledger are not judged again.
    """
    from steelsight.ledger.images.store import ImageStore
    from steelsight.runtime.engine.inspector import load
    from steelsight.service.station.calibration_file import read_calibration
    from steelsight.service.station.line import Line
    from steelsight.service.station.recorder import Recorder
    from steelsight.service.station.spool import Spool

    plan = _audit_plan(audit, audit_key)
    scale = None if calibration is None else read_calibration(calibration)
    inspector = load(bundle, engine=engine, threads=threads)
    second = None if shadow is None else load(shadow, engine=engine, threads=threads)
    store = None if images is None else ImageStore(images)
    waiting = None if spool is None else Spool(spool)
    recorder = Recorder(ledger, station, waiting, report=print_line)
    running = Line(inspector, recorder, shadow=second, store=store, audit=plan, calibration=scale)
    try:
        running.run(_source(source, pattern, idle, sidecar_wait, running))
    except KeyboardInterrupt:
        print_line("stopped; every sheet that was judged is in the ledger or in the spool")
    finally:
        recorder.close()
        found = {**running.report.as_dict(), **vars(recorder.counts)}
        if running.report.latencies_ms:
            print_line(
                f"{found['sheets']} sheets judged, {found['known']} known; latency p50 "
                f"{found['latency_p50_ms']:.0f} ms, p99 {found['latency_p99_ms']:.0f} ms"
            )
    if as_json:
        emit_json(found)


def _source(source: str, pattern: str | None, idle: float | None, sidecar_s: float, running: Line) -> Source:
    from steelsight.service.station.archive import TarSource
    from steelsight.service.station.folder import FolderSource
    from steelsight.service.station.places import NamePattern

    names = None if pattern is None else NamePattern(pattern)
    if source == "-":
        return TarSource(sys.stdin.buffer, pattern=names)
    return FolderSource(
        Path(source),
        pattern=names,
        sidecar_s=sidecar_s,
        idle_s=idle,
        known=running.known,
        report=print_line,
    )


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
