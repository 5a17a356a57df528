"""Every container: the exact gray that it is read as, or the refusal."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.sheets.images.container_cases import CASES
from tests.sheets.images.container_files import CORNER, TURNED, ContainerCase, oriented, png, saved, tiff
from tests.sheets.images.container_table import PAGE, table_page

from steelsight.errors import BadImage, BadRecipe
from steelsight.runtime.engine.reading import read_image
from steelsight.sheets.images.pixels import DECODER, fit_gray, read_gray, read_sheet, read_size
from steelsight.sheets.masks import mask_facts, read_mask_file
from steelsight.sheets.options import DataOptions
from steelsight.types import InputSpec

READ = [case for case in CASES if case.gray is not None]
REFUSED = [case for case in CASES if case.gray is None]


def name_of(case: ContainerCase) -> str:
    return case.container


def spec_of(case: ContainerCase, height: int, width: int) -> InputSpec:
    return InputSpec(height=height, width=width).at_bits(case.bits)


@pytest.mark.parametrize("case", READ, ids=name_of)
def test_a_container_is_read_as_its_known_values(case: ContainerCase, tmp_path: Path) -> None:
    """By the lab's reading of a file, of its bytes, and by the plant's; all at the image's own size."""
    expected = np.array(case.gray)
    path = tmp_path / "a.bin"
    path.write_bytes(case.content())
    assert read_size(path) == expected.shape
    spec = spec_of(case, *expected.shape)
    plant = read_image(path, spec)
    assert plant.gray is not None, plant.detail
    assert plant.size == expected.shape
    for gray in (read_gray(path, bits=case.bits), read_sheet(path.read_bytes(), spec), plant.gray):
        assert np.abs(gray.astype(int) - expected).max() <= case.tolerance


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_a_container_is_refused_in_words(case: ContainerCase, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(case.content())
    spec = spec_of(case, 8, 8)
    for read in (lambda: read_gray(path, bits=case.bits), lambda: read_sheet(path, spec)):
        with pytest.raises(BadImage, match=re.escape(case.message)):
            read()
    plant = read_image(path, spec)
    assert plant.gray is None
    assert case.message in plant.detail


def test_the_documented_table_is_generated_from_these_cases() -> None:
    assert PAGE.read_text(encoding="utf-8") == table_page(), (
        "run python -m tests.sheets.images.container_table"
    )


def test_no_container_is_listed_twice() -> None:
    assert len({case.container for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format", ["TIFF", "PNG"])
def test_a_mask_with_its_images_orientation_lies_on_it(turn: int, format: str, tmp_path: Path) -> None:
    """The mask marks the brightest pixel of the image; both files carry the same tag."""
    image, mask = tmp_path / "a.bin", tmp_path / "b.bin"
    image.write_bytes(oriented(format, turn))
    for values in (
        np.where(CORNER == 210, 255, 0).astype(np.uint8),
        np.where(CORNER == 210, 3, 0).astype(np.uint16),
    ):
        mask.write_bytes(oriented(format, turn, values))
        np.testing.assert_array_equal(read_mask_file(mask), read_gray(image) == 210)
    drawn = tmp_path / "c.bin"  # on the image as shown, without a tag
    drawn.write_bytes(saved((np.array(TURNED[turn]) == 210).astype(np.uint8) * 255, "PNG"))
    np.testing.assert_array_equal(read_mask_file(drawn), read_gray(image) == 210)


def test_a_turned_index_mask_keeps_its_indices(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 0, 1], [0, 0, 2]], np.uint8), "P")
    image.putpalette([0, 0, 0, 90, 90, 90, 200, 200, 200])
    (tmp_path / "a.png").write_bytes(oriented("PNG", 6, image))
    assert read_mask_file(tmp_path / "a.png", 2).tolist() == [[False, False], [False, False], [True, False]]


def test_an_inverted_mask_of_16_bits_marks_the_defect(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(np.array([[65_535, 65_535, 0]], np.uint16), photometric=0))
    assert read_mask_file(tmp_path / "a.tif").tolist() == [[False, False, True]]


def test_a_mask_that_is_transparent_throughout_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(saved(np.zeros((4, 4, 4), np.uint8), "PNG"))
    assert mask_facts(tmp_path / "a.png").area_px == 0


@pytest.mark.parametrize("bits", range(9, 17))
def test_all_values_of_a_camera_are_scaled_to_the_nearest(bits: int) -> None:
    full = 2**bits - 1
    values = np.arange(full + 1, dtype=np.uint16)[None]
    expected = np.floor(values.astype(float) * 255 / full + 0.5)
    assert expected.max() == 255
    np.testing.assert_array_equal(read_gray(png(values), bits=bits), expected)


def test_one_scale_for_all_files_of_a_folder() -> None:
    """A darker image stays darker: its own range is never used."""
    bright, dark = np.array([[4000, 800]], np.uint16), np.array([[800, 160]], np.uint16)
    assert read_gray(png(bright), bits=12).tolist() == [[249, 50]]
    assert read_gray(png(dark), bits=12).tolist() == [[50, 10]]


def test_the_decoders_identity_holds_the_bits() -> None:
    spec = InputSpec(height=8, width=9, fit="crop")
    assert spec.bits is None
    for bits in range(8, 17):
        stated = spec.at_bits(bits)
        assert stated == InputSpec(8, 9, "crop", f"{DECODER} bits={bits}")
        assert stated.bits == bits
        assert stated.at_bits(None) == spec
        assert stated.at_bits(12).bits == 12
    for other in ("other/1", f"{DECODER} bits=7", f"{DECODER} bits=17", f"{DECODER} bits=12 "):
        with pytest.raises(BadImage, match=r"input asks for decoder"):
            read_sheet(saved(CORNER, "PNG"), InputSpec(decoder=other))


@pytest.mark.parametrize("bits", [7, 17])
def test_bits_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(BadRecipe, match=rf"--bits: expected at (least 8|most 16), got {bits}"):
        DataOptions(bits=bits)


def test_eight_bits_do_not_depend_on_the_option(rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (40, 60), dtype=np.uint8)
    for format in ("PNG", "BMP", "TIFF"):
        plain = read_sheet(saved(image, format), InputSpec(height=16, width=24))
        stated = read_sheet(saved(image, format), InputSpec(height=16, width=24).at_bits(12))
        np.testing.assert_array_equal(plain, stated)
        np.testing.assert_array_equal(plain, fit_gray(image, InputSpec(height=16, width=24)))


def test_a_damaged_directory_of_a_tiff_is_refused() -> None:
    content = tiff(CORNER)
    for length in range(4, len(content)):
        try:
            read_gray(content[:length])
        except BadImage:
            continue
