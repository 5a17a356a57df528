"""Bound the time that decoding one image may take.

A small file can ask for much work: each scan of a progressive JPEG goes over the whole image. The number of
scans is bounded before anything is decoded, and decoders that fetch their input piece by piece are stopped
when they have used more processor time than an image of that size can need. Processor time of this thread,
so that other work on the computer does not count.
"""

from __future__ import annotations

import io
import re
import time
from typing import Final

from PIL import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from steelsight.errors import BadImage

__all__ = ["MAX_SCANS", "SECONDS_PER_MEGAPIXEL", "TimedBytes", "limit_decoding", "refuse_scans"]

MAX_SCANS: Final = 100  # of one JPEG; encoders write up to 10
USUAL_SCANS: Final = 20  # allowed for an image of any size
MAX_SCANNED_PIXELS: Final = 2**30  # pixels times scans, beyond USUAL_SCANS
SECONDS: Final = 4.0  # for the header, and for the pixels of any image
SECONDS_PER_MEGAPIXEL: Final = 0.25  # 10 to 50 times what decoders need
PIECE: Final = 2**16  # bytes that a decoder fetches at a time, and at least a row
JPEG_PIECE: Final = 2**14
_MARKER: Final = re.compile(rb"\xff([^\x00\xff])")  # 0xff 0x00 is a byte of entropy-coded data
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # restarts within a scan


class TimedBytes(io.BytesIO):
    """The bytes of a file; reading them raises BadImage once the time for its header or pixels is over."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.image_name = name
        self.end = time.thread_time() + SECONDS  # of the header

    def read(self, size: int | None = -1, /) -> bytes:
        """As BytesIO."""
        if time.thread_time() > self.end:
            raise BadImage(
                f"{self.image_name}: reading it takes more than {SECONDS:g} s and "
                f"{SECONDS_PER_MEGAPIXEL:g} s a megapixel of processor time; export it again",
                kind="too_large",
            )
        return super().read(size)


def limit_decoding(image: ImageFile.ImageFile) -> None:
    """Give an opened image the time that its pixels may need, from now on."""
    if isinstance(image.fp, TimedBytes):
        width, height = image.size
        image.fp.end = time.thread_time() + SECONDS + SECONDS_PER_MEGAPIXEL * width * height / 1e6
        # A row that does not fit into one piece is copied again with every further piece.
        image.decodermaxblock = JPEG_PIECE if isinstance(image, JpegImageFile) else max(PIECE, 8 * width)


def refuse_scans(image: ImageFile.ImageFile, content: bytes, name: str) -> None:
    """Refuse a JPEG of too many scans; raises BadImage."""
    if not isinstance(image, JpegImageFile):
        return
    width, height = image.size
    most = max(USUAL_SCANS, min(MAX_SCANS, MAX_SCANNED_PIXELS // (width * height)))
    if content.count(b"\xff\xda") > most and (scans := _count_scans(content)) > most:
        raise BadImage(
            f"{name}: a JPEG of {scans} scans, more than the {most} allowed for {width}x{height} pixels; "
            "export it again",
            kind="too_large",
        )


def _count_scans(content: bytes) -> int:
    """Scans of a JPEG, by its markers up to the end of the image, as decoders read them.

    The same bytes in a thumbnail, in metadata, or in a film behind the image, as phones append it, are none.
    """
    scans, at = 0, 2
    while found := _MARKER.search(content, at):
        marker, at = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            break
        if marker not in _WITHOUT_LENGTH:
            scans += marker == _START_OF_SCAN
            at += max(2, int.from_bytes(content[at : at + 2], "big"))
    return scans
