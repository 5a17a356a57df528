"""Watches a folder: each file is judged once it stands still, and never twice, also after a restart."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelsight.errors import BadOutput, BadSource
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.engine import BATCH, open_engine
from steelsight.runtime.scan.judge import PartJudge
from steelsight.runtime.scan.output import hold, identify, load_scan, save_scan
from steelsight.runtime.scan.parts import VERDICTS, PartRows, part_path, read_part, write_part
from steelsight.runtime.scan.plan import PART
from steelsight.runtime.scan.run import ScanReport
from steelsight.runtime.scan.sources import PlannedSheet, absolute, readable, without_masks
from steelsight.runtime.scan.summary import summarise, write_summary
from steelsight.sheets.formats.listing import list_images

__all__ = ["watch"]

POLL_S: Final = 1.0

Stamp = tuple[int, int]  # size in bytes, time of last change in ns


@dataclass
class _Watched:
    """What is known of the files that are there; those that left are forgotten."""

    folders: Sequence[Path]
    judged: dict[str, Stamp] = field(default_factory=dict)  # by name
    seen: dict[str, Stamp] = field(default_factory=dict)  # at the last poll

    def poll(self) -> list[tuple[str, Path, Stamp]]:
        """Files that are new or changed and stood still since the last poll."""
        now: dict[str, Stamp] = {}
        ready = []
        for folder in self.folders:
            for id_ in without_masks(folder, list_images(folder).images):
                path = folder / id_
                found = _stamp(path)
                if found is None:
                    continue
                name = readable(path.as_posix())
                now[name] = found
                if self.seen.get(name) == found and self.judged.get(name) != found:
                    ready.append((name, path, found))
        self.seen = now
        self.judged = {name: each for name, each in self.judged.items() if name in now}
        return ready


def watch(
    bundle_folder: Path | str,
    sources: Sequence[Path | str],
    out: Path | str,
    *,
    engine: str = "openvino",
    batch: int = BATCH,
    heatmaps: bool = False,
    fresh: bool = False,
    page: bool = True,
    idle: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScanReport:
    """Judge the images of folders as they arrive, until Ctrl-C; each poll that finds some writes a part.

    idle    seconds without anything new after which it ends by itself; None = never
    raises  as scan
    """
    out = Path(out)
    folders = [_folder(source) for source in sources]
    bundle = open_bundle(Path(bundle_folder))
    opened = open_engine(bundle, engine, threads=1, batch=batch)
    identity = identify(bundle, sources, opened, heatmaps=heatmaps, watch=True)
    rows = PartRows(bundle.card, "", heatmaps, files=True)
    with hold(out, fresh=fresh):
        if load_scan(out, identity) is None:
            save_scan(out, identity)
        watched = _Watched(folders)
        parts, kept = _recall(out, watched, rows)
        judge, done, started = PartJudge(bundle, opened, rows), kept, time.perf_counter()
        judge.warm_up()
        try:
            last = time.monotonic()
            while idle is None or time.monotonic() - last < idle:
                ready = watched.poll()
                for start in range(0, len(ready), PART):
                    done += _write(out, parts, ready[start : start + PART], judge, watched, done)
                    parts += 1
                    last = time.monotonic()
                    if progress is not None:
                        progress(done, done)
                time.sleep(POLL_S)
        except KeyboardInterrupt:  # the way to end it
            pass
        seconds = time.perf_counter() - started
        summary = summarise(out, (read_part(out, number) for number in range(parts)), bundle.card)
        write_summary(out, summary, model_id=bundle.card.model_id, engine=opened.about, passed_over=[])
        shown = None
        if page:
            from steelsight.runtime.scan.page import write_page

            sheets = {each.index: PlannedSheet(each.index, each.name, each.name) for each in summary.shown}
            shown = write_page(out, summary, bundle, opened, sheets, [])
    return ScanReport(out, summary, done - kept, kept, (), (), 0, seconds, opened.about, shown)


def _write(
    out: Path,
    part: int,
    ready: list[tuple[str, Path, Stamp]],
    judge: PartJudge,
    watched: _Watched,
    index: int,
) -> int:
    sheets = [PlannedSheet(index + i, name, os.fspath(path)) for i, (name, path, _) in enumerate(ready)]
    extra = {
        "file_bytes": [found[0] for *_, found in ready],
        "file_mtime_ns": [found[1] for *_, found in ready],
    }
    write_part(out, part, judge(part, sheets, extra=extra))
    watched.judged.update({name: found for name, _, found in ready})
    return len(sheets)


def _recall(out: Path, watched: _Watched, rows: PartRows) -> tuple[int, int]:
    """How many parts and rows there are; what they judged is remembered."""
    there = sorted(path.name for path in (out / VERDICTS).iterdir())
    if there != [part_path(out, number).name for number in range(len(there))]:
        raise BadOutput(
            f"{out / VERDICTS}: expected parts without a gap, found {', '.join(there[:5])}; use --fresh"
        )
    sheets = 0
    for number in range(len(there)):
        table = read_part(out, number, rows.schema(number))
        sheets += len(table)
        columns = (table[name].to_pylist() for name in ("name", "file_bytes", "file_mtime_ns"))
        watched.judged.update({name: (size, changed) for name, size, changed in zip(*columns, strict=True)})
    return len(there), sheets


def _folder(source: Path | str) -> Path:
    folder = absolute(Path(source))
    if not folder.is_dir():
        raise BadSource(
            f"{source}: expected a folder to watch, found none; files are scanned without --watch"
        )
    return folder


def _stamp(path: Path) -> Stamp | None:
    """None for what is gone, or no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None
