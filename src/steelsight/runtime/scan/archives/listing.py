"""List the files of a tar or zip archive, each with its place or with the reason why it is not read."""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from steelsight.errors import BadSource
from steelsight.runtime.scan.archives import guarded_stream
from steelsight.runtime.scan.archives.guarded_stream import (
    MAX_RATIO,
    ArchiveBomb,
    GuardedStream,
    refuse_bomb,
)
from steelsight.runtime.scan.archives.members import DAMAGE, Entry, Member, first_line, size_of, stamp_of
from steelsight.runtime.scan.archives.tar_headers import iterate_headers
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.ranged_file import StoredObject
from steelsight.sheets.images.image_file import MAX_FILE_BYTES, unreadable
from steelsight.types import Reason

__all__ = ["ArchivePath", "ArchiveRefused", "archive_kind", "iterate_archive"]

ArchivePath: TypeAlias = Path | StoredObject

MAX_LONE: Final = 2**26  # bytes: beyond these, MAX_RATIO holds for each single file
MAX_DIRECTORY: Final = 2**27  # bytes of a zip's list of entries

_PACKING: Final = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated", zipfile.ZIP_BZIP2: "bzip2"}
_NOT_PLAIN: Final = "a link, a device or a file with holes; only plain files are read from archives"
_LOCKED: Final = 1  # bit of a zip entry's flags


class ArchiveRefused(BadSource):
    """An archive that is not scanned; the other sources are."""

    def __init__(self, path: ArchivePath, reason: Reason, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.reason = reason
        self.detail = detail


def archive_kind(path: ArchivePath) -> str:
    """zip, tar, tar.gz, tar.bz2 or tar.xz by the file's first bytes; "" for anything else.

    raises  ArchiveRefused for a file that cannot be read
    """
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise _refuse_unreadable(path, error) from error
    starts = ((b"PK\3\4", "zip"), (b"PK\5\6", "zip"), (b"\x1f\x8b", "tar.gz"), (b"BZh", "tar.bz2"))
    for magic, kind in (*starts, (b"\xfd7zXZ\0", "tar.xz")):
        if start.startswith(magic):
            return kind
    return "tar" if start[257:262] == b"ustar" else ""


def iterate_archive(path: ArchivePath, kind: str) -> Iterator[Entry]:
    """The files of an archive, in its own order; folders are left out.

    An archive that is cut off or damaged gives what can be listed, then an entry without name and with the
    reason.
    raises  ArchiveRefused where it cannot be opened, or unpacks to more than the limits allow; BadSource
            where an object store fails for the moment
    """
    count = unpacked = 0
    try:
        with path.open("rb") as file:
            size = size_of(file)
            listed = _iterate_zip(file) if kind == "zip" else _iterate_tar(file, kind, size)
            for entry in listed:
                count += 1
                unpacked += 0 if entry is None or entry.member is None else entry.member.size
                refuse_bomb(unpacked, size, count)
                if entry is not None:
                    yield entry
    except ArchiveBomb as error:
        words = f"{error}; unpack it yourself if you trust it"
        raise ArchiveRefused(path, Reason.TOO_LARGE, words) from error
    except MemoryError as error:
        raise ArchiveRefused(path, Reason.OUT_OF_MEMORY, "too little memory to list it") from error
    except DAMAGE as error:
        if isinstance(error, ObjectFault) or (isinstance(error, OSError) and error.errno and not count):
            raise _refuse_unreadable(path, error) from error
        words = f"damaged or cut off here ({first_line(error)}); copy the archive again"
        yield Entry("", None, Reason.DAMAGED, words)


def _refuse_unreadable(path: ArchivePath, error: OSError) -> ArchiveRefused:
    """The refusal of an archive that cannot be read.

    raises  BadSource where the store has a trouble of the moment: nothing is planned yet, and no row is lost
    """
    if isinstance(error, ObjectFault):
        if error.may_pass:
            raise BadSource(f"{path}: {error.strerror}") from error
        reason = Reason.CHANGED if error.errno == errno.ESTALE else Reason.MISSING
        return ArchiveRefused(path, reason, error.strerror or "")
    assert isinstance(path, Path)
    return ArchiveRefused(path, Reason.MISSING, unreadable(path, error).removeprefix(f"{path.name}: "))


def _iterate_tar(file: BinaryIO, kind: str, packed: int) -> Iterator[Entry | None]:
    """Files, and None for each folder."""
    stamp = stamp_of(file)
    for each in iterate_headers(GuardedStream(file, kind, packed)):
        if each.is_folder:
            yield None
        else:
            member = Member(kind, each.offset, each.size, each.size, 0, stamp)
            yield _entry(each.name, member, "" if each.is_plain else _NOT_PLAIN)


def _iterate_zip(file: BinaryIO) -> Iterator[Entry | None]:
    """Files, and None for each folder."""
    stamp = stamp_of(file)
    length = size_of(file)
    _refuse_directory(file)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                yield None
                continue
            if not 0 <= info.header_offset <= length - info.compress_size:
                words = "its bytes lie outside of the archive; pack it again"
                yield Entry(info.filename, None, Reason.DAMAGED, words)
                continue
            codec = _PACKING.get(info.compress_type, "")
            member = Member(codec, info.header_offset, info.file_size, info.compress_size, info.CRC, stamp)
            yield _entry(info.filename, member, _packing_problem(info))


def _packing_problem(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return _NOT_PLAIN
    if info.flag_bits & _LOCKED:
        return "locked with a password; pack it again without"
    if info.compress_type not in _PACKING:
        return f"packed by method {info.compress_type}; pack it again, stored or deflated"
    return ""


def _refuse_directory(file: BinaryIO) -> None:
    """Refuse a list of entries that is too large, by the record at the end: zipfile reads it at once."""
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - 2**16 - 22))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + 22 > len(tail):
        raise zipfile.BadZipFile("no end record")
    size = struct.unpack_from("<L", tail, at + 12)[0]
    if at >= 20 and tail.startswith(b"PK\6\7", at - 20):  # as zipfile, which reads this record where it is
        where = struct.unpack_from("<Q", tail, at - 12)[0]
        if where > length - 56:
            raise zipfile.BadZipFile("its end record lies outside of the file")
        place = max(0, length - len(tail) + at - 20 - 56)  # where zipfile looks for it
        for start in {where, place}:
            file.seek(start)
            record = file.read(56)
            if record.startswith(b"PK\6\6"):
                size = max(size if size != 2**32 - 1 else 0, struct.unpack_from("<Q", record, 40)[0])
    end = length - len(tail) + at
    if size > MAX_DIRECTORY:
        raise ArchiveBomb(f"a list of entries of {size} bytes, more than the {MAX_DIRECTORY} allowed")
    if size > end:
        raise zipfile.BadZipFile("its list of entries lies outside of the file")
    _refuse_entries(file, end, size)
    file.seek(0)


