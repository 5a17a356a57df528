"""A watched folder as a source: each file once it is whole, oldest first.

An item is the file's path in the folder and the time of its last change, so a camera that uses a name again
does not lose a sheet. A file is taken once its size and time are the same at two polls.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from steelsight.errors import BadInput, BadSource
from steelsight.ledger.chain.canonical import time_text
from steelsight.names import on_one_line, shown_name
from steelsight.runtime.engine.reading import ImageRefused, read_file
from steelsight.runtime.scan.arrivals import FileStamp, SettledFiles
from steelsight.runtime.verdict import Reason
from steelsight.service.station.places import NamePattern, read_sidecar
from steelsight.service.station.source import Arrival, Place, bounded_us, item_name

__all__ = ["FolderSource"]

POLL_S: Final = 0.05
MOST_REST_S: Final = 2.0  # between two polls of a folder that takes long to list
MOST_WARNINGS: Final = 1000  # kept, so that none of them is told twice


class FolderSource:
    """Sheets from a folder that a camera writes into.

    folder   its images at any depth; masks and other files are passed over
    pattern  gives the place from the name; None = from a file beside the image, if there is one
    idle_s   end after so many seconds without a new file; None = never
    report   called with each warning: a file that cannot be read, a place that cannot be used
    raises   BadSource where the folder cannot be listed
    """

    def __init__(
        self,
        folder: Path,
        *,
        pattern: NamePattern | None = None,
        idle_s: float | None = None,
        poll_s: float = POLL_S,
        report: Callable[[str], None] | None = None,
    ) -> None:
        if not folder.is_dir():
            raise BadSource(f"{folder}: expected a folder that the camera writes into")
        self.folder = folder
        self.warnings: list[str] = []
        self._pattern = pattern
        self._idle_s = idle_s
        self._poll_s = poll_s
        self._report = report
        self._files = SettledFiles([folder.absolute()])
        self._taken: dict[bytes, FileStamp] = {}  # by path

    def __iter__(self) -> Iterator[Arrival | None]:
        last = time.monotonic()
        while True:
            started = time.monotonic()
            ready = self._poll()
            for key, stamp in ready:
                arrival = self._read(key, stamp)
                if arrival is not None:
                    yield arrival
            if ready:
                last = time.monotonic()
            elif self._idle_s is not None and time.monotonic() - last >= self._idle_s:
                return
            yield None
            spent = time.monotonic() - started
            time.sleep(max(self._poll_s - spent, min(spent, MOST_REST_S)))  # a large folder rests as long

    def written(self, items: Sequence[str]) -> None:
        """Nothing to do: what was taken is remembered, and the ledger knows it after a restart."""

    def _poll(self) -> list[tuple[bytes, FileStamp]]:
        """Files that have not changed since the last poll and were not taken, oldest first."""
        files = self._files.poll()
        for folder in self._files.unreadable.values():
            self._warn(f"{folder.id}: {folder.reason}")
        self._taken = {key: stamp for key, stamp in self._taken.items() if key in files}
        ready = [
            (key, stamp)
            for key, (stamp, settled) in files.items()
            if settled and self._taken.get(key) != stamp
        ]
        return sorted(ready, key=lambda each: (each[1].file_mtime_ns, each[0]))

    def _read(self, key: bytes, stamp: FileStamp) -> Arrival | None:
        path = Path(os.fsdecode(key))
        try:
            content = read_file(path)
        except ImageRefused as error:  # gone, or written to again: the next poll decides
            self._files.forget(key)
            if path.exists() and error.reason is not Reason.CHANGED:
                self._warn(f"{error}; it is tried again")
            return None
        self._taken[key] = stamp
        name = path.relative_to(self.folder.absolute()).as_posix()
        captured = stamp.file_mtime_ns // 1000
        place, image = self._place(name, path), item_name(str(path))
        return Arrival(item_name(f"{name}@{_moment(captured)}"), content, bounded_us(captured), place, image)

    def _place(self, name: str, path: Path) -> Place:
        try:
            found = self._pattern.read(shown_name(name)) if self._pattern else read_sidecar(path)
        except BadInput as error:
            self._warn(str(error))
            return Place()
        if found is None and self._pattern:
            self._warn(f"{shown_name(name)}: does not match --pattern {self._pattern.text}")
        return found or Place()

    def _warn(self, text: str) -> None:
        """Tell each thing once; the last MOST_WARNINGS are kept."""
        line = on_one_line(text)
        if line in self.warnings:
            return
        self.warnings.append(line)
        del self.warnings[:-MOST_WARNINGS]
        if self._report is not None:
            self._report(line)


def _moment(time_us: int) -> str:
    """A time as text; one that no calendar has, as its number of microseconds."""
    try:
        return time_text(time_us)
    except OverflowError:
        return f"{time_us}us"
