"""What values say: masks, flat pictures and photographs, whatever the file is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from steelsight.errors import BadImage
from steelsight.sheets.mask_values import look_at, look_of, marked_pixels, read_values
from steelsight.sheets.masks import mask_facts, read_mask_file

Make = Callable[..., Any]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".jpg"])
def test_the_suffix_says_nothing(suffix: str, tmp_path: Path, put: Make, texture: Make, stripe: Make) -> None:
    options = {"quality": 80} if suffix == ".jpg" else {}
    assert look_at(put(tmp_path / f"mask{suffix}", stripe(64, 96), **options)).kind == "mask"
    assert look_at(put(tmp_path / f"photo{suffix}", texture(64, 96), **options)).kind == "photograph"
    assert look_at(put(tmp_path / f"flat{suffix}", np.zeros((64, 96), np.uint8), **options)).kind == "flat"


def test_what_cannot_be_read_is_neither(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    assert look_at(tmp_path / "a.png").kind == "unreadable"


def test_smoothed_masks_are_cut_at_half(tmp_path: Path, put: Make, stripe: Make) -> None:
    sharp = stripe(64, 96)
    path = put(tmp_path / "a.png", Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(1.0)))
    assert look_at(path).kind == "mask"
    assert np.abs(read_mask_file(path).astype(int) - (sharp > 0)).sum() <= 4  # corners alone


@settings(deadline=None)
@given(st.lists(st.integers(1, 31), min_size=2, max_size=5, unique=True))
def test_every_index_marks(values: list[int]) -> None:
    mask = np.zeros((40, 60), dtype=np.uint16)
    for place, value in enumerate(values):
        mask[5:30, 5 + 10 * place : 12 + 10 * place] = value
    assert look_of(mask).kind == "mask"
    assert np.array_equal(marked_pixels(mask), mask > 0)


def test_gray_shades_of_areas_mark_and_of_edges_do_not() -> None:
    areas = np.zeros((30, 30), dtype=np.uint16)
    areas[4:12, 4:12], areas[16:26, 16:26] = 85, 255
    assert np.array_equal(marked_pixels(areas), areas > 0)
    edges = np.zeros((30, 30), dtype=np.uint16)
    edges[4:12, 4:12], edges[5:11, 5:11] = 85, 255
    assert np.array_equal(marked_pixels(edges), edges == 255)


def test_sixteen_bits_and_palettes_keep_their_numbers(tmp_path: Path) -> None:
    values = np.zeros((20, 30), dtype=np.uint16)
    values[2:8, 2:8], values[10:18, 10:28] = 1, 2
    Image.fromarray(values).save(tmp_path / "wide.png")
    picture = Image.fromarray(values.astype(np.uint8), "L").convert("P")
    picture.putdata(values.ravel().tolist())
    picture.putpalette([0, 0, 0, 250, 10, 10, 10, 10, 250] + [0] * 759)
    picture.save(tmp_path / "palette.png")
    for name in ("wide.png", "palette.png"):
        assert np.array_equal(read_values(tmp_path / name), values)
        assert np.array_equal(read_mask_file(tmp_path / name, 2), values == 2)


def test_a_photograph_is_no_mask_file(tmp_path: Path, put: Make, texture: Make) -> None:
    with pytest.raises(BadImage, match=r"a\.png: expected a mask .*, found a photograph; replace it"):
        mask_facts(put(tmp_path / "a.png", texture(64, 96)))
