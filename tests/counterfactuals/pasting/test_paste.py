"""Pasting stamps: never on the defect; the control differs only in its gray; dose 0 changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.counterfactuals.proof_cases import stained, steel

from steelsight.counterfactuals.pasting.paste import (
    MOST_LOST,
    Stamp,
    control_stamp,
    cut_stamp,
    draw_stamp,
    lay,
    mirrored_stamp,
    place_stamp,
    resize_stamp,
)
from steelsight.errors import BadInput

SEEDS = st.integers(0, 10_000)
few = settings(max_examples=30)


def _disc(size: int, gray: float = 250.0) -> Stamp:
    y, x = np.ogrid[:size, :size]
    cover = ((y - size / 2 + 0.5) ** 2 + (x - size / 2 + 0.5) ** 2 <= (size / 2) ** 2).astype(np.float32)
    return Stamp(cover, np.full((size, size), gray, np.float32))


@few
@given(SEEDS, st.integers(0, 110))
def test_no_pixel_of_the_defect_and_none_outside_the_box_changes(seed: int, left: int) -> None:
    rng = np.random.default_rng(seed)
    gray, defect = steel(rng), np.zeros((64, 160), bool)
    defect[int(rng.integers(0, 40)) :, left : left + int(rng.integers(1, 50))] = True
    stamp = draw_stamp(rng, 64) if seed % 2 else _disc(int(rng.integers(3, 40)))
    place = place_stamp(stamp, defect, rng)
    if place is None:
        return
    kept_off = stamp.cover[defect[place[0] :, place[1] :][: stamp.size[0], : stamp.size[1]]].sum()
    assert kept_off <= MOST_LOST * stamp.cover.sum() + 0.1
    laid = lay(gray, stamp, place, keep_off=defect)
    assert (laid.gray[defect] == gray[defect]).all()
    assert not (laid.mask & defect).any()
    box = np.zeros_like(defect)
    box[place[0] : place[0] + stamp.size[0], place[1] : place[1] + stamp.size[1]] = True
    assert (laid.gray[~box] == gray[~box]).all()


@few
@given(SEEDS)
def test_the_control_covers_the_same_pixels_at_the_mean_they_had(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gray, donor = steel(rng, level=rng.uniform(90, 130)), steel(rng, level=rng.uniform(70, 160))
    stamp, nothing = draw_stamp(rng, 64), np.zeros((64, 160), bool)
    place, origin = (place_stamp(stamp, nothing, rng) for _ in range(2))
    assert place is not None
    assert origin is not None
    control = control_stamp(stamp, gray, place, donor, origin)
    assert (control.cover == stamp.cover).all()
    first, second = lay(gray, stamp, place), lay(gray, control, place)
    assert (first.mask == second.mask).all()
    # Rounding errors of half a gray level cancel; the sheet's mean is unchanged.
    assert second.gray.mean() == pytest.approx(gray.mean(), abs=0.02)
    assert first.gray.mean() > gray.mean() + 0.05
    assert np.abs(second.gray[second.mask].astype(float) - gray[second.mask]).max() > 3  # another grain


@pytest.mark.parametrize("width", [1, 30, 83, 120])
def test_an_end_is_filled_with_the_mirrored_steel(width: int, rng: np.random.Generator) -> None:
    gray, end = steel(rng), Stamp(np.ones((64, width), np.float32), np.zeros((64, width), np.float32))
    at_left = lay(gray, mirrored_stamp(end, gray, (0, 0)), (0, 0)).gray
    at_right = lay(gray, mirrored_stamp(end, gray, (0, 160 - width)), (0, 160 - width)).gray
    for filled, far in ((at_left, slice(width, None)), (at_right, slice(None, 160 - width))):
        assert (filled[:, far] == gray[:, far]).all()
    near = min(width, 160 - width)
    assert (at_left[:, width - near : width] == gray[:, width : width + near][:, ::-1]).all()
    left = 160 - width
    assert (at_right[:, left : left + near] == gray[:, left - near : left][:, ::-1]).all()


def test_brightness_scales_from_unchanged_to_the_whole_stamp() -> None:
    rng = np.random.default_rng(1)
    gray, stamp = steel(rng), draw_stamp(rng, 64)
    assert (lay(gray, stamp.faded(0.0), (0, 5)).gray == gray).all()
    assert (lay(gray, stamp.faded(1.0), (0, 5)).gray == lay(gray, stamp, (0, 5)).gray).all()
    means = [lay(gray, stamp.faded(share), (0, 5)).gray.mean() for share in (0.0, 0.25, 0.5, 1.0)]
    assert means == sorted(means)
    # The covered pixels are the same at every brightness.
    assert (lay(gray, stamp.faded(0.3), (0, 5)).mask == lay(gray, stamp, (0, 5)).mask).all()


@few
@given(st.floats(0.1, 1.0))
def test_a_resized_stamp_has_the_share_of_the_area(share: float) -> None:
    stamp = _disc(40)
    small = resize_stamp(stamp, share)
    assert small.area_px == pytest.approx(share * stamp.area_px, rel=0.2)
    assert small.gray[small.cover > 0.5] == pytest.approx(250, abs=0.01)


def test_a_cut_stamp_pasted_back_restores_the_sheet(rng: np.random.Generator) -> None:
    gray, mask = stained(steel(rng), top=20, left=90)
    stamp = cut_stamp(gray, mask)
    assert stamp.size == (16, 14)  # with its seam
    assert (lay(gray, stamp, (19, 89)).gray == gray).all()
    other = steel(rng)
    laid = lay(other, stamp, (4, 30))
    assert (laid.gray[5:19, 31:43] == 252).all()
    assert laid.area_px >= mask.sum()


def test_a_drawn_stain_fits_a_sheet(rng: np.random.Generator) -> None:
    for _ in range(20):
        stamp = draw_stamp(rng, 64)
        assert stamp.size[0] <= 64
        assert stamp.size[1] <= 88
        assert stamp.cover.min() >= 0
        assert stamp.cover.max() <= 1
        assert stamp.area_px > 0


def test_a_stamp_is_placed_where_the_least_is_cut_away(rng: np.random.Generator) -> None:
    keep_off = np.ones((64, 160), bool)
    keep_off[10:30, 100:120] = False  # just room for it
    assert place_stamp(_disc(20), keep_off, rng) == (10, 100)
    keep_off[20:, 100:120] = True  # half of it would be lost
    assert place_stamp(_disc(20), keep_off, rng) is None
    assert place_stamp(_disc(65), np.zeros((64, 160), bool), rng) is None
    assert place_stamp(Stamp(*np.zeros((2, 4, 4), np.float32)), keep_off, rng) is None


def test_stamps_off_the_sheet_empty_masks_and_bad_shares_are_refused(rng: np.random.Generator) -> None:
    gray = steel(rng)
    with pytest.raises(BadInput, match="stamp of 10x10 at row 60, column 0: expected it within the sheet"):
        lay(gray, _disc(10), (60, 0))
    with pytest.raises(BadInput, match="expected a mask of 64x160 with a marked pixel, got 64x160 with 0"):
        cut_stamp(gray, np.zeros((64, 160), bool))
    with pytest.raises(BadInput, match="area share: expected a number above 0, got 0"):
        resize_stamp(_disc(10), 0.0)
