"""Sizes of defects in the model's input, against masks of known area."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.sheets.catalog import open_data
from steelsight.sheets.defect_sizes import measure_defects
from steelsight.types import InputSpec, SheetSet


@pytest.fixture
def sheets(tmp_path: Path) -> SheetSet:
    """Ten images of 100x200 px whose masks are squares of 10, 20, ... 100 px, and a clean one."""
    rng = np.random.default_rng(0)
    for name in ("none", "dent"):
        (tmp_path / name).mkdir()
    for number in range(11):
        gray = rng.integers(0, 256, (100, 200), dtype=np.uint8)
        folder = tmp_path / ("dent" if number else "none")
        Image.fromarray(gray).save(folder / f"{number}.jpg")
        if number:
            mask = np.zeros((100, 200), dtype=np.uint8)
            mask[: 10 * number, : 10 * number] = 255
            Image.fromarray(mask).save(folder / f"{number}.png")
    return open_data(tmp_path)


def test_a_square_has_its_own_width_where_nothing_is_scaled(sheets: SheetSet) -> None:
    sizes = measure_defects(sheets.items, InputSpec(100, 200))
    assert sizes is not None
    assert sizes.sheets == 10
    assert sizes.smallest_px == pytest.approx(np.quantile(np.arange(10, 101, 10), 0.1))
    assert sizes.median_px == pytest.approx(55)


@pytest.mark.parametrize(
    ("spec", "scale"),
    [
        (InputSpec(50, 100), 0.5),
        (InputSpec(100, 50), 0.5),  # a quarter of the width, all of the height
        (InputSpec(50, 200, "letterbox"), 0.5),
        (InputSpec(100, 400, "crop"), 2.0),
    ],
)
def test_widths_follow_the_scale_of_the_input(sheets: SheetSet, spec: InputSpec, scale: float) -> None:
    whole, scaled = measure_defects(sheets.items, InputSpec(100, 200)), measure_defects(sheets.items, spec)
    assert whole is not None
    assert scaled is not None
    assert scaled.smallest_px == pytest.approx(scale * whole.smallest_px)
    if spec.fit == "stretch":
        moved = whole.at(spec.height, spec.width)
        assert (moved.sheets, moved.height, moved.width) == (10, spec.height, spec.width)
        assert moved.smallest_px == pytest.approx(scaled.smallest_px)
        assert moved.median_px == pytest.approx(scaled.median_px)


def test_sheets_without_masks_have_no_sizes(sheets: SheetSet) -> None:
    clean = [item for item in sheets.items if not item.types]
    assert measure_defects(clean, InputSpec()) is None
    unknown = [replace(item, masks=(), evidence="class") for item in sheets.items if item.types]
    assert measure_defects(unknown, InputSpec()) is None


def test_a_mask_that_is_gone_is_left_out(sheets: SheetSet, tmp_path: Path) -> None:
    (tmp_path / "dent" / "1.png").write_bytes(b"not an image")
    sizes = measure_defects(sheets.items, InputSpec(100, 200))
    assert sizes is not None
    assert sizes.sheets == 9
