"""What is known of each file from the last time it was read, and whether it may have changed since.

A file is taken as unchanged while its size, modification time, change time and inode are what they were. The
change time cannot be set by programs, so a rewrite that restores the modification time is noticed too. A file
younger than two seconds when it was read is read again next time, because a second write within the clock's
grain would leave no trace (git's "racy" entries). Not noticed: bytes altered below the file system.

An index that does not agree with its checksum, or that names anything but pixel files, counts as absent: the
images are read again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from steelsight.files import replace_file
from steelsight.reading import parse_json, read_regular

__all__ = ["FileFacts", "FileIndex", "hash_bytes"]

_FORMAT = 4  # 2: masks read by their values; 3: orientation, inversion and full scale; 4: a checksum
_PIXEL_FILE: Final = re.compile(
    r"[0-9a-f]{32}\.pixels"
)  # the name of a pixel file, which lies beside the index
_GRAIN_NS = 2_000_000_000  # FAT keeps modification times in steps of two seconds
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileFacts:
    """One image or mask file, as last read."""

    content: str  # hash of its bytes; "" when they could not be read
    size: tuple[int, int] = (0, 0)  # height, width
    error: str = ""  # why it cannot be used; "" = it can
    area_px: int = 0  # mask files only


class FileIndex:
    """The facts of a DATA folder's files under one input spec, kept in one JSON file."""

    def __init__(self, path: Path) -> None:
        """Read the index at `path`; a missing or damaged one is empty."""
        self._path = path
        self._stamps: dict[str, str] = {}
        self._facts: dict[str, FileFacts] = {}
        self.recent: list[str] = []  # names of pixel files made for this folder, newest first
        self._read()

    def known(self, path: Path) -> FileFacts | None:
        """The facts of a file, unless it is new or may have changed."""
        key = os.fspath(path)
        stamp = self._stamps.get(key)
        return self._facts[key] if stamp and stamp == _stamp(path) else None

    def learn(self, path: Path, facts: FileFacts, stamp: str) -> None:
        """Keep the facts of a file; `stamp` was taken before it was read."""
        if facts.content and stamp:
            self._facts[os.fspath(path)] = facts
            self._stamps[os.fspath(path)] = stamp

    def stamp(self, path: Path) -> str:
        """The file's identity now; "" if it cannot be had or is too young to be trusted."""
        return _stamp(path, youngest_ns=time.time_ns() - _GRAIN_NS)

    def save(self) -> None:
        """Write the index; the old one stays until the new one is complete."""
        files = {
            key: [self._stamps[key], facts.content, *facts.size, facts.error, facts.area_px]
            for key, facts in self._facts.items()
        }
        checksum = _checksum(self.recent, files)
        text = json.dumps({"format": _FORMAT, "recent": self.recent, "files": files, "checksum": checksum})
        replace_file(self._path, text, advice="free space or set STEELSIGHT_CACHE")

    def _read(self) -> None:
        try:
            stored: Any = parse_json(read_regular(self._path))
            if stored["format"] != _FORMAT:
                return
            _refuse_other_content(stored)
            for key, (stamp, content, height, width, error, area_px) in stored["files"].items():
                self._facts[key] = FileFacts(content, (height, width), error, area_px)
                self._stamps[key] = stamp
            self.recent = [_pixel_name(name) for name in stored["recent"]]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            _log.warning("%s: damaged index (%s); reading the images again", self._path, error)
            self._facts, self._stamps, self.recent = {}, {}, []


def _pixel_name(name: Any) -> str:
    """The name if it is one of a pixel file; raises ValueError, or TypeError where it is no text."""
    if _PIXEL_FILE.fullmatch(name):
        return str(name)
    raise ValueError(f"{name!r:.80} is no pixel file's name")


def _refuse_other_content(stored: Mapping[str, Any]) -> None:
    if stored["checksum"] != _checksum(stored["recent"], stored["files"]):
        raise ValueError("the checksum does not match")


def _checksum(recent: Any, files: Any) -> str:
    return hash_bytes(json.dumps([recent, files]))


def hash_bytes(*parts: bytes | str | Mapping[str, Any]) -> str:
    """A hash of 128 bits, in hex, of parts that cannot run into each other."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, Mapping):
            part = json.dumps(part, sort_keys=True)
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def _stamp(path: Path, youngest_ns: int | None = None) -> str:
    try:
        found = path.stat()
    except OSError:
        return ""
    if youngest_ns is not None and max(found.st_mtime_ns, found.st_ctime_ns) > youngest_ns:
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_ino}"
