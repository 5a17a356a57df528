"""Which files of watched folders are new, and which were scanned: known by their content, not by their dates.

A file is taken as unchanged while its size, times and inode are what they were. Where one of them differs,
the hash of its content decides: a share that goes away and comes back with other inodes or times is not
scanned again, and other content under the same size and modification time is.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from steelsight.names import shown_name
from steelsight.runtime.scan.sources import without_masks
from steelsight.sheets.formats.listing import list_images
from steelsight.sheets.images.image_file import MAX_FILE_BYTES
from steelsight.types import Rejection

__all__ = ["Arrival", "Stamp", "WatchedFolders"]

MOST: Final = 2**63 - 1  # of a column of 64 bits


class Stamp(NamedTuple):
    """What tells without reading whether a file is the same as before; each fits into 64 bits."""

    file_bytes: int
    file_mtime_ns: int
    file_ctime_ns: int
    file_inode: int


class Arrival(NamedTuple):
    """A file to scan."""

    path: bytes  # of the file system, absolute
    stamp: Stamp
    content: str  # its hash; "" where it could not be read

    @property
    def name(self) -> str:
        """As rows and messages show it."""
        return shown_name(os.fsdecode(self.path))


@dataclass
class WatchedFolders:
    """The files of some folders. Scanned files are remembered for good, also while they are away."""

    folders: Sequence[Path]
    waiting: bool = False  # whether the last poll saw a file that may still be written
    unreadable: dict[str, Rejection] = field(default_factory=dict)  # places that could not be listed, by name
    _scanned: dict[bytes, tuple[Stamp, str]] = field(default_factory=dict)  # by path
    _set_aside: dict[bytes, Stamp] = field(default_factory=dict)  # could not be read, by path
    _seen: dict[bytes, Stamp] = field(default_factory=dict)  # at the last poll

    def remember(self, arrival: Arrival) -> None:
        """Take a file as scanned."""
        self._scanned[arrival.path] = (arrival.stamp, arrival.content)

    def set_aside(self, arrival: Arrival) -> None:
        """Take a file as one that could not be read: it is ready again once it was away, or has changed."""
        self._set_aside[arrival.path] = arrival.stamp

    def poll(self) -> list[Arrival]:
        """Files that are new or changed, and have not changed since the last poll."""
        now: dict[bytes, Stamp] = {}
        ready = []
        self.waiting = False
        for path in self._list():
            key, stamp = os.fsencode(path), _stamp(path)
            if stamp is None:
                continue
            now[key] = stamp
            stamped, content = self._scanned.get(key, (None, ""))
            if stamp in (stamped, self._set_aside.get(key)):
                continue
            if self._seen.get(key) != stamp:
                self.waiting = True
                continue
            arrival = Arrival(key, stamp, _hash(path))
            if stamped is not None and arrival.content and arrival.content == content:
                self.remember(arrival)  # the same content with other dates
            else:
                ready.append(arrival)
        self._seen = now
        self._set_aside = {key: stamp for key, stamp in self._set_aside.items() if key in now}
        return ready

    def _list(self) -> Iterator[Path]:
        for folder in self.folders:
            listing = list_images(folder)
            for each in listing.unreadable:
                place = shown_name(f"{folder.as_posix()}/{each.id}")
                self.unreadable[place] = Rejection(place, shown_name(each.reason))
            yield from (folder / id_ for id_ in without_masks(folder, listing.images))


def _stamp(path: Path) -> Stamp | None:
    """Of a regular file; None for a removed one, or another kind."""
    try:
        found = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    values = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    return Stamp(*(min(max(value, -MOST), MOST) for value in values))


def _hash(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:  # it is refused by its size, and known by its stamp
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""