def _refuse_entries(file: BinaryIO, end: int, size: int) -> None:
    """Refuse more entries than allowed, by their signatures in the list that ends before the end records."""
    start = max(0, end - size - 76)  # the end records of zip64 lie between
    file.seek(start)
    count = file.read(end - start).count(b"PK\1\2")
    if count > guarded_stream.MAX_MEMBERS:
        raise ArchiveBomb(f"more than the {guarded_stream.MAX_MEMBERS} files allowed in one archive")


def _entry(name: str, member: Member, problem: str) -> Entry:
    """An entry to read, or one with the reason why it is not read."""
    if problem := _leads_out(name) or problem:
        return Entry(name, None, Reason.UNSAFE, problem)
    if max(member.size, member.packed) > MAX_FILE_BYTES:
        words = f"{member.size} bytes, more than {MAX_FILE_BYTES}; is it one image?"
        return Entry(name, None, Reason.TOO_LARGE, words)
    if member.size > max(MAX_LONE, MAX_RATIO * member.packed):
        words = f"{member.packed} bytes that unpack to {member.size}; no photograph does"
        return Entry(name, None, Reason.TOO_LARGE, words)
    return Entry(name, member)


def _leads_out(name: str) -> str:
    """Why a name does not name a file below the archive's root; "" where it does."""
    parts = re.split(r"[/\\]", name)
    if (
        not parts[0]
        or ".." in parts
        or re.match("[A-Za-z]:", name)
        or any(ord(letter) < 32 for letter in name)
    ):
        return "its name leads out of the archive; it is not read, pack it again with plain names"
    return ""
