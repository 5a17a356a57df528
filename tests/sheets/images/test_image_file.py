"""Files that must not be decoded, or cannot be: each is refused with a message that says what to do."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin, PngImagePlugin

from steelsight.errors import BadImage
from steelsight.sheets.images.pixels import read_gray, read_sheet, read_size
from steelsight.types import InputSpec

SPEC = InputSpec(height=8, width=12)
Make = Callable[..., Any]


def png_header(width: int, height: int) -> bytes:
    """The first chunks of a PNG of any size; the pixels are never reached."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))


def jpeg_claiming(content: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header names another size."""
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_bomb_is_refused_from_its_header(
    kind: str, encode: Make, texture: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decoding(self: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", decoding)
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", decoding)
    content = png_header(50_000, 50_000)
    if kind == "jpeg":
        content = jpeg_claiming(encode(texture(), "JPEG"), 50_000, 50_000)
    message = r"50000x50000 = 2500000000 pixels, more than the 67108864 allowed; nothing was decoded"
    for read in (read_gray, read_size, lambda source: read_sheet(source, SPEC)):
        with pytest.raises(BadImage, match=message):
            read(content)


def test_the_budget_is_refused_without_pillows_warning(encode: Make) -> None:
    """Pillow would only warn up to twice its own limit; warnings are errors in these tests."""
    wide = encode(np.zeros((100, 1000), dtype=np.uint8))
    assert read_gray(wide, max_pixels=100_000).shape == (100, 1000)
    with pytest.raises(BadImage, match=r"1000x100 = 100000 pixels, more than the 99999 allowed"):
        read_gray(wide, max_pixels=99_999)
    with pytest.raises(BadImage, match=r"12000x10000 = 120000000 pixels"):
        read_size(png_header(12_000, 10_000))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "TIFF"])
def test_a_truncated_file(format: str, encode: Make, texture: Make) -> None:
    content = encode(texture(64, 96), format)
    with pytest.raises(BadImage, match=r"damaged image \(.+\); copy or export it again"):
        read_sheet(content[: len(content) // 2], SPEC)


def test_a_file_cut_at_any_byte_never_raises_anything_else(encode: Make, texture: Make) -> None:
    for format in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP"):
        content = encode(texture(16, 16), format)
        for length in range(1, len(content), max(1, len(content) // 40)):
            try:
                read_sheet(content[:length], SPEC)
            except BadImage:
                continue


def test_flipped_bytes_never_raise_anything_else(
    encode: Make, texture: Make, rng: np.random.Generator
) -> None:
    for format in ("JPEG", "PNG", "TIFF", "BMP", "GIF"):
        content = np.frombuffer(encode(texture(16, 16), format), dtype=np.uint8)
        for _ in range(60):
            broken = content.copy()
            broken[rng.integers(0, broken.size, 4)] = rng.integers(0, 256, 4)
            try:
                read_sheet(broken.tobytes(), SPEC, max_pixels=10**6)
            except BadImage:
                continue


def test_a_zero_byte_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(BadImage, match=r"a\.jpg: the file is empty \(0 bytes\); copy it again"):
        read_sheet(tmp_path / "a.jpg", SPEC)


def test_text_renamed_to_jpg(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("Dear colleague,\n")
    message = r"a\.jpg: expected a JPEG, .*found a file that starts with 'Dear colleag'; its name does not"
    with pytest.raises(BadImage, match=message):
        read_sheet(tmp_path / "a.jpg", SPEC)


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP"])
def test_an_animation_is_refused(format: str, encode: Make, texture: Make) -> None:
    frames = [Image.fromarray(texture(seed=seed)) for seed in range(3)]
    content = encode(frames[0], format, save_all=True, append_images=frames[1:])
    with pytest.raises(BadImage, match=r"expected one still image, found an animation or a stack"):
        read_sheet(content, SPEC)


def test_a_still_gif_is_an_image(encode: Make, texture: Make) -> None:
    np.testing.assert_array_equal(read_gray(encode(texture(), "GIF")), texture())


def test_unreadable_permission(tmp_path: Path, put: Make, texture: Make) -> None:
    path = put(tmp_path / "a.jpg", texture())
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # permissions bind everybody but root
    try:
        with pytest.raises(BadImage, match=r"a\.jpg: no permission to read it; change its permissions"):
            read_sheet(path, SPEC)
    finally:
        os.seteuid(user)


def test_a_link_to_itself(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "a.jpg")
    with pytest.raises(BadImage, match=r"a\.jpg: a symbolic link that leads back to itself; remove it"):
        read_sheet(tmp_path / "a.jpg", SPEC)


def test_a_link_without_a_target(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone.jpg")
    with pytest.raises(BadImage, match=r"does not exist; if it is a link, its target is gone"):
        read_size(tmp_path / "a.jpg")


def test_a_folder_and_a_pipe_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    os.mkfifo(tmp_path / "b.jpg")
    for name in ("a.jpg", "b.jpg"):
        with pytest.raises(BadImage, match=r"expected a file, found a folder or a device"):
            read_gray(tmp_path / name)


def test_an_enormous_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(2**29 + 1)
    with pytest.raises(BadImage, match=r"536870913 bytes, more than 536870912; is it one image"):
        read_gray(tmp_path / "a.png")
