"""Orientation, files of more than 8 bits, and samples whose meaning is not known."""

from __future__ import annotations

import numpy as np
from tests.sheets.images.container_files import (
    COLOUR,
    CORNER,
    FULL,
    FULL_GRAY,
    GRAY,
    LUMINANCE,
    SAME,
    TURNED,
    TWELVE,
    TWELVE_GRAY,
    ContainerCase,
    oriented,
    png,
    saved,
    tiff,
)
from tests.sheets.images.tiff_files import packed_12, tiff_bytes

DARK_16 = (
    "a camera of 12 bits or a dark image, its header does not say; "
    "state it for all 16-bit files with --bits 12"
)

ORIENTED = (
    *(
        ContainerCase(
            f"TIFF, orientation {turn}",
            "turned once, as a viewer shows it",
            lambda turn=turn: oriented("TIFF", turn, compression="tiff_lzw"),
            TURNED[turn],
        )
        for turn in range(1, 9)
    ),
    ContainerCase(
        "TIFF, not compressed, orientation 6",
        "turned once",
        lambda: tiff(CORNER, tags={274: 6}),
        TURNED[6],
    ),
    ContainerCase(
        "TIFF, 16-bit WhiteIsZero, orientation 6",
        "inverted and turned once",
        lambda: tiff(65_535 - FULL, photometric=0, tags={274: 6}),
        [[255, 0], [128, 1], [200, 100]],
    ),
    ContainerCase(
        "BigTIFF, orientation 8", "turned once", lambda: tiff(CORNER, big=True, tags={274: 8}), TURNED[8]
    ),
    *(
        ContainerCase(
            f"PNG, EXIF orientation {turn}",
            "turned once",
            lambda turn=turn: oriented("PNG", turn),
            TURNED[turn],
        )
        for turn in (3, 6)
    ),
    ContainerCase(
        "PNG, 16-bit, EXIF orientation 6",
        "turned once",
        lambda: oriented("PNG", 6, FULL),
        [[255, 0], [128, 1], [200, 100]],
    ),
    ContainerCase(
        "WebP, EXIF orientation 6",
        "turned once",
        lambda: oriented("WEBP", 6, np.stack([CORNER] * 3, axis=2), lossless=True),
        TURNED[6],
    ),
    ContainerCase(
        "JPEG, EXIF orientation 6",
        "turned once",
        lambda: oriented("JPEG", 6, np.kron(CORNER, np.ones((16, 16), np.uint8)), quality=95),
        np.kron(np.array(TURNED[6]), np.ones((16, 16), int)).tolist(),
        tolerance=3,
        why="lossy",
    ),
)

