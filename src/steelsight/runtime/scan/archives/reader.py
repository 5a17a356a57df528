"""Read single files of tar and zip archives into memory."""

from __future__ import annotations

import bz2
import errno
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from steelsight.errors import BadSource
from steelsight.runtime.engine.reading import ImageRefused, out_of_memory
from steelsight.runtime.scan.archives.guarded_stream import GuardedStream
from steelsight.runtime.scan.archives.members import DAMAGE, Member, first_line, size_of, stamp_of
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.sheets.images.image_file import unreadable
from steelsight.types import Reason

__all__ = ["ArchiveReader"]


class ArchiveReader:
    """Reads members and keeps the last archive open; a compressed tar is fast in its own order only."""

    def __init__(self, open_file: Callable[[str], BinaryIO] | None = None) -> None:
        """Nothing is opened yet.

        open_file  opens an archive by its path in the plan; None = a file of this computer
        """
        self._open_file = open_file or _open_path
        self._path = ""
        self._file: BinaryIO | None = None
        self._stream: GuardedStream | None = None

    def read(self, path: str, member: Member, name: str) -> bytes:
        """The bytes of a member, never more than were listed.

        name    for messages
        raises  ImageRefused for a damaged member, or an archive that was changed since it was listed;
                BadSource where an object store cannot be used at all
        """
        try:
            file = self._open(path)
            _refuse_changed(file, member, name)
            content = (
                self._read_tar(file, member) if member.codec.startswith("tar") else _read_zip(file, member)
            )
            _refuse_changed(file, member, name)
        except (ImageRefused, BadSource):
            self.close()
            raise
        except MemoryError as error:
            self.close()
            raise out_of_memory(name) from error
        except DAMAGE as error:
            self.close()
            if isinstance(error, ObjectFault) and error.errno == errno.ESTALE:
                raise _changed(name) from error
            if isinstance(error, OSError) and error.errno:
                raise ImageRefused(Reason.MISSING, unreadable(Path(path), error)) from error
            words = f"{name}: damaged in its archive ({first_line(error)}); pack it again"
            raise ImageRefused(Reason.DAMAGED, words) from error
        return content

    def close(self) -> None:
        """Close the archive."""
        if self._file is not None:
            self._file.close()
        self._path, self._file, self._stream = "", None, None

    def _open(self, path: str) -> BinaryIO:
        if self._file is None or self._path != path:
            self.close()
            self._file, self._path = self._open_file(path), path
        return self._file

    def _read_tar(self, file: BinaryIO, member: Member) -> bytes:
        if self._stream is None or self._stream.kind != member.codec or self._stream.tell() > member.offset:
            file.seek(0)
            self._stream = GuardedStream(file, member.codec, size_of(file))
        self._stream.seek(member.offset)
        content = self._stream.read_all(member.size)
        if len(content) != member.size:
            raise EOFError(f"{len(content)} of {member.size} bytes")
        return content


def _read_zip(file: BinaryIO, member: Member) -> bytes:
    file.seek(member.offset)
    header = file.read(30)
    if len(header) != 30 or not header.startswith(b"PK\3\4"):
        raise EOFError("no header at its offset in the list of entries")
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


def _refuse_changed(file: BinaryIO, member: Member, name: str) -> None:
    if stamp_of(file) != member.stamp:
        raise _changed(name)


def _changed(name: str) -> ImageRefused:
    return ImageRefused(Reason.CHANGED, f"{name}: its archive was changed since it was listed; scan it again")


def _open_path(path: str) -> BinaryIO:
    return Path(path).open("rb")
