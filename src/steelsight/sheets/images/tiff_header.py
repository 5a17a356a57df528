"""What the first directory of a TIFF file says of its pixels, read apart from the decoder.

A decoder answers every layout it does not know with the same words. This file names what is wrong: floating
point, signed or 10-bit samples, a raw sensor image, an unknown compression.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from PIL import TiffImagePlugin

from steelsight.errors import BadImage

__all__ = ["TiffFacts", "as_black_is_zero", "explain_layout", "read_tiff_facts", "refuse_layout"]

_BITS, _COMPRESSION, _PHOTOMETRIC, _MAXIMUM, _FORMAT = 258, 259, 262, 281, 339
_CODES: Final = {1: "B", 3: "H", 4: "I", 16: "Q"}  # field types of whole numbers
_FLOAT, _SIGNED = 3, 2  # of SampleFormat
_SHOWN: Final = frozenset({0, 1, 2, 3, 5, 6})  # PhotometricInterpretation: gray, RGB, palette, CMYK, YCbCr
_NAMES: Final = {4: "a transparency mask", 8: "CIE L*a*b*", 9: "ICC L*a*b*", 32803: "a raw sensor image"}
_MOST_ENTRIES: Final = 4096


@dataclass(frozen=True)
class TiffFacts:
    """The tags that decide how samples become gray."""

    bits: tuple[int, ...]  # BitsPerSample, one a channel
    compression: int
    photometric: int | None  # None = the tag is missing
    sample_format: int  # 1 unsigned, 2 signed, 3 floating point
    maximum: int | None  # MaxSampleValue
    photometric_at: int  # place of the tag's value in the file
    order: str  # "<" or ">"
    big: bool  # BigTIFF

    @property
    def is_gray(self) -> bool:
        """One channel of brightness, where 0 is black or white."""
        return len(self.bits) == 1 and self.photometric in {0, 1, None}

    @property
    def stated_bits(self) -> int | None:
        """Bits of the values where the header states fewer than 16, from 9 on; else None."""
        if len(self.bits) != 1:
            return None
        if 8 < self.bits[0] < 16:
            return self.bits[0]
        maximum = self.maximum or 0
        is_full_scale = maximum & (maximum + 1) == 0  # 2**n - 1; any other is a statistic of the image
        return (
            maximum.bit_length() if self.bits[0] == 16 and is_full_scale and 255 < maximum < 65535 else None
        )


def read_tiff_facts(content: bytes) -> TiffFacts | None:
    """The facts of a TIFF or BigTIFF file; None where its first directory cannot be read."""
    try:
        order, tags, places = _directory(content)
    except (struct.error, KeyError, IndexError):
        return None
    return TiffFacts(
        bits=tags.get(_BITS, (1,)),
        compression=tags.get(_COMPRESSION, (1,))[0],
        photometric=tags[_PHOTOMETRIC][0] if _PHOTOMETRIC in tags else None,
        sample_format=tags.get(_FORMAT, (1,))[0],
        maximum=max(tags[_MAXIMUM]) if _MAXIMUM in tags else None,
        photometric_at=places.get(_PHOTOMETRIC, 0),
        order=order,
        big=content[2:4] in {b"+\0", b"\0+"},
    )


def as_black_is_zero(content: bytes, facts: TiffFacts) -> bytes:
    """The file with its PhotometricInterpretation changed from WhiteIsZero to BlackIsZero."""
    at = facts.photometric_at
    return content[:at] + struct.pack(f"{facts.order}H", 1) + content[at + 2 :]


def refuse_layout(facts: TiffFacts, name: str) -> None:
    """Raise BadImage where samples of this layout are never read, naming the tag that says so."""
    bits = max(facts.bits)
    if facts.big and facts.order == ">":
        raise BadImage(f"{name}: BigTIFF in big-endian byte order is not read; save it as TIFF")
    if facts.compression not in TiffImagePlugin.COMPRESSION_INFO:
        raise BadImage(
            f"{name}: TIFF compression {facts.compression} is not read; "
            "save it uncompressed, with LZW or Deflate"
        )
    if facts.photometric is None and facts.is_gray:
        raise BadImage(
            f"{name}: the TIFF tag PhotometricInterpretation is missing, so 0 may be black or white; "
            "save it again with the tag"
        )
    if facts.photometric is not None and facts.photometric not in _SHOWN:
        what = _NAMES.get(facts.photometric, "an unknown colour space")
        raise BadImage(
            f"{name}: TIFF of PhotometricInterpretation {facts.photometric} ({what}) is not read; "
            "save it as gray or RGB"
        )
    if facts.sample_format == _FLOAT and bits != 32:
        raise BadImage(f"{name}: {_float(bits)}")
    if facts.sample_format not in {1, _SIGNED, _FLOAT, 4}:
        raise BadImage(
            f"{name}: TIFF of SampleFormat {facts.sample_format} is not read; save it as 8- or 16-bit gray"
        )
    if facts.sample_format == _SIGNED and bits <= 8:
        raise BadImage(
            f"{name}: signed {bits}-bit samples, whose black is not known; "
            "save it as unsigned 8- or 16-bit gray"
        )


def explain_layout(facts: TiffFacts, name: str) -> str:
    """Why a decoder that knows no such layout refused this file."""
    channels = f"{len(facts.bits)} channel{'s' * (len(facts.bits) != 1)}"
    if facts.order == ">" and facts.bits == (12,):
        return f"{name}: TIFF of 12 bits in big-endian byte order is not read; save it as 16-bit gray"
    return (
        f"{name}: TIFF of {channels} of {max(facts.bits)} bits is not read (PhotometricInterpretation "
        f"{facts.photometric}, SampleFormat {facts.sample_format}); "
        "save it as 8- or 16-bit gray, or 8-bit RGB"
    )


def _float(bits: int) -> str:
    return (
        f"{bits}-bit floating point, whose range the file does not state; scale it and save it as 8- or "
        "16-bit gray"
    )


def _directory(content: bytes) -> tuple[str, Mapping[int, tuple[int, ...]], Mapping[int, int]]:
    """Byte order, whole-number tags of the first directory, and the place of each tag's value."""
    order = {b"II": "<", b"MM": ">"}[content[:2]]
    big = struct.unpack_from(f"{order}H", content, 2)[0] == 43
    word, head, width = ("Q", "Q", 20) if big else ("I", "H", 12)
    start = struct.unpack_from(f"{order}{word}", content, 8 if big else 4)[0]
    count = struct.unpack_from(f"{order}{head}", content, start)[0]
    start += struct.calcsize(f"={head}")
    tags: dict[int, tuple[int, ...]] = {}
    places: dict[int, int] = {}
    for entry in range(start, start + min(count, _MOST_ENTRIES) * width, width):
        tag, kind, number = struct.unpack_from(f"{order}HH{word}", content, entry)
        if kind not in _CODES or not 1 <= number <= _MOST_ENTRIES:
            continue
        place = entry + struct.calcsize(f"=HH{word}")
        if struct.calcsize(f"={_CODES[kind]}") * number > struct.calcsize(f"={word}"):
            place = struct.unpack_from(f"{order}{word}", content, place)[0]
        if tag in {_BITS, _COMPRESSION, _PHOTOMETRIC, _MAXIMUM, _FORMAT}:
            tags[tag] = struct.unpack_from(f"{order}{number}{_CODES[kind]}", content, place)
            places[tag] = place
    return order, tags, places
