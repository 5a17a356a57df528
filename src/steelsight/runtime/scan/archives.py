"""Tar and zip archives: what images they hold, and the bytes of one. Nothing is unpacked to disk.

A name inside an archive is a label and never becomes a path. Links, devices, locked entries and names that
lead elsewhere are listed with the reason why they are not read.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from steelsight.errors import BadSource
from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.verdict import Reason
from steelsight.sheets.images.image_file import MAX_FILE_BYTES, unreadable

__all__ = ["ArchiveReader", "Entry", "Member", "archive_kind", "iterate_archive"]

MAX_MEMBERS: Final = 1_000_000
MAX_UNPACKED: Final = 2**40  # bytes of one archive
MAX_RATIO: Final = 200  # unpacked to packed, beyond FREE bytes: photographs pack to no less than half
FREE: Final = 2**30
MAX_LONE: Final = 2**26  # bytes: the same ratio, beyond these, of one file in a zip
MAX_HEADER: Final = 2**20  # bytes of one name or attribute in a tar
MAX_DIRECTORY: Final = 2**28  # bytes of a zip's list of entries

_UNPACK: Final[dict[str, Callable[[BinaryIO], Any]]] = {
    "tar.gz": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    "tar.bz2": bz2.BZ2File,
    "tar.xz": lzma.LZMAFile,
}
_PACKING: Final = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated", zipfile.ZIP_BZIP2: "bzip2"}
_NOT_PLAIN: Final = "a link, a device or a file with holes; only plain files are read from archives"
_LOCKED: Final = 1  # bit of a zip entry's flags
# What the readers raise on damaged archives.
_DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    ArithmeticError,
    MemoryError,
    NotImplementedError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, slots=True)
class Member:
    """Where in its archive an image lies."""

    codec: str  # tar, tar.gz, tar.bz2, tar.xz; in a zip: stored, deflated, bzip2
    offset: int  # tar: of its bytes in the unpacked archive; zip: of its header
    size: int  # bytes, unpacked
    packed: int  # bytes in the archive; tar: as size
    crc: int  # zip: of the unpacked bytes; tar: 0
    stamp: str  # the archive's size and time when it was listed


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive."""

    name: str
    member: Member | None  # None: it is not read
    reason: Reason | None = None  # why, and in words
    detail: str = ""


