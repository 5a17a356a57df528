"""Marks of the sheets a bundle's network was trained on, by which an adaptation knows them again.

A mark is a hash of the pixels at the bundle's input: it finds equal pictures, not near-duplicates or other
sheets of a coil.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from jaxtyping import UInt8

from steelsight.errors import BadBundle
from steelsight.files import pack_arrays
from steelsight.runtime.bundle.arrays import read_arrays
from steelsight.runtime.bundle.open import Bundle
from steelsight.types import GrayBatch

__all__ = ["SEEN_FILE", "pack_marks", "picture_marks", "read_marks"]

SEEN_FILE: Final = "seen.npz"  # optional: `marks` (n, 8) uint8, of training and validation sheets
MARK_BYTES: Final = 8


def picture_marks(images: GrayBatch) -> list[str]:
    """A short hash of each picture, 16 hexadecimal digits."""
    return [hashlib.blake2b(image.tobytes(), digest_size=MARK_BYTES).hexdigest() for image in images]


def pack_marks(images: GrayBatch) -> bytes:
    """The bytes of seen.npz; sorted, so that the order of the sheets is not told."""
    marks = sorted(bytes.fromhex(mark) for mark in picture_marks(images))
    table: UInt8[np.ndarray, "n b"] = np.frombuffer(b"".join(marks), dtype=np.uint8).reshape(-1, MARK_BYTES)
    return pack_arrays({"marks": table})


def read_marks(bundle: Bundle) -> frozenset[str] | None:
    """Marks of the sheets the network was trained on; None = the bundle has none, as older ones.

    raises  BadBundle for an array of another form
    """
    if SEEN_FILE not in bundle.files:
        return None
    where = str(bundle.folder / SEEN_FILE)
    marks = read_arrays(bundle.files[SEEN_FILE], where).get("marks")
    if marks is None or marks.dtype != np.uint8 or marks.ndim != 2 or marks.shape[1] != MARK_BYTES:
        raise BadBundle(f"{where}: marks: expected uint8 of shape (n, {MARK_BYTES}); export it again")
    return frozenset(row.tobytes().hex() for row in marks)
