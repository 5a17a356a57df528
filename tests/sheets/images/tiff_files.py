"""Writes small uncompressed TIFF and BigTIFF files of any layout, from the specification alone."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np


def tiff_bytes(
    samples: np.ndarray | bytes,
    *,
    width: int,
    height: int,
    bits: Sequence[int],
    photometric: int | None = 1,
    order: str = "<",
    big: bool = False,
    tags: Mapping[int, int] | None = None,
) -> bytes:
    """One image in one strip.

    samples  rows as the file stores them; an array is written in the file's byte order
    bits     BitsPerSample, one a channel
    tags     further SHORT tags by number
    """
    body = samples
    if isinstance(samples, np.ndarray):
        body = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    word, count, head = ("Q", "Q", 16) if big else ("I", "H", 8)
    entries: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: tuple(bits),
        259: (1,),
        273: (head,),
        277: (len(bits),),
        278: (height,),
        279: (len(body),),
        **{tag: (value,) for tag, value in (tags or {}).items()},
    }
    if photometric is not None:
        entries[262] = (photometric,)
    start = head + len(body)
    end = (
        start
        + struct.calcsize(f"={count}")
        + len(entries) * (20 if big else 12)
        + struct.calcsize(f"={word}")
    )
    directory, apart = struct.pack(f"{order}{count}", len(entries)), b""
    for tag in sorted(entries):
        values = entries[tag]
        code, kind = ("I", 4) if tag in {273, 279} else ("H", 3)
        value = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(value) > struct.calcsize(f"={word}"):
            value, apart = struct.pack(f"{order}{word}", end + len(apart)), apart + value
        directory += struct.pack(f"{order}HH{word}", tag, kind, len(values))
        directory += value.ljust(struct.calcsize(f"={word}"), b"\0")
    magic = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    magic += struct.pack(f"{order}HHQ", 8, 0, start) if big else struct.pack(f"{order}I", start)
    return magic + body + directory + struct.pack(f"{order}{word}", 0) + apart


def packed_12(values: np.ndarray) -> bytes:
    """12-bit samples, two in three bytes, each row padded to whole bytes."""
    rows = []
    for row in values.tolist():
        text = "".join(f"{value:012b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8)))
    return b"".join(rows)
