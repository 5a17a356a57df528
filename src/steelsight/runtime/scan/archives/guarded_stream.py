"""Unpack no more of an archive than the limits allow."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from typing import Any, BinaryIO, Final

__all__ = ["ArchiveBomb", "GuardedStream", "refuse_bomb"]

MAX_MEMBERS: Final = 1_000_000
MAX_UNPACKED: Final = 2**40  # bytes of one archive
MAX_RATIO: Final = 200  # unpacked to packed, beyond FREE bytes: photographs pack to no less than half
FREE: Final = 2**30
MAX_HEADER: Final = 2**20  # bytes of one name or attribute in a tar

_UNPACKERS: Final[dict[str, Callable[[BinaryIO], Any]]] = {
    "tar.gz": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    "tar.bz2": bz2.BZ2File,
    "tar.xz": lzma.LZMAFile,
}


class ArchiveBomb(Exception):
    """An archive unpacks to more than is allowed."""


class GuardedStream:
    """The unpacked bytes of a tar, within the limits; a compressed one seeks forward only."""

    def __init__(self, file: BinaryIO, kind: str, packed: int) -> None:
        self.kind = kind
        self._plain = kind not in _UNPACKERS
        self._file: BinaryIO = file if self._plain else _UNPACKERS[kind](file)
        self._packed = packed

    def tell(self) -> int:
        """Position in the unpacked archive, in bytes."""
        return self._file.tell()

    def seek(self, position: int) -> int:
        """Move to a position; raises ArchiveBomb where more than allowed is unpacked on the way."""
        if self._plain:
            return self._file.seek(position)
        while (left := position - self._file.tell()) > 0:
            if not self._file.read(min(left, MAX_HEADER)):
                break
            self._check()
        return self._file.tell()

    def read(self, size: int) -> bytes:
        """Read a header, at most MAX_HEADER bytes; raises ArchiveBomb."""
        if size > MAX_HEADER:  # tarfile reads a name or attribute at once
            raise ArchiveBomb(f"a header of {size} bytes, more than the {MAX_HEADER} allowed")
        content = self._file.read(size)
        self._check()
        return content

    def read_all(self, size: int) -> bytes:
        """Read the content of a file, whose size was checked when it was listed."""
        return self._file.read(size)

    def _check(self) -> None:
        if not self._plain:
            refuse_bomb(self._file.tell(), self._packed)


def refuse_bomb(unpacked: int, packed: int, members: int = 0) -> None:
    """Raise ArchiveBomb for more files, bytes, or a higher ratio of bytes than allowed."""
    if members > MAX_MEMBERS:
        raise ArchiveBomb(f"more than the {MAX_MEMBERS} files allowed in one archive")
    if unpacked > MAX_UNPACKED or unpacked > max(FREE, MAX_RATIO * packed):
        raise ArchiveBomb(
            f"{packed} bytes that unpack to {unpacked} and more; "
            f"allowed are {MAX_RATIO} times its size and {MAX_UNPACKED} in all"
        )
