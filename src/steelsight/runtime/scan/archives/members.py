"""Files of an archive, and what its readers raise where it is damaged.

A name inside an archive is a label and never becomes a path. Links, devices, locked entries and names that
lead elsewhere are listed with the reason why they are not read.
"""

from __future__ import annotations

import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Final

from steelsight.runtime.scan.objects.ranged_file import ObjectFile
from steelsight.types import Reason

__all__ = ["DAMAGE", "Entry", "Member", "first_line", "size_of", "stamp_of"]

# What the readers of the standard library raise on damaged archives.
DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    ArithmeticError,
    NotImplementedError,  # zipfile: a compression or an encryption that it does not know
    struct.error,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, slots=True)
class Member:
    """The place of a file in its archive."""

    codec: str  # tar, tar.gz, tar.bz2, tar.xz; in a zip: stored, deflated, bzip2
    offset: int  # tar: of its bytes in the unpacked archive; zip: of its header
    size: int  # bytes, unpacked
    packed: int  # bytes in the archive; tar: as size
    crc: int  # zip: of the unpacked bytes; tar: 0
    stamp: str  # the archive's size and time when it was listed; in an object store its size and ETag


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive."""

    name: str
    member: Member | None  # None = it is not read
    reason: Reason | None = None  # why it is not read; `detail` says it in words
    detail: str = ""


def stamp_of(file: BinaryIO) -> str:
    """Size and time of an archive, or size and ETag, by which a changed one is recognised."""
    if isinstance(file, ObjectFile):
        return file.status.stamp
    status = os.fstat(file.fileno())
    return f"{status.st_size}:{status.st_mtime_ns}"


def size_of(file: BinaryIO) -> int:
    """Bytes of an archive."""
    return file.status.size if isinstance(file, ObjectFile) else os.fstat(file.fileno()).st_size


def first_line(error: BaseException) -> str:
    """An error in at most 120 characters."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
