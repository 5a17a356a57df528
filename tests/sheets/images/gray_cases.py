"""Containers of 8 bits, transparency, and files that hold no still image."""

from __future__ import annotations

import struct

import numpy as np
from PIL import Image
from tests.sheets.images.container_files import (
    COLOUR,
    FULL,
    GRAY,
    LUMINANCE,
    SAME,
    ContainerCase,
    alpha,
    bmp,
    frames,
    interlaced_png,
    jpeg_without_adobe,
    palette_image,
    png,
    saved,
    tiff,
)
from tests.sheets.images.tiff_files import tiff_bytes

EIGHT_BITS = (
    ContainerCase("PNG, 8-bit gray", "values as stored", lambda: saved(GRAY, "PNG"), SAME),
    ContainerCase("PNG, interlaced", "values as stored", lambda: interlaced_png(GRAY), SAME),
    ContainerCase("PNG, RGB", ".299 R + .587 G + .114 B", lambda: saved(COLOUR, "PNG"), LUMINANCE),
    ContainerCase("PNG, palette", "gray of the colours", lambda: saved(palette_image(), "PNG"), LUMINANCE),
    ContainerCase(
        "PNG, 1 bit",
        "0 and 255",
        lambda: saved(Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1"), "PNG"),
        [[0, 255]],
    ),
    ContainerCase(
        "PNG with gAMA, cHRM or ICC profile",
        "values as stored, profile left out",
        lambda: png(GRAY, chunks=[(b"gAMA", struct.pack(">I", 100_000))]),
        SAME,
    ),
    ContainerCase("BMP, 8-bit palette", "gray of the colours", lambda: saved(GRAY, "BMP"), SAME),
    ContainerCase(
        "BMP, rows from the top down",
        "upright",
        lambda: bmp(b"\0\1\x64\0" + b"\xff\x80\xc8\0", width=3, height=-2, bits=8),
        SAME,
    ),
    ContainerCase(
        "BMP, 32 bits without alpha",
        "fourth byte left out",
        lambda: bmp(b"\0\0\xff\0" + b"\0\xff\0\0" + b"\xff\0\0\0", width=3, height=1, bits=32),
        LUMINANCE,
    ),
    ContainerCase("TIFF, 8-bit gray", "values as stored", lambda: saved(GRAY, "TIFF"), SAME),
    ContainerCase(
        "TIFF, 8-bit gray, LZW or Deflate",
        "values as stored",
        lambda: saved(GRAY, "TIFF", compression="tiff_lzw"),
        SAME,
    ),
    ContainerCase(
        "TIFF, 8-bit WhiteIsZero", "inverted, black is 0", lambda: tiff(255 - GRAY, photometric=0), SAME
    ),
    ContainerCase(
        "TIFF, 1-bit WhiteIsZero",
        "inverted, black is 0",
        lambda: tiff_bytes(b"\xa0", width=4, height=1, bits=(1,), photometric=0),
        [[0, 255, 0, 255]],
    ),
    ContainerCase("BigTIFF, 8-bit gray", "values as stored", lambda: tiff(GRAY, big=True), SAME),
    ContainerCase(
        "BigTIFF, big-endian",
        "refused",
        lambda: tiff(GRAY, big=True, order=">"),
        message="BigTIFF in big-endian byte order is not read; save it as TIFF",
    ),
    ContainerCase("GIF, one frame", "gray of the colours", lambda: saved(GRAY, "GIF"), SAME),
    ContainerCase(
        "WebP, lossless",
        ".299 R + .587 G + .114 B",
        lambda: saved(COLOUR, "WEBP", lossless=True),
        LUMINANCE,
    ),
    ContainerCase("PGM, 8-bit", "values as stored", lambda: saved(GRAY, "PPM"), SAME),
    ContainerCase(
        "JPEG, gray",
        "luminance",
        lambda: saved(np.full((16, 16), 140, np.uint8), "JPEG", quality=95),
        [[140] * 16] * 16,
        tolerance=1,
        why="lossy",
    ),
    ContainerCase(
        "JPEG, progressive colour",
        "luminance",
        lambda: saved(np.full((16, 16, 3), 140, np.uint8), "JPEG", quality=95, progressive=True),
        [[140] * 16] * 16,
        tolerance=1,
        why="lossy",
    ),
    ContainerCase(
        "JPEG, CMYK with Adobe's marker",
        "ink is inverted, as Adobe stores it",
        lambda: saved(Image.new("CMYK", (16, 16), (0, 0, 0, 155)), "JPEG", quality=95),
        [[100] * 16] * 16,
        tolerance=2,
        why="lossy",
    ),
    ContainerCase(
        "JPEG, CMYK without Adobe's marker",
        "refused",
        jpeg_without_adobe,
        message="CMYK JPEG without Adobe's marker, so that its ink may be inverted or not",
    ),
    ContainerCase(
        "TIFF, CMYK",
        "gray of the ink",
        lambda: saved(Image.new("CMYK", (2, 1), (0, 0, 0, 155)), "TIFF"),
        [[100, 100]],
    ),
    ContainerCase(
        "JPEG 2000, 8-bit gray",
        "values as stored",
        lambda: saved(np.tile(GRAY, (8, 6)), "JPEG2000", irreversible=False),
        np.tile(GRAY, (8, 6)).tolist(),
    ),
)

TRANSPARENT = (
    *(
        ContainerCase(
            f"PNG, {mode}, partly transparent",
            "over black",
            lambda mode=mode: saved(alpha([[200, 200, 200]], [[255, 128, 0]], mode), "PNG"),
            [[200, 100, 0]],
        )
        for mode in ("LA", "RGBA")
    ),
    *(
        ContainerCase(
            f"{format}, {mode}, transparent throughout",
            "refused",
            lambda format=format, mode=mode: saved(alpha([[200, 90]], [[0, 0]], mode), format),
            message="every pixel is transparent, so a viewer shows nothing",
        )
        for format, mode in (("PNG", "LA"), ("PNG", "RGBA"), ("TIFF", "RGBA"))
    ),
    ContainerCase(
        "BMP, 32 bits, alpha 0 throughout",
        "refused",
        lambda: bmp(b"\x5a\x5a\x5a\0", width=1, height=1, bits=32, mask=(0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
        message="every pixel is transparent, so a viewer shows nothing",
    ),
    ContainerCase(
        "PNG, gray with tRNS",
        "that value is black",
        lambda: saved(GRAY, "PNG", transparency=200),
        [[0, 1, 100], [255, 128, 0]],
    ),
    ContainerCase(
        "PNG, 16-bit gray with tRNS",
        "that value is black",
        lambda: png(FULL, chunks=[(b"tRNS", struct.pack(">H", 51_400))]),
        [[0, 1, 100], [255, 128, 0]],
    ),
    ContainerCase(
        "PNG, palette with tRNS",
        "that colour is black",
        lambda: saved(palette_image(), "PNG", transparency=1),
        [[76, 0, 29]],
    ),
    ContainerCase(
        "TIFF, gray with associated alpha",
        "over black",
        lambda: tiff_bytes(bytes((200, 255, 100, 128, 0, 0)), width=3, height=1, bits=(8, 8), tags={338: 1}),
        [[200, 100, 0]],
    ),
)

NO_STILL_IMAGE = (
    *(
        ContainerCase(
            f"{name} of several frames",
            "refused",
            lambda format=format: frames(format),
            message="expected one still image, found an animation or a stack; export single frames",
        )
        for name, format in (("TIFF", "TIFF"), ("GIF", "GIF"), ("WebP", "WEBP"), ("APNG", "PNG"))
    ),
    *(
        ContainerCase(
            f"{format}, cut short",
            "refused",
            lambda format=format: (whole := saved(np.tile(GRAY, (20, 20)), format))[: len(whole) // 2],
            message="damaged image (",
        )
        for format in ("JPEG", "PNG", "BMP", "TIFF", "JPEG2000")
    ),
    ContainerCase("Any file of 0 bytes", "refused", lambda: b"", message="the file is empty (0 bytes)"),
    ContainerCase(
        "Any other file",
        "refused",
        lambda: b"Dear colleague,\n",
        message="expected a JPEG, PNG, BMP, TIFF, WebP, PGM or JPEG 2000 image, found a file that",
    ),
)
