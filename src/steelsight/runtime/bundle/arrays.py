"""Arrays of an .npz without trusting it: no pickles, and every size is checked before memory is taken."""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any, Final

import numpy as np

from steelsight.errors import BadBundle, is_out_of_memory

__all__ = ["MAX_ARRAY_BYTES", "read_arrays"]

MAX_ARRAY_BYTES: Final = 2**27  # of one file, unpacked
MOST_ARRAYS: Final = 32
MOST_AXES: Final = 6
_HEADER_BYTES: Final = 4096  # the longest header of an array, as text
_KINDS: Final = "biuf"  # NumPy's letters of booleans, whole numbers and floats


class _WrongArray(ValueError):
    """A member that is no plain array, or not as large as it says."""


def read_arrays(content: bytes, where: str, *, most: int = MAX_ARRAY_BYTES) -> dict[str, np.ndarray]:
    """Arrays of numbers of the bytes of an .npz.

    where   name of the file in messages
    most    bytes of all members, unpacked
    raises  BadBundle; MemoryError where the computer has too little memory
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(archive.infolist(), most)
            return {
                entry.filename.removesuffix(".npy"): _read_member(archive, entry)
                for entry in archive.infolist()
            }
    except Exception as error:  # zipfile, zlib, NumPy's header parser and its tokenizer have no common root
        if is_out_of_memory(error):
            raise
        raise BadBundle(
            f"{where}: expected arrays without objects, got {error or type(error).__name__}; export it again"
        ) from error


def _check_members(members: list[zipfile.ZipInfo], most: int) -> None:
    unpacked = sum(entry.file_size for entry in members)
    if unpacked > most or len(members) > MOST_ARRAYS:
        raise _WrongArray(
            f"{len(members)} arrays of {unpacked} bytes unpacked, more than the {MOST_ARRAYS} arrays and "
            f"{most} bytes allowed"
        )
    names = [entry.filename for entry in members]
    if len(set(names)) != len(names):
        raise _WrongArray("a name twice")


def _read_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise _WrongArray(f"{entry.filename!a:.60}, which is not as large as it says")
    stream = io.BytesIO(content)
    shape, fortran, dtype = _read_header(stream)
    if dtype.kind not in _KINDS or len(shape) > MOST_AXES:
        raise _WrongArray(f"{entry.filename!a:.60} of {dtype!s:.40} with {len(shape)} axes")
    data = memoryview(content)[stream.tell() :]
    if math.prod(shape) * dtype.itemsize != len(data):
        raise _WrongArray(f"{entry.filename!a:.60}, whose shape {shape!s:.60} is not that of its bytes")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C").copy()


def _read_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream, max_header_size=_HEADER_BYTES)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream, max_header_size=_HEADER_BYTES)
    raise _WrongArray(f"an array of version {version}")
