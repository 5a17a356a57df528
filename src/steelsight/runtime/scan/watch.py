"""Watch folders: each file is scanned once its size and time no longer change, and only once."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from steelsight.errors import BadOutput, BadSource
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.engine import open_engine
from steelsight.runtime.scan.options import DEFAULTS, ScanOptions
from steelsight.runtime.scan.output import identify, load_scan, lock_output, save_scan
from steelsight.runtime.scan.part_scanner import PartScanner
from steelsight.runtime.scan.parts import VERDICTS, PartRows, part_path, read_part, write_part
from steelsight.runtime.scan.plan import PART
from steelsight.runtime.scan.run import ReportProgress, ScanReport
from steelsight.runtime.scan.sources import PlannedSheet, absolute, readable, without_masks
from steelsight.runtime.scan.summary import summarise, write_summary
from steelsight.sheets.formats.listing import list_images

__all__ = ["watch"]

POLL_S: Final = 1.0

Stamp = tuple[int, int]  # size in bytes, time of last change in ns


class _Arrival(NamedTuple):
    name: str
    path: Path
    stamp: Stamp


@dataclass
class _Watched:
    """The files of the watched folders; those that were removed are forgotten."""

    folders: Sequence[Path]
    scanned: dict[str, Stamp] = field(default_factory=dict)  # by name
    seen: dict[str, Stamp] = field(default_factory=dict)  # at the last poll
    waiting: bool = False  # whether the last poll saw a file that is not scanned and may still be written

    def poll(self) -> list[_Arrival]:
        """Files that are new or changed, and have not changed since the last poll."""
        now: dict[str, Stamp] = {}
        ready = []
        self.waiting = False
        for path in self._list():
            stamp = _stamp(path)
            if stamp is None:
                continue
            name = readable(path.as_posix())
            now[name] = stamp
            if self.scanned.get(name) != stamp:
                if self.seen.get(name) == stamp:
                    ready.append(_Arrival(name, path, stamp))
                else:
                    self.waiting = True
        self.seen = now
        self.scanned = {name: stamp for name, stamp in self.scanned.items() if name in now}
        return ready

    def _list(self) -> Iterator[Path]:
        for folder in self.folders:
            yield from (folder / id_ for id_ in without_masks(folder, list_images(folder).images))


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
    out = Path(out)
    folders = [_folder(source) for source in sources]
    bundle = open_bundle(Path(bundle_folder))
    engine = open_engine(bundle, options.engine, threads=1, batch=options.batch)
    identity = identify(bundle, sources, engine, heatmaps=options.heatmaps, watch=True)
    rows = PartRows(bundle.card, "", options.heatmaps, files=True)
    with lock_output(out, fresh=options.fresh):
        if load_scan(out, identity) is None:
            save_scan(out, identity)
        watched = _Watched(folders)
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
        summary = summarise(out, (read_part(out, number) for number in range(parts)), bundle.card)
        write_summary(out, summary, model_id=bundle.card.model_id, engine=engine.about, passed_over=[])
        page = None
        if options.page:
            from steelsight.runtime.scan.page import write_page

            sheets = {each.index: PlannedSheet(each.index, each.name, each.name) for each in summary.shown}
            page = write_page(out, summary, bundle, engine, sheets, [])
    return ScanReport(out, summary, done - kept, kept, (), (), 0, seconds, engine.about, page)


def _arrivals(watched: _Watched, idle: float | None) -> Iterator[list[_Arrival]]:
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
    out: Path, part: int, ready: list[_Arrival], scanner: PartScanner, watched: _Watched, index: int
) -> int:
    """Write one part, whose first sheet has this index; returns its number of sheets."""
    sheets = [PlannedSheet(index + i, each.name, os.fspath(each.path)) for i, each in enumerate(ready)]
    extra = {
        "file_bytes": [each.stamp[0] for each in ready],
        "file_mtime_ns": [each.stamp[1] for each in ready],
    }
    write_part(out, part, scanner(part, sheets, extra=extra))
    watched.scanned.update({each.name: each.stamp for each in ready})
    return len(sheets)


def _load_parts(out: Path, watched: _Watched, rows: PartRows) -> tuple[int, int]:
    """How many parts and rows an earlier call wrote; their files count as scanned."""
    names = sorted(path.name for path in (out / VERDICTS).iterdir())
    if names != [part_path(out, number).name for number in range(len(names))]:
        raise BadOutput(
            f"{out / VERDICTS}: expected parts without a gap, got {', '.join(names[:5])}; use --fresh"
        )
    sheets = 0
    for number in range(len(names)):
        table = read_part(out, number, rows.schema(number))
        sheets += len(table)
        columns = (table[name].to_pylist() for name in ("name", "file_bytes", "file_mtime_ns"))
        watched.scanned.update({name: (size, changed) for name, size, changed in zip(*columns, strict=True)})
    return len(names), sheets


def _folder(source: Path | str) -> Path:
    folder = absolute(Path(source))
    if not folder.is_dir():
        raise BadSource(f"{source}: expected a folder to watch, found none; scan files without --watch")
    return folder


def _stamp(path: Path) -> Stamp | None:
    """Size and time of a regular file; None for a removed one, or another kind."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
