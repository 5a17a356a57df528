"""One file of decoded sheets, mapped into memory: header, all pixels, the content hash of each row.

    4096 bytes   JSON: format, shape, checksum of the rest, padded with spaces
    n·h·w bytes  uint8, row by row
    n·16 bytes   hash of the image file each row was decoded from

A file appears under its name only when complete. It is checked in full when it is opened, about a second a
gigabyte; a damaged one counts as absent.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import numpy as np

from steelsight.errors import BadData
from steelsight.reading import open_regular, parse_json
from steelsight.types import GrayBatch, GrayImage

__all__ = ["PixelFile", "PixelWriter", "open_pixels"]

_FORMAT: Final = "steelsight-pixels/1"
_HEADER_BYTES: Final = 4096  # one page, so that the pixels are mapped aligned
_HASH_BYTES: Final = 16
_CHUNK_BYTES: Final = 2**24
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PixelFile:
    """A complete, checked file of decoded sheets."""

    path: Path
    images: GrayBatch  # read-only, mapped
    hashes: tuple[str, ...]  # of the image file behind each row

    def holds(self, hashes: tuple[str, ...], size: tuple[int, int]) -> bool:
        """Whether its rows are of these image files in this order, at this (height, width)."""
        return self.hashes == hashes and self.images.shape[1:] == size


def open_pixels(path: Path) -> PixelFile | None:
    """Map a pixel file; None when it is absent, or damaged, which is logged."""
    try:
        with open_regular(path) as file:
            shape = _checked_shape(file)
            file.seek(-shape[0] * _HASH_BYTES, os.SEEK_END)
            tail = file.read()
        images = np.memmap(path, dtype=np.uint8, mode="r", offset=_HEADER_BYTES, shape=shape)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        _log.warning("%s: damaged cache (%s); decoding the images again", path, error)
        return None
    starts = range(0, len(tail), _HASH_BYTES)
    return PixelFile(path, images, tuple(tail[start : start + _HASH_BYTES].hex() for start in starts))


def _checked_shape(file: BinaryIO) -> tuple[int, int, int]:
    """The shape in the header; raises ValueError, TypeError or KeyError unless the file agrees with it."""
    header = parse_json(file.read(_HEADER_BYTES))
    count, height, width = header["shape"]
    expected = _HEADER_BYTES + count * (height * width + _HASH_BYTES)
    found = os.fstat(file.fileno()).st_size
    if header["format"] != _FORMAT or found != expected:
        raise ValueError(f"{found} bytes, expected {expected}")
    checksum = 0
    while chunk := file.read(_CHUNK_BYTES):
        checksum = zlib.crc32(chunk, checksum)
    if checksum != header["checksum"]:
        raise ValueError("the checksum does not match")
    return count, height, width


class PixelWriter:
    """Writes a pixel file row by row; leaving the `with` without `finish` leaves nothing behind.

    Rows are written, not assigned through a map: a full disk must raise an error, not kill the process.
    """

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        """Begin a file of sheets of `size` (height, width) in `folder`."""
        self._folder, self._size = folder, size
        self._hashes: list[bytes] = []
        self._checksum = 0
        self._path: Path | None = None

    def __enter__(self) -> PixelWriter:
        """Open a temporary file in the folder."""
        try:
            handle, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)
            self._path = Path(name)
            self._file = os.fdopen(handle, "wb", buffering=2**20)
            self._file.seek(_HEADER_BYTES)  # the header comes last, with the number of rows and the checksum
        except OSError as error:
            raise self._cannot_write(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the temporary file unless it was finished."""
        with suppress(OSError):  # closing flushes, which fails again on a full disk
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def add(self, image: GrayImage, content: str) -> None:
        """Append one sheet, with the hash of the file it came from."""
        self._write(np.ascontiguousarray(image).tobytes())
        self._hashes.append(bytes.fromhex(content))

    def finish(self, name: str) -> Path:
        """Complete the file and give it its name; a file of that name is replaced in one step."""
        self._write(b"".join(self._hashes))
        header: dict[str, Any] = {
            "format": _FORMAT,
            "shape": [len(self._hashes), *self._size],
            "checksum": self._checksum,
        }
        target = self._folder / name
        try:
            self._file.seek(0)
            self._file.write(json.dumps(header).encode().ljust(_HEADER_BYTES))
            self._file.close()
            if self._path is not None:
                self._path.replace(target)
        except OSError as error:
            raise self._cannot_write(error) from error
        self._path = None
        return target

    def _write(self, content: bytes) -> None:
        try:
            self._file.write(content)
        except OSError as error:
            raise self._cannot_write(error) from error
        self._checksum = zlib.crc32(content, self._checksum)

    def _cannot_write(self, error: OSError) -> BadData:
        return BadData(
            f"{self._folder}: cannot write the cache ({error.strerror}); free space or set STEELSIGHT_CACHE"
        )
