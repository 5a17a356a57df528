"""Walk the headers of a tar: which files it holds and where their bytes are.

The standard library's reader follows a chain of headers by recursion, keeps maps of sparse files, and
searches headers by patterns that take quadratic time. Here every header is read once, by position, and the
number and length of headers and the sizes they state are bounded. Understood are V7, ustar, GNU and pax.
"""

from __future__ import annotations

import math
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from steelsight.runtime.scan.archives.guarded_stream import MAX_UNPACKED

__all__ = ["MAX_CHAIN", "HeaderStream", "NoEndMark", "TarMember", "iterate_headers"]

MAX_CHAIN: Final = 16  # headers before one file: a long name, a long link, attributes of it and of all
MAX_HOLES: Final = 2**16  # blocks that list the holes of one sparse file
BLOCK: Final = 512
_PLAIN: Final = (b"0", b"\0", b"7")
_FOLDER, _SPARSE = b"5", b"S"
_WITHOUT_DATA: Final = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, pipes


class NoEndMark(tarfile.ReadError):
    """A tar ends between two files: without its end mark it may have been cut off there."""


@runtime_checkable
class HeaderStream(Protocol):
    """The unpacked bytes of a tar; positions only grow."""

    def seek(self, position: int) -> int:
        """Move forward to a position."""
        ...

    def read(self, size: int) -> bytes:
        """Read a header; refuses one that is too long."""
        ...


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file, folder or link of a tar."""

    name: str
    offset: int  # of its bytes in the unpacked archive
    size: int  # bytes
    is_folder: bool
    is_plain: bool  # a file without holes
    changed_s: float  # its time, seconds since 1970 as its headers state; NaN where they state no number


@dataclass
class _Walk:
    """The position, and what earlier headers say of the next file."""

    stream: HeaderStream
    position: int = 0
    chain: int = 0
    of_all: dict[str, str] = field(default_factory=dict)  # attributes of every following file
    of_next: dict[str, str] = field(default_factory=dict)

    def read(self, size: int) -> bytes:
        """The next bytes; raises tarfile.ReadError where the archive ends before."""
        self.stream.seek(self.position)
        content = self.stream.read(size)
        if len(content) < size:
            raise tarfile.ReadError("truncated header") if content else NoEndMark("no end mark")
        self.position += size
        return content


def iterate_headers(stream: HeaderStream) -> Iterator[TarMember]:
    """The members of a tar in its order, up to its end mark.

    raises  tarfile.ReadError for a header that cannot be read and where the end mark is missing; ArchiveBomb
    """
    walk = _Walk(stream)
    while True:
        header = walk.read(BLOCK)
        if header.count(0) == BLOCK:
            return
        _refuse_checksum(header)
        kind, size = header[156:157], _number(header[124:136])
        if kind in (b"L", b"K", b"x", b"X", b"g"):
            _read_attributes(walk, kind, size)
        else:
            yield _member(walk, header, kind, size)


def _read_attributes(walk: _Walk, kind: bytes, size: int) -> None:
    """Keep what a header says of the file that follows; the outermost of several headers holds."""
    walk.chain += 1
    if walk.chain > MAX_CHAIN:
        raise tarfile.ReadError(f"more than {MAX_CHAIN} headers before one file")
    content = walk.read(_blocks(size))[:size]
    if kind == b"L":
        walk.of_next.setdefault("path", _text(content))
    elif kind == b"g":
        walk.of_all.update(_attributes(content))
    elif kind != b"K":
        for key, value in _attributes(content).items():
            walk.of_next.setdefault(key, value)


def _member(walk: _Walk, header: bytes, kind: bytes, size: int) -> TarMember:
    said = {**walk.of_all, **walk.of_next}
    walk.chain, walk.of_next = 0, {}
    prefix, name = _text(header[345:500]), _text(header[:100])
    if prefix and kind != _SPARSE:
        name = f"{prefix}/{name}"
    name = said.get("path", name)
    size = _stated_size(said["size"]) if "size" in said else size
    is_folder = kind == _FOLDER or (kind == b"\0" and name.endswith("/"))
    if kind == _SPARSE:
        _skip_holes(walk, header)
    offset = walk.position
    if kind not in _WITHOUT_DATA and not is_folder:
        walk.position += _blocks(size)
    plain = kind in _PLAIN and "holes" not in said
    changed = _seconds(header[136:148], said.get("mtime"))
    return TarMember(name.rstrip("/") if is_folder else name, offset, size, is_folder, plain, changed)


def _seconds(content: bytes, stated: str | None) -> float:
    """A time; what cannot be read is no reason to refuse the file."""
    try:
        return float(stated) if stated is not None else float(_number(content, least=None))
    except (ValueError, OverflowError, tarfile.ReadError):
        return math.nan


def _skip_holes(walk: _Walk, header: bytes) -> None:
    more = header[482]
    for _ in range(MAX_HOLES):
        if not more:
            return
        more = walk.read(BLOCK)[504]
    raise tarfile.ReadError("a sparse file of too many holes")


def _attributes(content: bytes) -> dict[str, str]:
    """The records `LENGTH key=value\\n` of a pax header that say where a file is and of when."""
    found, at = {}, 0
    while at < len(content) and content[at]:
        digits, space, _ = content[at : at + 12].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = content[at + len(digits) + 1 : at + length]
        key, equals, value = record[:-1].partition(b"=")
        if at + length > len(content) or not equals or not record.endswith(b"\n"):
            raise tarfile.ReadError("invalid header")
        if key in (b"path", b"size", b"mtime"):
            found[key.decode()] = value.decode("utf-8", "surrogateescape")
        elif key.startswith(b"GNU.sparse."):
            found["holes"] = ""
            if key == b"GNU.sparse.name":
                found["path"] = value.decode("utf-8", "surrogateescape")
        at += length
    return found


def _refuse_checksum(header: bytes) -> None:
    rest = header[:148] + header[156:]
    unsigned = 256 + sum(rest)
    signed = unsigned - 256 * sum(byte > 127 for byte in rest)
    if _number(header[148:156], least=None) not in (unsigned, signed):
        raise tarfile.ReadError("bad checksum")


def _number(content: bytes, *, least: int | None = 0) -> int:
    """A number as octal digits, or in base 256 for large ones."""
    if content[0] in (0o200, 0o377):
        value = int.from_bytes(content[1:], "big") - (256 ** (len(content) - 1) if content[0] & 1 else 0)
    else:
        digits = content.partition(b"\0")[0].strip()
        try:
            value = int(digits or b"0", 8)
        except ValueError as error:
            raise tarfile.ReadError("invalid header") from error
    if least is not None:
        _refuse_size(value)
    return value


def _stated_size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise tarfile.ReadError("invalid header")
    _refuse_size(int(text))
    return int(text)


def _refuse_size(size: int) -> None:
    if not 0 <= size <= MAX_UNPACKED:
        raise tarfile.ReadError(f"a file of {size} bytes, expected 0 to {MAX_UNPACKED}")


def _text(content: bytes) -> str:
    return content.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
