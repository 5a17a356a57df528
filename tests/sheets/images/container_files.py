"""Writes small image files of every container, and the values they hold."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from tests.sheets.images.tiff_files import tiff_bytes

FULL = np.array([[0, 257, 25_700], [65_535, 32_896, 51_400]], dtype=np.uint16)
FULL_GRAY = [[0, 1, 100], [255, 128, 200]]  # FULL / 257
TWELVE = np.array([[0, 16, 803], [4095, 2048, 1606]], dtype=np.uint16)
TWELVE_GRAY = [[0, 1, 50], [255, 128, 100]]  # value * 255 / 4095: 0, .996, 50.004, 255, 127.53, 100.007
GRAY = np.array([[0, 1, 100], [255, 128, 200]], dtype=np.uint8)
SAME = GRAY.tolist()
COLOUR = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)
LUMINANCE = [[76, 150, 29]]  # .299 R + .587 G + .114 B
CORNER = np.array([[9, 50, 90], [130, 170, 210]], dtype=np.uint8)
TURNED = {
    1: [[9, 50, 90], [130, 170, 210]],
    2: [[90, 50, 9], [210, 170, 130]],
    3: [[210, 170, 130], [90, 50, 9]],
    4: [[130, 170, 210], [9, 50, 90]],
    5: [[9, 130], [50, 170], [90, 210]],
    6: [[130, 9], [170, 50], [210, 90]],
    7: [[210, 90], [170, 50], [130, 9]],
    8: [[90, 210], [50, 170], [9, 130]],
}


@dataclass(frozen=True)
class ContainerCase:
    """One row of the table."""

    container: str
    done: str  # what is done with it
    content: Callable[[], bytes]
    gray: list[list[int]] | None = None  # None = refused
    message: str = ""  # a part of the refusal, as it is shown
    bits: int | None = None  # --bits
    tolerance: int = 0  # gray levels, of lossy containers
    why: str = ""  # of the tolerance


def saved(picture: Any, format: str, **options: Any) -> bytes:
    """An array or a Pillow image as the bytes of a file."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def oriented(format: str, orientation: int, picture: Any = CORNER, **options: Any) -> bytes:
    """A file with the orientation tag."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(picture, format, exif=exif, **options)


def png(values: np.ndarray, *, kind: int = 0, chunks: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """A PNG of 8 or 16 bits a sample, written chunk by chunk."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, values.dtype.itemsize * 8, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(values.dtype.newbyteorder(">")).tobytes() for row in values)
    middle = b"".join(chunk(name, body) for name, body in chunks)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + middle
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def interlaced_png(values: np.ndarray) -> bytes:
    """An 8-bit gray PNG in Adam7 order."""
    steps = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = b""
    for top, left, down, right in steps:
        part = values[top::down, left::right]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    whole = png(values)
    body = zlib.compress(rows)
    head = whole[12:28] + b"\1"  # "IHDR", sizes, depth, colour, compression and filter, then interlace
    return (
        whole[:12]
        + head
        + struct.pack(">I", zlib.crc32(head))
        + struct.pack(">I", len(body))
        + b"IDAT"
        + body
        + struct.pack(">I", zlib.crc32(b"IDAT" + body))
        + whole[-12:]
    )


def bmp(pixels: bytes, *, width: int, height: int, bits: int, mask: tuple[int, ...] = ()) -> bytes:
    """A BMP without compression; a negative height is stored from the top down."""
    size = 108 if mask else 40
    colours = 256 if bits == 8 else 0
    table = b"".join(bytes((i, i, i, 0)) for i in range(colours))
    header = struct.pack(
        "<IiiHHIIiiII", size, width, height, 1, bits, 3 if mask else 0, len(pixels), 0, 0, colours, 0
    )
    header += struct.pack("<4I", *mask).ljust(size - 40, b"\0") if mask else b""
    start = 14 + size + len(table)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + table + pixels


def frames(format: str, count: int = 2) -> bytes:
    """Several frames."""
    pictures = [Image.fromarray(np.full((4, 4), 90 * number, dtype=np.uint8)) for number in range(count)]
    return saved(pictures[0], format, save_all=True, append_images=pictures[1:])


def jpeg_without_adobe() -> bytes:
    """A CMYK JPEG whose Adobe marker is cut out."""
    content = saved(Image.new("CMYK", (8, 8), (10, 20, 30, 40)), "JPEG")
    at = content.index(b"\xff\xee")
    return content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :]


def alpha(values: list[list[int]], transparency: list[list[int]], mode: str) -> Image.Image:
    """Gray with alpha, or the same as colour."""
    gray, clear = (np.array(rows, dtype=np.uint8) for rows in (values, transparency))
    channels = [gray, clear] if mode == "LA" else [gray, gray, gray, clear]
    return Image.fromarray(np.stack(channels, axis=2), mode)


def palette_image() -> Image.Image:
    """Three colours by index."""
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    return image


def tiff(values: np.ndarray, **options: Any) -> bytes:
    """An uncompressed gray TIFF of the array's own depth."""
    height, width = values.shape
    options.setdefault("bits", (values.dtype.itemsize * 8,))
    return tiff_bytes(values, width=width, height=height, **options)
