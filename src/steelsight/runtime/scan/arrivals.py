"""Which files of watched folders are new, and which were scanned: known by their content, not by their dates.

A file is taken as unchanged while its size, times and inode are what they were. Where one of them differs,
the hash of its content decides: a share that goes away and comes back with other inodes or times is not
scanned again, and other content under the same size and modification time is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from steelsight.names import shown_name
from steelsight.runtime.scan.sources import without_masks
from steelsight.sheets.formats.listing import is_image_name, list_images
from steelsight.sheets.formats.mask_pairs import NamesApart
from steelsight.sheets.images.image_file import MAX_FILE_BYTES
from steelsight.types import Rejection

__all__ = ["FileStamp", "SettledFiles", "WatchedFile", "WatchedFolders"]

MOST: Final = 2**63 - 1  # of a column of 64 bits
REMEMBERED: Final = 1000  # names of files that are gone, at least


class FileStamp(NamedTuple):
    """What tells without reading whether a file is the same as before; each fits into 64 bits."""

    file_bytes: int
    file_mtime_ns: int
    file_ctime_ns: int
    file_inode: int


class WatchedFile(NamedTuple):
    """A file to scan."""

    path: bytes  # of the file system, absolute
    stamp: FileStamp
    content: str  # its hash; "" where it could not be read

    @property
    def name(self) -> str:
        """As rows and messages show it."""
        return shown_name(os.fsdecode(self.path))


@dataclass
class SettledFiles:
    """The images of some folders, masks left out, and which of them nobody writes to any more."""

    folders: Sequence[Path]
    unreadable: dict[str, Rejection] = field(default_factory=dict)  # places that could not be listed, by name
    _seen: dict[bytes, FileStamp] = field(default_factory=dict)  # at the last poll, by path; masks too
    _sheets: list[bytes] = field(default_factory=list)  # of the last poll
    _apart: dict[Path, NamesApart] = field(default_factory=dict)  # by folder
    _grown: bool = False  # whether `poll_new` found files since
    _names: dict[str, set[str]] = field(default_factory=dict)  # of everything in a folder, by its path

    def poll(self) -> dict[bytes, tuple[FileStamp, bool]]:
        """By path, every file's stamp and whether it was the same at the last poll."""
        images = {folder: self._list(folder) for folder in self.folders}
        paths = [path for folder, ids in images.items() for path in _paths(folder, ids)]
        now = {path: stamp for path in paths if (stamp := _stamp(path)) is not None}
        if self._grown or now != self._seen:  # what is a mask depends on names and content
            self._grown = False
            sheets = [_paths(folder, self._without_masks(folder, ids)) for folder, ids in images.items()]
            self._sheets = [path for paths in sheets for path in paths if path in now]
        found = {path: (now[path], self._seen.get(path) == now[path]) for path in self._sheets}
        self._seen = now
        holding = {*map(os.fspath, self.folders), *{os.fsdecode(path).rpartition("/")[0] for path in now}}
        self._names = {folder: self._names.get(folder, set()) for folder in holding}
        return found

    def poll_new(self, pending: Iterable[bytes]) -> dict[bytes, tuple[FileStamp, bool]] | None:
        """As `poll`, for files that are new in a folder with images, and for `pending` ones; far faster.

        None where all must be looked at: a name that may be a mask, a new folder, one that cannot be listed.
        """
        new = []
        for folder, known in self._names.items():
            try:
                names = set(os.listdir(folder))  # noqa: PTH208  # names are compared as they are
            except OSError:
                return None
            new += [f"{folder}/{name}" for name in names - known]
            self._names[folder] = names
        new = [path for path in new if os.fsencode(path) not in self._seen]
        if any(Path(path).is_dir() and path not in self._names for path in new):
            return None
        new = [path for path in new if is_image_name(path.rpartition("/")[2]) and path not in self._names]
        if not all(self._stand_apart(path) for path in new):
            return None
        self._grown |= bool(new)
        found = {}
        for path in {*map(os.fsencode, new), *pending}:
            stamp = _stamp(path)
            if stamp is not None:
                found[path] = (stamp, self._seen.get(path) == stamp)
                self._seen[path] = stamp
        return found

    def _stand_apart(self, path: str) -> bool:
        roots = [(root, apart) for root, apart in self._apart.items() if path.startswith(f"{root}/")]
        return bool(roots) and all(apart.add([path.removeprefix(f"{root}/")]) for root, apart in roots)

    def _without_masks(self, folder: Path, ids: Sequence[str]) -> Sequence[str]:
        """Names that stand apart need no search, which takes longer than the listing."""
        apart = self._apart.get(folder)
        if apart is None or len(apart) > 2 * len(ids) + REMEMBERED:  # mostly names of files that are gone
            apart = self._apart[folder] = NamesApart()
        return ids if apart.add(ids) else without_masks(folder, ids)

    def forget(self, path: bytes) -> None:
        """Wait for a file once more: its stamp counts as settled after two further polls."""
        self._seen.pop(path, None)

    def _list(self, folder: Path) -> Sequence[str]:
        listing = list_images(folder)
        for each in listing.unreadable:
            place = shown_name(f"{folder.as_posix()}/{each.id}")
            self.unreadable[place] = Rejection(place, shown_name(each.reason))
        return listing.images


@dataclass
class WatchedFolders:
    """The files of some folders. Scanned files are remembered for good, also while they are away."""

    files: SettledFiles
    waiting: bool = False  # whether the last poll saw a file that may still be written
    _scanned: dict[bytes, tuple[FileStamp, str]] = field(default_factory=dict)  # by path
    _set_aside: dict[bytes, FileStamp] = field(default_factory=dict)  # could not be read, by path

    def remember(self, arrival: WatchedFile) -> None:
        """Take a file as scanned."""
        self._scanned[arrival.path] = (arrival.stamp, arrival.content)

    def set_aside(self, arrival: WatchedFile) -> None:
        """Take a file as one that could not be read: it is ready again once it was away, or has changed."""
        self._set_aside[arrival.path] = arrival.stamp

    def poll(self) -> list[WatchedFile]:
        """Files that are new or changed, and have not changed since the last poll."""
        ready = []
        self.waiting = False
        found = self.files.poll()
        for key, (stamp, settled) in found.items():
            stamped, content = self._scanned.get(key, (None, ""))
            if stamp in (stamped, self._set_aside.get(key)):
                continue
            if not settled:
                self.waiting = True
                continue
            path = Path(os.fsdecode(key))
            if not path.is_file():  # opening a pipe would wait for its other end
                continue
            arrival = WatchedFile(key, stamp, _hash(path))
            if stamped is not None and arrival.content and arrival.content == content:
                self.remember(arrival)  # the same content with other dates
            else:
                ready.append(arrival)
        self._set_aside = {key: stamp for key, stamp in self._set_aside.items() if key in found}
        return ready


def _paths(folder: Path, ids: Sequence[str]) -> list[bytes]:
    root = os.fspath(folder).rstrip("/")
    return [os.fsencode(f"{root}/{id_}") for id_ in ids]


def _stamp(path: bytes) -> FileStamp | None:
    """None for a file that was removed."""
    try:
        found = os.stat(path)  # noqa: PTH116  # a Path of each of many files takes longer than its status
    except OSError:
        return None
    stamp = FileStamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    if min(stamp) >= -MOST and max(stamp) <= MOST:
        return stamp
    return FileStamp(*(min(max(value, -MOST), MOST) for value in stamp))


def _hash(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:  # it is refused by its size, and known by its stamp
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""