def archive_kind(path: Path) -> str:
    """zip, tar, tar.gz, tar.bz2 or tar.xz by the file's first bytes; "" for anything else."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise BadSource(unreadable(path, error)) from error
    starts = ((b"PK\3\4", "zip"), (b"PK\5\6", "zip"), (b"\x1f\x8b", "tar.gz"), (b"BZh", "tar.bz2"))
    for magic, kind in (*starts, (b"\xfd7zXZ\0", "tar.xz")):
        if start.startswith(magic):
            return kind
    return "tar" if start[257:262] == b"ustar" else ""


def iterate_archive(path: Path, kind: str) -> Iterator[Entry]:
    """The files of an archive, in its own order; folders are passed over.

    An archive that is cut off or damaged gives what can be listed, then an entry without name that says so.
    raises  BadSource where it cannot be opened, or unpacks to more than the limits allow
    """
    count = unpacked = 0
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            listed = _iterate_zip(file) if kind == "zip" else _iterate_tar(file, kind, found.st_size)
            for entry in listed:
                count += 1
                unpacked += 0 if entry.member is None else entry.member.size
                _refuse_bomb(unpacked, found.st_size, count)
                yield entry
    except _Bomb as error:
        raise BadSource(f"{path}: {error}; unpack it yourself if you trust it") from error
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno and not count:
            raise BadSource(unreadable(path, error)) from error
        words = (str(error).splitlines() or [type(error).__name__])[0][:120]
        yield Entry("", None, Reason.DAMAGED, f"damaged or cut off here ({words}); copy the archive again")


class ArchiveReader:
    """Reads members; keeps the last archive open. A compressed tar is cheap to read in its own order only."""

    def __init__(self) -> None:
        self._path = ""
        self._file: BinaryIO | None = None
        self._stream: _Stream | None = None

    def read(self, path: str, member: Member, name: str) -> bytes:
        """The bytes of a member, never more than were listed; raises Refusal."""
        try:
            file = self._open(path)
            _refuse_changed(file, member, name)
            content = (
                self._read_tar(file, member) if member.codec.startswith("tar") else _read_zip(file, member)
            )
            _refuse_changed(file, member, name)
        except ImageRefused:
            self.close()
            raise
        except _DAMAGE as error:
            self.close()
            if isinstance(error, OSError) and error.errno:
                raise ImageRefused(Reason.MISSING, unreadable(Path(path), error)) from error
            words = (str(error).splitlines() or [type(error).__name__])[0][:120]
            raise ImageRefused(
                Reason.DAMAGED, f"{name}: damaged in its archive ({words}); pack it again"
            ) from error
        return content

    def close(self) -> None:
        """Let go of the archive."""
        if self._file is not None:
            self._file.close()
        self._path, self._file, self._stream = "", None, None

    def _open(self, path: str) -> BinaryIO:
        if self._file is None or self._path != path:
            self.close()
            self._file, self._path = Path(path).open("rb"), path  # noqa: SIM115  # see close
        return self._file

    def _read_tar(self, file: BinaryIO, member: Member) -> bytes:
        if self._stream is None or self._stream.kind != member.codec or self._stream.tell() > member.offset:
            file.seek(0)
            self._stream = _Stream(file, member.codec, os.fstat(file.fileno()).st_size)
        self._stream.seek(member.offset)
        content = self._stream.read_all(member.size)
        if len(content) != member.size:
            raise EOFError(f"{len(content)} of {member.size} bytes")
        return content


class _Bomb(Exception):
    """More than an archive may hold."""


class _Stream:
    """An archive's bytes, unpacked, with limits on what is really seen; compressed, it seeks forward only."""

    def __init__(self, file: BinaryIO, kind: str, packed: int) -> None:
        self.kind = kind
        self._plain = kind not in _UNPACK
        self._file: BinaryIO = file if self._plain else _UNPACK[kind](file)
        self._packed = packed

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int) -> int:
        if self._plain:
            return self._file.seek(position)
        while (left := position - self._file.tell()) > 0:
            if not self._file.read(min(left, MAX_HEADER)):
                break
            self._guard()
        return self._file.tell()

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER:  # tarfile reads names and attributes whole
            raise _Bomb(f"a header of {size} bytes, more than the {MAX_HEADER} allowed")
        content = self._file.read(size)
        self._guard()
        return content

    def read_all(self, size: int) -> bytes:
        return self._file.read(size)

    def _guard(self) -> None:
        if not self._plain:
            _refuse_bomb(self._file.tell(), self._packed)


