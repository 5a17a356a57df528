"""Model input: every kind of file gives the same gray bytes, and the fast way agrees with the slow one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadImage
from steelsight.sheets.images.pixels import DECODER, fit_gray, fit_mask, read_gray, read_sheet, read_size
from steelsight.types import InputSpec

Make = Callable[..., Any]
SMALL = InputSpec(height=16, width=24)


def area_average(image: np.ndarray, factor: int) -> np.ndarray:
    """The slow twin, in float64."""
    height, width = image.shape[0] // factor, image.shape[1] // factor
    return image.reshape(height, factor, width, factor).astype(np.float64).mean(axis=(1, 3))


def test_the_default_spec_names_this_decoder() -> None:
    assert InputSpec().decoder == DECODER


def test_another_decoder_is_refused(encode: Make, texture: Make) -> None:
    with pytest.raises(BadImage, match=r"asks for decoder 'other/9', this version has 'pillow-dct-area/1'"):
        read_sheet(encode(texture()), InputSpec(decoder="other/9"))


def test_a_png_is_averaged_by_area(encode: Make, texture: Make) -> None:
    image = texture(64, 96)
    expected = np.floor(area_average(image, 4) + 0.5)
    np.testing.assert_array_equal(read_sheet(encode(image), SMALL), expected)


@pytest.mark.parametrize("size", [(64, 96), (61, 99), (128, 192), (130, 401), (16, 24), (15, 23), (300, 25)])
@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop"])
def test_png_and_jpeg_of_one_sheet_agree(size: tuple[int, int], fit: Any, encode: Make) -> None:
    """Within 2 gray levels on average. Smooth content: JPEG itself changes noise by more than that."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    image = (120 + 80 * np.sin(rows / size[0] * 5) * np.cos(columns / size[1] * 7)).astype(np.uint8)
    spec = InputSpec(height=16, width=24, fit=fit)
    jpeg = read_sheet(encode(image, "JPEG", quality=92), spec).astype(int)
    png = read_sheet(encode(image), spec).astype(int)
    assert np.abs(jpeg - png).mean() < 2


def test_colour_jpegs_decode_to_their_luminance(encode: Make, texture: Make) -> None:
    image = np.stack([texture(64, 96, seed) for seed in range(3)], axis=2)
    image = np.asarray(Image.fromarray(image).resize((24, 16)).resize((96, 64)))
    jpeg = read_sheet(encode(image, "JPEG", quality=95, subsampling=0), SMALL).astype(int)
    png = read_sheet(encode(image), SMALL).astype(int)
    assert np.abs(jpeg - png).mean() < 2


def test_sixteen_bits_keep_full_scale(encode: Make) -> None:
    ramp = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    expected = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(read_gray(encode(ramp)), expected)
    np.testing.assert_array_equal(read_gray(encode(ramp, "TIFF")), expected)
    twelve = encode(np.full((4, 4), 4095, dtype=np.uint16))
    assert read_gray(twelve, bits=16).max() == 16
    assert read_gray(twelve, bits=12).min() == 255
    with pytest.raises(BadImage, match=r"a camera of 12 bits or a dark image, its header does not say"):
        read_gray(twelve)


def test_big_endian_sixteen_bits(encode: Make) -> None:
    image = Image.frombytes("I;16B", (2, 1), b"\x00\x00\xff\xff")
    assert read_gray(encode(image, "TIFF")).tolist() == [[0, 255]]


def test_thirty_two_bits_have_no_known_range(encode: Make) -> None:
    cases = (
        (
            np.full((4, 4), 70_000, dtype=np.int32),
            r"values from 70000 to 70000, expected 0 to 65535; save",
        ),
        (np.full((4, 4), 4_000, dtype=np.int32), r"32-bit values up to 4000, whose full scale .* not state"),
        (np.full((4, 4), 0.5, dtype=np.float32), r"32-bit floating point, whose range the file does not"),
    )
    for wild, message in cases:
        with pytest.raises(BadImage, match=message):
            read_gray(encode(wild, "TIFF"))


def test_transparent_is_black(encode: Make) -> None:
    gray_alpha = np.array([[[200, 255], [200, 128], [200, 0]]], dtype=np.uint8)
    rgba = np.concatenate([gray_alpha[..., :1].repeat(3, axis=2), gray_alpha[..., 1:]], axis=2)
    for picture in (Image.fromarray(gray_alpha, "LA"), Image.fromarray(rgba, "RGBA")):
        assert read_gray(encode(picture)).tolist() == [[200, 100, 0]]


def test_palette_cmyk_and_one_bit(encode: Make) -> None:
    colours = Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8))
    np.testing.assert_array_equal(read_gray(encode(colours.convert("P"))), np.array([[76, 150, 29]]))
    gray = Image.fromarray(np.full((16, 24), 140, dtype=np.uint8))
    cmyk = read_sheet(encode(gray.convert("RGB").convert("CMYK"), "JPEG", quality=95), SMALL)
    assert np.abs(cmyk.astype(int) - 140).max() <= 2
    assert read_gray(encode(gray.convert("1"))).max() == 255


def test_a_transparent_palette_colour_is_black(encode: Make) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([250, 250, 250, 90, 90, 90])
    image.putpixel((1, 0), 1)
    assert read_gray(encode(image, transparency=0)).tolist() == [[0, 90]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_exif_orientation_is_obeyed(orientation: int, format: str, encode: Make) -> None:
    """Pillow's own `exif_transpose` is the oracle."""
    from PIL import ImageOps

    image = Image.fromarray(np.add.outer(np.arange(0, 128, 2), np.arange(96)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = image.copy()
    turned.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned)).astype(int)
    content = encode(image, format, exif=exif)
    assert read_size(content) == expected.shape
    assert np.abs(read_gray(content).astype(int) - expected).mean() < 2
    spec = InputSpec(height=expected.shape[0] // 4, width=expected.shape[1] // 4)
    assert np.abs(read_sheet(content, spec) - area_average(expected, 4)).mean() < 2


def test_an_array_is_fitted_like_its_file(encode: Make, texture: Make) -> None:
    image = texture(50, 70)
    for fit in ("stretch", "letterbox", "crop"):
        spec = InputSpec(height=16, width=24, fit=fit)
        np.testing.assert_array_equal(fit_gray(image, spec), read_sheet(encode(image), spec))


def test_results_belong_to_the_caller(encode: Make, texture: Make) -> None:
    for format in ("PNG", "JPEG"):
        content = encode(texture(64, 96), format)
        assert read_gray(content).flags.writeable
        assert read_sheet(content, SMALL).flags.writeable


def test_mask_fractions_keep_area(rng: np.random.Generator) -> None:
    mask = rng.random((50, 70)) < 0.3
    fractions = fit_mask(mask, SMALL)
    assert fractions.dtype == np.float32
    assert fractions.mean() == pytest.approx(mask.mean(), abs=1e-5)
    assert fit_mask(np.ones((5, 7), dtype=bool), SMALL).min() == pytest.approx(1, abs=1e-5)


@pytest.mark.realdata
def test_real_sheets_as_png_and_jpeg_agree(data_root: Path, encode: Make) -> None:
    for path in sorted((data_root / "severstal" / "train_images").glob("*.jpg"))[:12]:
        with Image.open(path) as image:
            png = read_sheet(encode(image), InputSpec())
        assert np.abs(png.astype(int) - read_sheet(path, InputSpec())).mean() < 0.5
