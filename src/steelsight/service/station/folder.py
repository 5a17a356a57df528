"""A watched folder as a source: each file once it is whole, oldest first.

An item is the file's path in the folder and the time of its last change, so a camera that uses a name again
does not lose a sheet. A file is taken once its size and time are the same at two polls. What is remembered
grows with the number of files that lie in the folder, and with nothing else.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from steelsight.errors import BadInput, BadSource
from steelsight.ledger.chain.canonical import time_text
from steelsight.ledger.chain.event_names import UNREADABLE
from steelsight.names import on_one_line, shown_name
from steelsight.runtime.engine.reading import ImageRefused, read_file
from steelsight.runtime.scan.arrivals import FileStamp, SettledFiles
from steelsight.service.station.places import NamePattern, read_sidecar
from steelsight.service.station.source import Arrival, Place, Refusal, SourceNotice, bounded_us, item_name
from steelsight.sheets.own_folders import OwnFolders
from steelsight.types import Reason

__all__ = ["FolderSource"]

POLL_S: Final = 0.05
RECHECK_S: Final = 1.0
RECHECK_SHARE: Final = 0.01  # of the time, at most, for looks at all files
MOST_REST_S: Final = 2.0  # between two polls of a folder that takes long to list
MOST_WARNINGS: Final = 1000  # different ones; no more are told after that
ASKED: Final = 500  # files about which the ledger is asked at once


class FolderSource:
    """Sheets from a folder that a camera writes into.

    folder     its images at any depth; masks and other files are passed over
    pattern    gives the place from the name; None = from a file beside the image, if there is one
    sidecar_s  wait so long for a file beside the image that is not there or cannot be used yet
    idle_s     end after so many seconds without a new file; None = never
    recheck_s  a file that was taken and is written again under its name is noticed after so long, or later
               where many files lie: looks at all of them take 1 % of the time at most; 0 = at every poll
    known      of some items, those that the ledger has: their files are not read; `Line.known`
    report     called with each warning: a file that cannot be read, a place that cannot be used
    raises     BadSource where the folder cannot be listed
    """

    def __init__(
        self,
        folder: Path,
        *,
        pattern: NamePattern | None = None,
        sidecar_s: float = 0.0,
        idle_s: float | None = None,
        poll_s: float = POLL_S,
        recheck_s: float = RECHECK_S,
        known: Callable[[Sequence[str]], Collection[str]] | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        if not folder.is_dir():
            raise BadSource(f"{folder}: expected a folder that the camera writes into")
        OwnFolders("a folder that the camera writes into", BadSource).refuse(folder)
        self.folder = folder
        self.warnings: list[str] = []
        self._pattern = pattern
        self._sidecar_s = sidecar_s
        self._idle_s = idle_s
        self._poll_s = poll_s
        self._known = known
        self._report = report
        self._files = SettledFiles([folder.absolute()])
        self._recheck_s = recheck_s
        self._check_s = -math.inf  # time.monotonic() of the next poll of all files
        self._rest_s = 0.0  # after a poll of all files that could not wait
        self._pending: set[bytes] = set()  # not taken yet, by path
        self._started_ns = time.time_ns()
        self._taken: dict[bytes, FileStamp] = {}  # by path
        self._waiting: dict[bytes, float] = {}  # until when (time.monotonic) a place is waited for, by path
        self._notices: list[SourceNotice] = []

    def __iter__(self) -> Iterator[Arrival | SourceNotice | None]:
        last = time.monotonic()
        while True:
            started = time.monotonic()
            ready = self._poll()
            for key, stamp in self._unknown(ready):
                arrival = self._read(key, stamp)
                if arrival is not None:
                    yield arrival
            notices, self._notices = self._notices, []
            yield from notices
            if ready:
                last = time.monotonic()
            elif self._idle_s is not None and time.monotonic() - last >= self._idle_s:
                return
            yield None
            time.sleep(max(self._poll_s - (time.monotonic() - started), self._rest_s))

    def written(self, items: Sequence[str]) -> None:
        """Nothing to do: what was taken is remembered, and the ledger knows it after a restart."""

    def _poll(self) -> list[tuple[bytes, FileStamp]]:
        """Files that have not changed since the last poll and were not taken, oldest first."""
        started = time.monotonic()
        due = started >= self._check_s
        files = None if due else self._files.poll_new(self._pending)
        self._rest_s = 0.0
        if files is None:
            files = self._poll_all()
            spent = time.monotonic() - started
            self._rest_s = 0.0 if due else min(spent, MOST_REST_S)  # a large folder rests as long
            rest = max(self._recheck_s, spent / RECHECK_SHARE) if self._recheck_s else 0.0
            self._check_s = started + (rest if self._idle_s is None else min(rest, self._idle_s / 4))
        self._pending = {key for key, (stamp, _) in files.items() if self._taken.get(key) != stamp}
        ready = [(key, stamp) for key, (stamp, settled) in files.items() if settled and key in self._pending]
        return sorted(ready, key=lambda each: (each[1].file_mtime_ns, each[0]))

    def _poll_all(self) -> dict[bytes, tuple[FileStamp, bool]]:
        files = self._files.poll()
        for folder in self._files.unreadable.values():
            self._tell_unreadable(folder.id, f"{folder.id}: {folder.reason}")
        self._files.unreadable.clear()
        self._taken = {key: stamp for key, stamp in self._taken.items() if key in files}
        self._waiting = {key: until for key, until in self._waiting.items() if key in files}
        return files

    def _unknown(self, ready: Sequence[tuple[bytes, FileStamp]]) -> Iterator[tuple[bytes, FileStamp]]:
        """Those that the ledger does not have; it is asked about files from before this process only."""
        for start in range(0, len(ready), ASKED):
            part = ready[start : start + ASKED]
            old = [self._item(*each) for each in part if each[1].file_mtime_ns < self._started_ns]
            known = self._known(old) if self._known is not None and old else ()
            for key, stamp in part:
                if known and self._item(key, stamp) in known:
                    self._taken[key] = stamp
                else:
                    yield key, stamp

    def _item(self, key: bytes, stamp: FileStamp) -> str:
        return item_name(f"{self._name(key)}@{_moment(stamp.file_mtime_ns // 1000)}")

    def _name(self, key: bytes) -> str:
        return Path(os.fsdecode(key)).relative_to(self.folder.absolute()).as_posix()

    def _read(self, key: bytes, stamp: FileStamp) -> Arrival | None:
        """The sheet of a file; None where it is to be taken at a later poll."""
        path = Path(os.fsdecode(key))
        place = self._place(key, path)
        if place is None:
            return None
        content, refused = b"", None
        try:
            content = read_file(path)
        except ImageRefused as error:
            if error.reason is not Reason.TOO_LARGE:  # gone, or written to again: the next poll decides
                self._files.forget(key)
                if path.exists() and error.reason is not Reason.CHANGED:
                    self._tell_unreadable(self._name(key), f"{error}; it is tried again")
                return None
            refused = Refusal(error.reason, str(error))
        self._taken[key] = stamp
        self._waiting.pop(key, None)
        captured = bounded_us(stamp.file_mtime_ns // 1000)
        image = item_name(str(path))
        return Arrival(self._item(key, stamp), content, captured, place, image, refused)

    def _place(self, key: bytes, path: Path) -> Place | None:
        """Where the sheet lies, empty where that is not known; None = it is still waited for."""
        name = shown_name(self._name(key))
        problem = ""
        try:
            found = self._pattern.read(name) if self._pattern else read_sidecar(path)
        except BadInput as error:
            found, problem = None, str(error)
        if found is not None:
            return found
        if self._pattern is None and self._sidecar_s:
            until = self._waiting.setdefault(key, time.monotonic() + self._sidecar_s)
            if time.monotonic() < until:
                return None
            problem = (
                problem or f"{name}: no file beside it after {self._sidecar_s:g} s; judged without a place"
            )
        elif self._pattern is not None:
            problem = problem or f"{name}: does not match --pattern {self._pattern.text}"
        if problem:
            self._warn(problem)
        return Place()

    def _tell_unreadable(self, name: str, text: str) -> None:
        if self._warn(text):
            self._notices.append(SourceNotice(UNREADABLE, item_name(name), on_one_line(shown_name(text))))

    def _warn(self, text: str) -> bool:
        """Tell each thing once, MOST_WARNINGS things at most; whether it was told."""
        line = on_one_line(text)
        if line in self.warnings or len(self.warnings) > MOST_WARNINGS:
            return False
        if len(self.warnings) == MOST_WARNINGS:
            line = f"{MOST_WARNINGS} warnings; no more are told until the next start"
        self.warnings.append(line)
        if self._report is not None:
            self._report(line)
        return len(self.warnings) <= MOST_WARNINGS


def _moment(time_us: int) -> str:
    """A time as text; one that no calendar has, as its number of microseconds."""
    try:
        return time_text(time_us)
    except OverflowError:
        return f"{time_us}us"
