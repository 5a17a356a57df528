"""Which stored value of an image file is white: its full scale.

8-bit files and smaller ones state it by their format. Of 16-bit files it is taken from the header where that
states fewer bits, else from the caller (`--bits`), else it is 65535 where an image uses more than a quarter
of it. An image of which it is not known is refused: one rule for all files of a folder, never a scale of an
image's own, which would hide exposure.

The caller's bits are part of the decoder's identity (`InputSpec.bits`), so that card, cache and plant agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from steelsight.errors import BadImage
from steelsight.sheets.images.tiff_header import TiffFacts
from steelsight.types import GrayImage

__all__ = [
    "FULL",
    "StatedRange",
    "jpeg2000_range",
    "pgm_range",
    "png_range",
    "scale_to_bytes",
    "tiff_range",
]

FULL: Final = 65535
DARK: Final = FULL // 4  # 14 bits; an image that stays below may be of a camera of fewer bits


@dataclass(frozen=True)
class StatedRange:
    """What a file's header says of its values."""

    full: int | None = None  # the value of white; None = a 16-bit file that does not say
    significant: int | None = None  # bits that PNG's sBIT calls significant
    inverted: bool = False  # 0 is white; decoded values are as stored
    wide_colour: bool = False  # 16 bits a channel, of which the decoder keeps the upper 8
    unstated: bool = False  # of more than 16 bits or signed, so that no full scale can be assumed


def png_range(content: bytes) -> StatedRange:
    """Bit depth and colour type of a PNG, and its sBIT chunk."""
    significant = None
    at = 8
    while at + 8 <= len(content) and content[at + 4 : at + 8] not in {b"IDAT", b"IEND"}:
        length = int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] == b"sBIT" and length:
            significant = content[at + 8]
        at += 12 + length
    wide = content[24:25] == b"\x10"
    gray = content[25:26] == b"\0"
    return StatedRange(significant=significant if gray else None, wide_colour=wide and not gray)


def tiff_range(facts: TiffFacts) -> StatedRange:
    """BitsPerSample, MaxSampleValue and PhotometricInterpretation of a TIFF."""
    bits = facts.stated_bits
    return StatedRange(
        full=None if bits is None else 2**bits - 1,
        inverted=facts.photometric == 0 and facts.bits[0] > 8,
        wide_colour=len(facts.bits) > 1 and max(facts.bits) > 8,
        unstated=facts.sample_format == 2 or max(facts.bits) > 16,
    )


def pgm_range(content: bytes) -> StatedRange:
    """The greatest value that a PGM or PPM header states; 65535 says no more than 16 bits do."""
    header = re.match(rb"P[2356](?:\s|#[^\n]*\n)+(?:\d+(?:\s|#[^\n]*\n)+){2}(\d+)", content[:4096])
    wide = header is None or int(header[1]) == FULL
    if not wide:
        return StatedRange(full=FULL)  # the decoder scales to it
    return StatedRange(wide_colour=content[:2] in {b"P3", b"P6"})


def jpeg2000_range(content: bytes) -> StatedRange:
    """Precision of the first component, by the SIZ marker; the decoder shifts it to 16 bits."""
    at = content.find(b"\xff\x4f\xff\x51")
    depth = content[at + 42 : at + 43]
    parts = int.from_bytes(content[at + 40 : at + 42], "big")
    if at < 0 or not depth:
        return StatedRange()
    bits = (depth[0] & 0x7F) + 1
    if 8 < bits < 16:
        return StatedRange(full=(2**bits - 1) << (16 - bits))
    return StatedRange(wide_colour=bits >= 16 and parts > 1)


def scale_to_bytes(wide: np.ndarray, stated: StatedRange, bits: int | None, name: str) -> GrayImage:
    """Whole-number gray as 8 bits, halves up.

    wide    (h, w) uint16
    stated  what the file's header says; it goes before `bits`
    raises  BadImage where white is not known, or values lie above it
    """
    full = stated.full or _significant_full(wide, stated.significant)
    if full is None and bits is not None:
        full = 2**bits - 1
    largest = int(wide.max())
    if full is None and stated.unstated:
        raise BadImage(
            f"{name}: signed or 32-bit values up to {largest}, whose full scale the file does not state; "
            "state it with --bits, or save it as 8- or 16-bit gray"
        )
    if full is None and 0 < largest <= DARK:
        raise BadImage(f"{name}: {_unknown_range(largest)}")
    full = full or FULL
    if largest > full:
        raise BadImage(
            f"{name}: expected values up to {full} ({full.bit_length()} bits), found {largest}; "
            "state the bits of the camera with --bits"
        )
    upright = full - wide.astype(np.int64) if stated.inverted else wide.astype(np.int64)
    return ((upright * 510 + full) // (2 * full)).astype(np.uint8)


def _unknown_range(largest: int) -> str:
    """The reason and the remedy for a 16-bit image that stays dark."""
    bits = next(bits for bits in (8, 10, 12, 14) if largest < 2**bits)
    return (
        f"16-bit file whose largest value is {largest} of {FULL}: a camera of {bits} bits or a dark image, "
        f"its header does not say; state it for all 16-bit files with --bits {bits} (or --bits 16 for the "
        "full scale) when the data are described or trained on, a model keeps it"
    )


def _significant_full(wide: np.ndarray, significant: int | None) -> int | None:
    """White of a PNG with an sBIT chunk.

    By its standard the samples fill all 16 bits. Files whose values cannot have been scaled so, and fit into
    the significant bits, hold them unscaled.
    """
    if significant is None or not 8 <= significant < 16:
        return None
    if int(wide.max()) >= 2**significant:
        return FULL
    lower = 16 - significant
    upper = wide.astype(np.int64) >> lower
    shifted = upper << lower
    repeated = shifted | (upper >> max(0, significant - lower))
    scaled = (upper * 2 * FULL + 2**significant - 1) // (2 * (2**significant - 1))
    standard = (wide == shifted) | (wide == repeated) | (wide == scaled)
    return FULL if standard.all() else 2**significant - 1