class _Header(tarfile.TarInfo):
    """tarfile ends quietly at a header it cannot read; here that is damage."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Header:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":  # two blocks of zeros: the end mark
                raise
            words = "no end mark" if type(error).__name__ == "EmptyHeaderError" else str(error)
            raise tarfile.ReadError(words) from error


def _iterate_tar(file: BinaryIO, kind: str, packed: int) -> Iterator[Entry]:
    stamp = _stamp(file)
    stream = _Stream(file, kind, packed)
    with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:", tarinfo=_Header) as archive:
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # it would keep every header
            if info.isdir():
                continue
            member = Member(kind, info.offset_data, info.size, info.size, 0, stamp)
            yield _entry(info.name, member, "" if info.isreg() and not info.issparse() else _NOT_PLAIN)


def _iterate_zip(file: BinaryIO) -> Iterator[Entry]:
    stamp = _stamp(file)
    _refuse_directory(file)
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            codec = _PACKING.get(info.compress_type, "")
            member = Member(codec, info.header_offset, info.file_size, info.compress_size, info.CRC, stamp)
            yield _entry(info.filename, member, _refuse_packing(info))


def _refuse_packing(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return _NOT_PLAIN
    if info.flag_bits & _LOCKED:
        return "locked with a password; pack it again without"
    if info.compress_type not in _PACKING:
        return f"packed by method {info.compress_type}; pack it again, stored or deflated"
    return ""


def _refuse_directory(file: BinaryIO) -> None:
    """zipfile reads the list of entries whole: weigh it first, by the record at the archive's end."""
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - 2**16 - 22))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + 22 > len(tail):
        raise zipfile.BadZipFile("no end record")
    size = struct.unpack_from("<L", tail, at + 12)[0]
    if size == 2**32 - 1 and at >= 20 and tail.startswith(b"PK\6\7", at - 20):
        file.seek(struct.unpack_from("<Q", tail, at - 12)[0])
        size = struct.unpack_from("<Q", file.read(56).ljust(56, b"\0"), 40)[0]
    if size > MAX_DIRECTORY:
        raise _Bomb(f"a list of entries of {size} bytes, more than the {MAX_DIRECTORY} allowed")
    file.seek(0)


def _read_zip(file: BinaryIO, member: Member) -> bytes:
    file.seek(member.offset)
    header = file.read(30)
    if len(header) != 30 or not header.startswith(b"PK\3\4"):
        raise EOFError("no header where the list of entries says")
    name, extra = struct.unpack_from("<HH", header, 26)
    file.seek(name + extra, os.SEEK_CUR)
    packed = file.read(member.packed)
    if member.codec == "deflated":
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size + 1)
    elif member.codec == "bzip2":
        content = bz2.BZ2Decompressor().decompress(packed, member.size + 1)
    else:
        content = packed
    if len(content) != member.size or zlib.crc32(content) != member.crc:
        raise EOFError("not the bytes its checksum was made of")
    return content


def _entry(name: str, member: Member, refused: str) -> Entry:
    """An entry that is read, or one with the reason why not."""
    if refused := _leads_out(name) or refused:
        return Entry(name, None, Reason.UNSAFE, refused)
    if max(member.size, member.packed) > MAX_FILE_BYTES:
        words = f"{member.size} bytes, more than {MAX_FILE_BYTES}; is it one image?"
        return Entry(name, None, Reason.TOO_LARGE, words)
    if member.size > max(MAX_LONE, MAX_RATIO * member.packed):
        words = f"{member.packed} bytes that unpack to {member.size}; no photograph does"
        return Entry(name, None, Reason.TOO_LARGE, words)
    return Entry(name, member)


def _leads_out(name: str) -> str:
    """Why a name is no label of a file below the archive's root; "" where it is one."""
    parts = re.split(r"[/\\]", name)
    if (
        not parts[0]
        or ".." in parts
        or re.match("[A-Za-z]:", name)
        or any(ord(letter) < 32 for letter in name)
    ):
        return "its name leads out of the archive; it is not read, pack it again with plain names"
    return ""


def _refuse_bomb(unpacked: int, packed: int, members: int = 0) -> None:
    if members > MAX_MEMBERS:
        raise _Bomb(f"more than the {MAX_MEMBERS} files allowed in one archive")
    if unpacked > MAX_UNPACKED or unpacked > max(FREE, MAX_RATIO * packed):
        raise _Bomb(
            f"{packed} bytes that unpack to {unpacked} and more; "
            f"allowed are {MAX_RATIO} times its size and {MAX_UNPACKED} in all"
        )


def _stamp(file: BinaryIO) -> str:
    found = os.fstat(file.fileno())
    return f"{found.st_size}:{found.st_mtime_ns}"


def _refuse_changed(file: BinaryIO, member: Member, name: str) -> None:
    if _stamp(file) != member.stamp:
        raise ImageRefused(
            Reason.CHANGED, f"{name}: its archive was changed since it was listed; scan it again"
        )
