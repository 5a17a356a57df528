"""Watch folders: each file is scanned once it is no longer written to, and its content only once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from steelsight.errors import BadInput, BadOutput, BadSource
from steelsight.runtime.bundle.open import Bundle, open_bundle
from steelsight.runtime.engine.engine import Engine, open_engine
from steelsight.runtime.scan.arrivals import FileStamp, SettledFiles, WatchedFile, WatchedFolders
from steelsight.runtime.scan.objects.address import is_address
from steelsight.runtime.scan.options import DEFAULTS, ScanOptions
from steelsight.runtime.scan.output import identify, load_scan, lock_output, save_scan
from steelsight.runtime.scan.part_scanner import PartScanner
from steelsight.runtime.scan.parts import VERDICTS, PartRows, part_path, read_part, write_part
from steelsight.runtime.scan.plan import PART
from steelsight.runtime.scan.retry import TRANSIENT
from steelsight.runtime.scan.run import ReportProgress, ScanReport, name_reasons, save_certificate
from steelsight.runtime.scan.sources import PlannedSheet, absolute
from steelsight.runtime.scan.summary import ScanSummary, summarise, write_summary
from steelsight.sheets.images.image_file import unreadable
from steelsight.sheets.own_folders import OwnFolders

__all__ = ["watch"]

POLL_S: Final = 1.0


def watch(
    bundle_folder: Path | str,
    sources: Sequence[Path | str],
    out: Path | str,
    options: ScanOptions = DEFAULTS,
    *,
    idle: float | None = None,
    progress: ReportProgress | None = None,
) -> ScanReport:
    """Scan the images of folders as they arrive, until Ctrl-C; each poll that finds some writes a part.

    sources  folders
    idle     seconds without a new file after which it ends; None = never. A file that is still being written
             is waited for
    raises   as `scan`
    """
    if is_address(str(out)):
        raise BadOutput(
            f"{out}: the verdicts of a watched folder are written to a folder; choose one as --out, or scan "
            "what has arrived without --watch"
        )
    if options.partition:
        raise BadInput("--partition: the rows of a watched folder are not partitioned; leave it out")
    if not sources:
        raise BadSource("no source: expected at least one folder to watch, got none; name the folder")
    if idle is not None and not idle >= 0:
        raise BadInput(f"--idle: expected at least 0 seconds, got {idle}")
    out = Path(out)
    folders = [_folder(source) for source in sources]
    bundle = open_bundle(Path(bundle_folder))
    engine = open_engine(bundle, options.engine, threads=1, batch=options.batch)
    identity = identify(bundle, sources, engine, heatmaps=options.heatmaps, watch=True)
    rows = PartRows(bundle.card, "", options.heatmaps, files=True)
    with lock_output(out, fresh=options.fresh):
        if load_scan(out, identity) is None:
            save_scan(out, identity)
        watched = WatchedFolders(SettledFiles(folders))
        parts, kept = _load_parts(out, watched, rows)
        scanner, done, started = PartScanner(bundle, engine, rows), kept, time.perf_counter()
        scanner.warm_up()
        try:
            for ready in _arrivals(watched, idle):
                done += _scan_part(out, parts, ready, scanner, watched, done)
                parts += 1
                if progress is not None:
                    progress(done, done)
        except KeyboardInterrupt:  # the usual end
            pass
        seconds = time.perf_counter() - started
        tables = (read_part(out, number) for number in range(parts))
        summary = summarise(out, tables, bundle.card, repeated=True)
        passed_over = [{"name": each.id, "reason": each.reason} for each in watched.files.unreadable.values()]
        about = {"model_id": bundle.card.model_id, "engine": engine.about}
        write_summary(out, summary, **about, passed_over=passed_over)
        save_certificate(out, identity, {}, summary)
        page = _write_page(out, summary, bundle, engine, passed_over) if options.page else None
    return ScanReport(
        out=out,
        summary=summary,
        scanned=done - kept,
        kept=kept,
        rewritten=(),
        transient=summary.transient,
        later=(),
        passed_over=len(passed_over),
        passed_over_named=name_reasons(passed_over),
        partitions=None,
        seconds=seconds,
        engine=engine.about,
        page=page,
    )


def _write_page(
    out: Path, summary: ScanSummary, bundle: Bundle, engine: Engine, passed_over: list[dict[str, str]]
) -> Path:
    from steelsight.runtime.scan.page import write_page

    wanted = {shown.index for shown in summary.shown}
    sheets = {}
    for number in range(len(list((out / VERDICTS).iterdir()))):
        table = read_part(out, number)
        for index, name, path in zip(
            *(table[column].to_pylist() for column in ("index", "name", "file_path")), strict=True
        ):
            if index in wanted:
                sheets[index] = PlannedSheet(index, name, os.fsdecode(path))
    return write_page(out, summary, bundle, engine, sheets, passed_over)


def _arrivals(watched: WatchedFolders, idle: float | None) -> Iterator[list[WatchedFile]]:
    """At most PART new files at a time, until none came for `idle` seconds; the caller scans them."""
    last = time.monotonic()
    while True:
        ready = watched.poll()
        for start in range(0, len(ready), PART):
            yield ready[start : start + PART]
        if ready or watched.waiting:
            last = time.monotonic()
        elif idle is not None and time.monotonic() - last >= idle:
            return
        _pause()


def _pause() -> None:
    """Wait for the next poll."""
    time.sleep(POLL_S)


def _scan_part(
    out: Path, part: int, ready: list[WatchedFile], scanner: PartScanner, watched: WatchedFolders, index: int
) -> int:
    """Write one part, whose first sheet has this index; returns its number of sheets."""
    sheets = [PlannedSheet(index + i, each.name, os.fsdecode(each.path)) for i, each in enumerate(ready)]
    extra: dict[str, list[bytes | int | str]] = {
        "file_path": [each.path for each in ready],
        **{name: [getattr(each.stamp, name) for each in ready] for name in FileStamp._fields},
        "file_hash": [each.content for each in ready],
    }
    table = scanner(part, sheets, extra=extra)
    write_part(out, part, table)
    for each, reason in zip(ready, table["reason"].to_pylist(), strict=True):
        if reason in TRANSIENT:
            watched.set_aside(each)
        else:
            watched.remember(each)
    return len(sheets)


def _load_parts(out: Path, watched: WatchedFolders, rows: PartRows) -> tuple[int, int]:
    """How many parts and rows an earlier call wrote.

    Their files count as scanned, except those with a reason that may pass, which are tried again.
    """
    names = sorted(path.name for path in (out / VERDICTS).iterdir())
    if names != [part_path(out, number).name for number in range(len(names))]:
        raise BadOutput(
            f"{out / VERDICTS}: expected parts without a gap, got {', '.join(names[:5])}; use --fresh"
        )
    sheets = 0
    for number in range(len(names)):
        table = read_part(out, number, rows.schema(number))
        sheets += len(table)
        columns = ("reason", "file_path", "file_hash", *FileStamp._fields)
        for reason, path, content, *stamp in zip(*(table[name].to_pylist() for name in columns), strict=True):
            if reason not in TRANSIENT:
                watched.remember(WatchedFile(path, FileStamp(*stamp), content))
    return len(names), sheets


def _folder(source: Path | str) -> Path:
    folder = absolute(Path(source))
    if not folder.is_dir():
        raise BadSource(f"{source}: expected a folder to watch, found none; scan files without --watch")
    try:
        with os.scandir(folder):
            pass
    except OSError as error:
        raise BadSource(f"{source}: {unreadable(folder, error).removeprefix(f'{folder.name}: ')}") from error
    OwnFolders("a folder to watch", BadSource).refuse(folder)
    return folder
