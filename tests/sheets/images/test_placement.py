"""Where an image lands, the way back, and area averaging against a slow twin."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from steelsight.sheets.images import axis_weights, placement
from steelsight.sheets.images.placement import place, resample
from steelsight.types import InputSpec

FITS = st.sampled_from(["stretch", "letterbox", "crop"])
SIDES = st.integers(1, 60)


def slow_area(image: np.ndarray, box: Any, out: tuple[int, int]) -> np.ndarray:
    """Every overlap of every pixel with every output, one at a time."""
    left, top, right, bottom = box
    result = np.zeros(out)
    for i in range(out[0]):
        for j in range(out[1]):
            y0, y1 = (top + (bottom - top) * k / out[0] for k in (i, i + 1))
            x0, x1 = (left + (right - left) * k / out[1] for k in (j, j + 1))
            for y in range(image.shape[0]):
                for x in range(image.shape[1]):
                    tall = max(0.0, min(y1, y + 1) - max(y0, y))
                    wide = max(0.0, min(x1, x + 1) - max(x0, x))
                    result[i, j] += image[y, x] * tall * wide / ((y1 - y0) * (x1 - x0))
    return result


@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("size", [(9, 14), (7, 20), (3, 4), (11, 11)])
def test_area_average_agrees_with_the_slow_twin(
    fit: Any, size: tuple[int, int], rng: np.random.Generator
) -> None:
    spec = InputSpec(height=4, width=6, fit=fit)
    image = rng.integers(0, 256, size, dtype=np.uint8)
    placement = place(size, spec)
    expected = slow_area(image, placement.original_box, (4, 6))
    # float32 keeps 24 bits of values up to 255
    np.testing.assert_allclose(resample(image, placement, spec, smooth=False), expected, atol=1e-4)


def test_enlarging_interpolates_and_masks_do_not() -> None:
    spec = InputSpec(height=1, width=8)
    image = np.array([[0, 200]], dtype=np.uint8)
    placement = place((1, 2), spec)
    smooth = resample(image, placement, spec, smooth=True)
    np.testing.assert_allclose(smooth[0], [0, 0, 25, 75, 125, 175, 200, 200], atol=1e-4)
    np.testing.assert_allclose(resample(image, placement, spec, smooth=False)[0], [0] * 4 + [200] * 4)


@given(SIDES, SIDES, FITS)
def test_a_flat_image_stays_flat_where_it_is(height: int, width: int, fit: Any) -> None:
    spec = InputSpec(height=8, width=20, fit=fit)
    placement = place((height, width), spec)
    image = np.full((height, width), 137, dtype=np.uint8)
    x0, y0, x1, y1 = placement.model_box
    result = resample(image, placement, spec, smooth=True)
    np.testing.assert_allclose(result[y0:y1, x0:x1], 137, atol=1e-3)
    assert result.sum() == pytest.approx(137 * (y1 - y0) * (x1 - x0), rel=1e-5)


@given(SIDES, SIDES, FITS, st.tuples(*[st.floats(0, 1)] * 4))
def test_boxes_come_back(height: int, width: int, fit: Any, shares: tuple[float, ...]) -> None:
    placement = place((height, width), InputSpec(height=8, width=20, fit=fit))
    left, top, right, bottom = placement.original_box
    box = (
        left + shares[0] * (right - left),
        top + shares[1] * (bottom - top),
        left + shares[2] * (right - left),
        top + shares[3] * (bottom - top),
    )
    assert placement.to_original(placement.to_model(box)) == pytest.approx(box, abs=1e-6)
    assert placement.to_original(placement.model_box) == pytest.approx(placement.original_box)


def test_the_three_fits() -> None:
    wide = (100, 400)
    assert place(wide, InputSpec(64, 400, "stretch")).model_box == (0, 0, 400, 64)
    boxed = place(wide, InputSpec(64, 400, "letterbox"))
    assert boxed.model_box == (72, 0, 328, 64)
    assert boxed.to_original((0, 0, 200, 32)) == pytest.approx((0, 0, 200, 50))
    cropped = place(wide, InputSpec(64, 400, "crop"))
    assert cropped.original_box == pytest.approx((0, 18, 400, 82))
    assert cropped.to_model((0, 0, 400, 100)) == (0, 0, 400, 64)


@given(st.integers(1, 300), st.integers(1, 300), FITS, st.booleans(), st.integers(0, 2**32 - 1))
def test_blocks_give_the_same_as_the_whole_image(
    height: int, width: int, fit: Any, smooth: bool, seed: int
) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    spec = InputSpec(height=7, width=23, fit=fit)
    where = place((height, width), spec)
    whole = resample(image, where, spec, smooth=smooth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "WHOLE", 64)
        patch.setattr(axis_weights, "_BLOCK", 16)
        blocks = resample(image, where, spec, smooth=smooth)
        opened = resample(Image.fromarray(image), where, spec, smooth=smooth)
    np.testing.assert_allclose(blocks, whole, atol=1e-3)  # sums in another order, of values up to 255
    np.testing.assert_array_equal(opened, blocks)


@pytest.mark.parametrize("size", [(16, 100_003), (1, 2**22 + 1), (2**22 + 1, 1), (2100, 2003)])
def test_memory_does_not_follow_the_longer_side(size: tuple[int, int]) -> None:
    gray, spec = Image.new("L", (size[1], size[0]), 7), InputSpec()
    tracemalloc.start()
    resampled = resample(gray, place(size, spec), spec, smooth=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(resampled, 7, atol=1e-3)
    assert peak < 2**26


def test_weights_that_are_kept_have_a_bound_in_bytes() -> None:
    spec = InputSpec()
    for width in range(4000, 4050):
        resample(np.zeros((2, width), dtype=np.uint8), place((2, width), spec), spec, smooth=True)
    kept = sum(each.nbytes for each in axis_weights._weights.values())
    assert 0 < kept <= axis_weights.MAX_KEPT