SIXTEEN_BITS = (
    ContainerCase(
        "PNG, 16-bit gray, above a quarter of full scale", "0..65535", lambda: png(FULL), FULL_GRAY
    ),
    ContainerCase(
        "TIFF, 16-bit gray, above a quarter of full scale", "0..65535", lambda: tiff(FULL), FULL_GRAY
    ),
    ContainerCase("TIFF, 16-bit big-endian", "0..65535", lambda: tiff(FULL, order=">"), FULL_GRAY),
    ContainerCase("BigTIFF, 16-bit gray", "0..65535", lambda: tiff(FULL, big=True), FULL_GRAY),
    ContainerCase(
        "TIFF, 16-bit WhiteIsZero",
        "inverted, black is 0",
        lambda: tiff(65_535 - FULL, photometric=0),
        FULL_GRAY,
    ),
    ContainerCase(
        "TIFF, 16-bit WhiteIsZero, big-endian",
        "inverted, black is 0",
        lambda: tiff(65_535 - FULL, photometric=0, order=">"),
        FULL_GRAY,
    ),
    ContainerCase(
        "TIFF, BitsPerSample 12",
        "0..4095, by the header",
        lambda: tiff_bytes(packed_12(TWELVE), width=3, height=2, bits=(12,)),
        TWELVE_GRAY,
    ),
    ContainerCase(
        "TIFF, BitsPerSample 12, WhiteIsZero",
        "inverted, 0..4095",
        lambda: tiff_bytes(packed_12(4095 - TWELVE), width=3, height=2, bits=(12,), photometric=0),
        TWELVE_GRAY,
    ),
    ContainerCase(
        "TIFF, 16-bit with MaxSampleValue 4095",
        "0..4095, by the header",
        lambda: tiff(TWELVE, tags={281: 4095}),
        TWELVE_GRAY,
    ),
    ContainerCase(
        "TIFF, 16-bit with MaxSampleValue 60000",
        "0..65535: a statistic, not a full scale",
        lambda: tiff(FULL, tags={281: 60_000}),
        FULL_GRAY,
    ),
    ContainerCase(
        "PNG, 16-bit with sBIT 12, scaled as its standard says",
        "0..65535",
        lambda: png((TWELVE << 4) | (TWELVE >> 8), chunks=[(b"sBIT", b"\x0c")]),
        TWELVE_GRAY,
    ),
    ContainerCase(
        "PNG, 16-bit with sBIT 12, not scaled",
        "0..4095, by the header",
        lambda: png(TWELVE, chunks=[(b"sBIT", b"\x0c")]),
        TWELVE_GRAY,
    ),
    ContainerCase(
        "PGM, 12 bits by its header",
        "0..4095, by the header",
        lambda: b"P5\n# camera\n3 2\n4095\n" + TWELVE.astype(">u2").tobytes(),
        TWELVE_GRAY,
    ),
    ContainerCase(
        "JPEG 2000, 16-bit gray",
        "0..65535",
        lambda: saved(np.tile(FULL, (8, 6)), "JPEG2000", irreversible=False),
        np.tile(FULL_GRAY, (8, 6)).tolist(),
    ),
    *(
        ContainerCase(f"{name}, 12-bit values in 16 bits", "refused without --bits", make, message=DARK_16)
        for name, make in (("PNG", lambda: png(TWELVE)), ("TIFF", lambda: tiff(TWELVE)))
    ),
    *(
        ContainerCase(f"{name}, 12-bit values in 16 bits, --bits 12", "0..4095", make, TWELVE_GRAY, bits=12)
        for name, make in (
            ("PNG", lambda: png(TWELVE)),
            ("TIFF", lambda: tiff(TWELVE)),
            ("BigTIFF", lambda: tiff(TWELVE, big=True)),
        )
    ),
    ContainerCase(
        "PNG, 16 bits and dark, --bits 16",
        "0..65535",
        lambda: png(np.array([[0, 257, 514]], np.uint16)),
        [[0, 1, 2]],
        bits=16,
    ),
    ContainerCase(
        "PNG, 10-bit values in 16 bits",
        "refused without --bits",
        lambda: png(np.array([[0, 1023]], np.uint16)),
        message="largest value is 1023 of 65535: a camera of 10 bits or a dark image",
    ),
    ContainerCase(
        "PNG, 14-bit values in 16 bits",
        "refused without --bits",
        lambda: png(np.array([[0, 16_383]], np.uint16)),
        message="largest value is 16383 of 65535: a camera of 14 bits or a dark image",
    ),
    ContainerCase(
        "PNG, 16-bit, values above --bits 12",
        "refused",
        lambda: png(FULL),
        message="expected values up to 4095 (12 bits), found 65535",
        bits=12,
    ),
    ContainerCase("PNG, 16-bit, all 0", "black", lambda: png(np.zeros((1, 2), np.uint16)), [[0, 0]]),
    ContainerCase("PNG, 8-bit, --bits 12", "values as stored", lambda: saved(GRAY, "PNG"), SAME, bits=12),
    ContainerCase(
        "PNG, RGB of 16 bits",
        "upper 8 bits of each channel",
        lambda: png((COLOUR.astype(np.uint16) * 257), kind=2),
        LUMINANCE,
    ),
    ContainerCase(
        "PNG, RGB of 16 bits with 12-bit values",
        "refused",
        lambda: png((COLOUR.astype(np.uint16) * 16), kind=2),
        message="colour of 16 bits a channel that stays below a quarter of full scale",
    ),
    ContainerCase(
        "TIFF, RGB of 16 bits with 12-bit values, --bits 12",
        "refused",
        lambda: tiff_bytes(
            COLOUR.astype(np.uint16) * 16, width=3, height=1, bits=(16, 16, 16), photometric=2
        ),
        message="colour of 16 bits a channel is read at its full scale only, not at --bits 12",
        bits=12,
    ),
)

