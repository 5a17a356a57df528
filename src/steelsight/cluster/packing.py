"""Packs for Ray what the tasks of a piece of work share, which it stores once, and rows of a plan.

Large arrays lie apart from the rest, so that all tasks of a computer read the same memory. They are read-only
there, as the files of pixels are that they often come from; small arrays are a task's own.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

__all__ = ["Packed", "pack", "pack_rows", "unpack", "unpack_rows"]

_LARGE_BYTES: Final = 2**20
_INLINE_BYTES: Final = 90_000  # Ray sends arguments below 100 kB with the call
_COMPRESSED: Final = pa.ipc.IpcWriteOptions(compression="lz4")
Bytes = UInt8[np.ndarray, " _"]


@dataclass(frozen=True)
class Packed:
    """An object and its large arrays."""

    content: Bytes
    arrays: Sequence[Bytes]


class _Pickler(pickle.Pickler):
    """Writes an array that lies in a file as an array in memory."""

    def reducer_override(self, obj: Any) -> Any:
        """How an object is written; called by pickle."""
        return np.asarray(obj).__reduce_ex__(5) if type(obj) is np.memmap else NotImplemented


def pack(value: Any) -> Packed:
    """Pack an object; raises what pickle does for one that cannot be pickled."""
    arrays: list[Bytes] = []

    def is_small(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _LARGE_BYTES:
            return True
        arrays.append(np.frombuffer(view, dtype=np.uint8))
        return False

    content = io.BytesIO()
    _Pickler(content, protocol=5, buffer_callback=is_small).dump(value)
    return Packed(np.frombuffer(content.getbuffer(), dtype=np.uint8), arrays)


def unpack(packed: Packed) -> Any:
    """The object, whose large arrays are those of `packed`."""
    return pickle.loads(packed.content.data, buffers=packed.arrays)


def pack_rows(table: pa.Table) -> bytes:
    """Rows as bytes of Arrow's stream format: Ray sends bytes as they are, and takes tables apart.

    Rows with long paths are compressed, so that Ray does not put them into its object store.
    """
    sink = pa.BufferOutputStream()
    options = _COMPRESSED if table.nbytes > _INLINE_BYTES else None
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def unpack_rows(content: bytes) -> pa.Table:
    """The rows of `pack_rows`."""
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
