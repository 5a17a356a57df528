"""A tar stream as a source, such as standard input: `camera-driver | steelsight line BUNDLE - …`."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from steelsight.errors import BadInput, BadSource
from steelsight.ledger.chain.event_names import UNREADABLE
from steelsight.names import shown_name
from steelsight.runtime.scan.archives.guarded_stream import MAX_HEADER, ArchiveBomb
from steelsight.runtime.scan.archives.members import DAMAGE
from steelsight.runtime.scan.archives.tar_headers import NoEndMark, TarMember, iterate_headers
from steelsight.service.station.places import NamePattern
from steelsight.service.station.source import Arrival, Place, Refusal, SourceNotice, bounded_us, item_name
from steelsight.sheets.images.image_file import MAX_FILE_BYTES
from steelsight.types import Reason

__all__ = ["ByteReader", "TarSource"]

BLOCK: Final = 2**16  # bytes read at once while something is passed over
LONGEST_MAGIC: Final = 6  # bytes by which a compression is recognised


@runtime_checkable
class ByteReader(Protocol):
    """Standard input, a socket's file, a pipe."""

    def read(self, size: int, /) -> bytes:
        """Some bytes, at most `size`; empty at the end."""
        ...


class TarSource:
    """Sheets from a tar stream that is read once, in its order.

    An item is the entry's name and its number in the stream. Headers are bounded in number and length; a file
    of more bytes than an image may have is passed over and judged as too large.
    """

    def __init__(
        self,
        stream: ByteReader,
        name: str = "stdin",
        *,
        pattern: NamePattern | None = None,
    ) -> None:
        self._stream = stream
        self._name = name
        self._pattern = pattern

    def __iter__(self) -> Iterator[Arrival | SourceNotice | None]:
        try:
            forward = _Forward(_unpacked(self._stream))
            for number, entry in enumerate(_entries(forward)):
                if not entry.is_folder:
                    yield self._take(forward, entry, number)
        except BadInput:
            raise
        except (*DAMAGE, ArchiveBomb, RecursionError) as error:
            raise BadSource(f"{self._name}: expected a tar stream of images, got {error}") from error

    def _take(self, forward: _Forward, entry: TarMember, number: int) -> Arrival | SourceNotice:
        name = shown_name(entry.name)
        if not entry.is_plain:
            reason = "a file with holes, a link or a device; only plain files are read from a stream"
            return SourceNotice(UNREADABLE, item_name(f"{entry.name}#{number}"), reason)
        refused = None
        if entry.size > MAX_FILE_BYTES:
            words = f"{name}: {entry.size} bytes, more than {MAX_FILE_BYTES}; is it one image?"
            refused = Refusal(Reason.TOO_LARGE, words)
        content = b"" if refused else forward.read_all(entry.offset, entry.size)
        captured = _captured_us(entry.changed_s)
        return Arrival(
            item_name(f"{entry.name}#{number}"), content, captured, self._place(name), refused=refused
        )

    def _place(self, name: str) -> Place:
        try:
            return (self._pattern.read(name) if self._pattern else None) or Place()
        except BadInput:  # such as a position that no number can hold
            return Place()

    def written(self, items: Sequence[str]) -> None:
        """Nothing to do: a stream cannot be read again."""


class _Forward:
    """A stream that is read forward only, by position."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._position = 0

    def seek(self, position: int) -> int:
        """Pass over what lies before a position; the end of the stream ends it."""
        while self._position < position:
            if not self._read(min(position - self._position, BLOCK)):
                break
        return self._position

    def read(self, size: int) -> bytes:
        """Read a header, at most MAX_HEADER bytes; raises ArchiveBomb."""
        if size > MAX_HEADER:
            raise ArchiveBomb(f"a header of {size} bytes, more than the {MAX_HEADER} allowed")
        return self._read(size)

    def read_all(self, position: int, size: int) -> bytes:
        """The bytes of a file; raises EOFError where the stream ends before."""
        self.seek(position)
        content = self._read(size)
        if len(content) < size:
            raise EOFError(f"the stream ended after {len(content)} of {size} bytes of a file")
        return content

    def _read(self, size: int) -> bytes:
        """Bytes until there are enough or the stream ends: a pipe gives what it has."""
        parts = []
        while size and (part := self._stream.read(size)):
            parts.append(part)
            size -= len(part)
            self._position += len(part)
        return b"".join(parts)


def _entries(forward: _Forward) -> Iterator[TarMember]:
    """The entries of a stream; one that ends between two of them has ended, with or without an end mark."""
    found = 0
    try:
        for entry in iterate_headers(forward):
            found += 1
            yield entry
    except NoEndMark:
        if not found:
            raise


def _unpacked(stream: ByteReader) -> io.BufferedIOBase:
    """The stream without its compression, which its first bytes tell."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(_Raw(stream))
    start = buffered.peek(LONGEST_MAGIC)[:LONGEST_MAGIC]
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=buffered, mode="rb")
    if start.startswith(b"BZh"):
        return bz2.BZ2File(buffered)
    return lzma.LZMAFile(buffered) if start.startswith(b"\xfd7zXZ\0") else buffered


class _Raw(io.RawIOBase):
    """Any object with `read` as a raw stream."""

    def __init__(self, stream: ByteReader) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as one read does."""
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _captured_us(seconds: float) -> int:
    """The time in an entry's header; headers may hold any number."""
    return bounded_us(int(seconds * 1_000_000)) if math.isfinite(seconds * 1_000_000) else 0