UNKNOWN_LAYOUTS = (
    ContainerCase(
        "TIFF, 32-bit floating point",
        "refused",
        lambda: tiff(np.array([[0, 0.5]], np.float32), tags={339: 3}),
        message="32-bit floating point, whose range the file does not state; scale it and save it",
    ),
    ContainerCase(
        "TIFF, 64-bit floating point",
        "refused",
        lambda: tiff(np.array([[0, 0.5]], np.float64), tags={339: 3}),
        message="64-bit floating point, whose range the file does not state",
    ),
    ContainerCase(
        "BigTIFF, 16-bit floating point",
        "refused",
        lambda: tiff(np.array([[0, 0.5]], np.float16), tags={339: 3}, big=True),
        message="16-bit floating point, whose range the file does not state",
    ),
    ContainerCase(
        "TIFF, 32-bit integers",
        "refused without --bits",
        lambda: tiff(np.array([[0, 4095]], np.uint32)),
        message="signed or 32-bit values up to 4095, whose full scale the file does not state",
    ),
    ContainerCase(
        "TIFF, 32-bit integers, --bits 12",
        "0..4095",
        lambda: tiff(np.array([[0, 4095]], np.uint32)),
        [[0, 255]],
        bits=12,
    ),
    ContainerCase(
        "TIFF, 32-bit integers above 65535",
        "refused",
        lambda: tiff(np.array([[0, 70_000]], np.uint32)),
        message="values from 0 to 70000, expected 0 to 65535",
    ),
    ContainerCase(
        "TIFF, signed 16-bit",
        "refused without --bits",
        lambda: tiff(np.array([[0, 30_000]], np.int16), tags={339: 2}),
        message="signed or 32-bit values up to 30000, whose full scale the file does not state",
    ),
    ContainerCase(
        "TIFF, signed 16-bit with negative values",
        "refused",
        lambda: tiff(np.array([[-5, 30_000]], np.int16), tags={339: 2}),
        message="values from -5 to 30000, expected 0 to 65535",
    ),
    ContainerCase(
        "TIFF, signed 8-bit",
        "refused",
        lambda: tiff(np.array([[-5, 30]], np.int8), tags={339: 2}),
        message="signed 8-bit samples, whose black is not known",
    ),
    ContainerCase(
        "TIFF, BitsPerSample 10 or 14",
        "refused",
        lambda: tiff_bytes(bytes(10), width=4, height=2, bits=(10,)),
        message="TIFF of 1 channel of 10 bits is not read",
    ),
    ContainerCase(
        "TIFF, BitsPerSample 12, big-endian",
        "refused",
        lambda: tiff_bytes(packed_12(TWELVE), width=3, height=2, bits=(12,), order=">"),
        message="TIFF of 12 bits in big-endian byte order is not read",
    ),
    ContainerCase(
        "TIFF without PhotometricInterpretation",
        "refused",
        lambda: tiff(GRAY, photometric=None),
        message="the TIFF tag PhotometricInterpretation is missing, so 0 may be black or white",
    ),
    ContainerCase(
        "TIFF, CIE L*a*b*",
        "refused",
        lambda: tiff_bytes(bytes(3), width=1, height=1, bits=(8, 8, 8), photometric=8),
        message="PhotometricInterpretation 8 (CIE L*a*b*) is not read; save it as gray or RGB",
    ),
    ContainerCase(
        "TIFF, raw sensor image",
        "refused",
        lambda: tiff(FULL, photometric=32_803),
        message="PhotometricInterpretation 32803 (a raw sensor image) is not read",
    ),
    ContainerCase(
        "TIFF, unknown compression",
        "refused",
        lambda: tiff(GRAY, tags={259: 34_887}),
        message="TIFF compression 34887 is not read; save it uncompressed, with LZW or Deflate",
    ),
)
