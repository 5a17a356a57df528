"""Label Studio's brush masks: bytes packed by the scheme of thi.ng/rle-pack."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from steelsight.errors import BadAnnotation

__all__ = ["decode_brush"]


class _Bits:
    """Reads whole numbers off a string of bits, most significant first."""

    def __init__(self, content: bytes) -> None:
        self._value = np.unpackbits(np.frombuffer(content, dtype=np.uint8))
        self._at = 0

    def read(self, count: int) -> int:
        bits = self._value[self._at : self._at + count]
        if bits.size < count:
            raise EOFError
        self._at += count
        number = 0
        for bit in bits.tolist():
            number = number * 2 + bit
        return number

    def words(self, count: int, width: int) -> UInt8[np.ndarray, n]:
        """Several numbers of `width` bits, at most 8."""
        bits = self._value[self._at : self._at + count * width]
        if bits.size < count * width:
            raise EOFError
        self._at += count * width
        weights = 1 << np.arange(width - 1, -1, -1)
        words: UInt8[np.ndarray, n] = (bits.reshape(count, width) @ weights).astype(np.uint8)
        return words


def decode_brush(content: bytes, expected: int, *, where: str = "") -> UInt8[np.ndarray, n]:
    """Unpack a brush mask.

    expected how many bytes it has unpacked: four a pixel
    raises   BadAnnotation where it unpacks to another number, or is cut off
    """
    bits = _Bits(content)
    try:
        total = bits.read(32)
        if total != expected:
            raise BadAnnotation(
                f"{where}: a brush mask of {total} bytes, expected {expected} for the image's size"
            )
        width = bits.read(5) + 1
        if width > 8:
            raise BadAnnotation(f"{where}: a brush mask of {width} bits a value, expected at most 8")
        sizes = [bits.read(4) + 1 for _ in range(4)]
        out = np.zeros(total, dtype=np.uint8)
        at = 0
        while at < total:
            repeated = bits.read(1)
            end = at + 1 + bits.read(sizes[bits.read(2)])
            if end > total:
                raise BadAnnotation(f"{where}: a brush mask runs past its end; export it again")
            out[at:end] = bits.read(width) if repeated else bits.words(end - at, width)
            at = end
    except EOFError as error:
        raise BadAnnotation(f"{where}: a brush mask was cut off; export it again") from error
    return out
