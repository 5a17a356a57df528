"""Filling a hole: running means against SciPy, and nothing but the hole changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter
from tests.counterfactuals.proof_cases import steel

from steelsight.counterfactuals.pasting.filling import REACH_PX, HoleFiller, blurred, fill_hole


@pytest.mark.parametrize("reach", REACH_PX)
@pytest.mark.parametrize("shape", [(64, 160), (20, 31), (1, 200)])
def test_running_means_are_those_of_scipy(
    rng: np.random.Generator, reach: int, shape: tuple[int, int]
) -> None:
    values = rng.uniform(0, 255, shape).astype(np.float32)
    once = uniform_filter(values, 2 * reach + 1, mode="nearest")
    twice = uniform_filter(once, 2 * reach + 1, mode="nearest")
    # Both sum in double precision and round to single after each axis: at most a unit in the last place.
    np.testing.assert_allclose(blurred(values, reach), twice, rtol=2e-7)


def test_only_the_hole_changes_and_gets_the_level_and_the_grain_around_it(rng: np.random.Generator) -> None:
    ramp = np.linspace(-25, 25, 160)  # uneven light: 6 gray levels across the hole
    off, grain = [], []
    for _ in range(20):
        gray = np.clip(steel(rng).astype(float) + ramp, 0, 255).astype(np.uint8)
        hole = np.zeros(gray.shape, dtype=bool)
        hole[20:40, 60:80] = True
        marked = np.where(hole, 250, gray).astype(np.uint8)
        filled = fill_hole(marked, hole, rng)
        assert (filled[~hole] == marked[~hole]).all()
        off.append(abs(filled[hole].mean() - gray[hole].mean()))
        grain.append(filled[hole].std() / gray[hole].std())
    assert np.median(off) < 4
    assert 0.8 < np.median(grain) < 1.3


def test_one_filler_serves_every_hole_of_a_sheet(rng: np.random.Generator) -> None:
    gray = steel(rng)
    gray[:, :20] = 0  # the sheet's end
    holes = [np.zeros(gray.shape, dtype=bool) for _ in range(2)]
    holes[0][10:30, 50:80] = True
    holes[1][30:60, 100:120] = True
    filler = HoleFiller(gray, holes[0] | holes[1])
    for hole, other in (holes, holes[::-1]):
        shifts = filler.seamless_shifts(hole)
        for shift in (shifts[0], shifts[-1]):
            filled = filler.fill(hole, shift)
            assert (filled == HoleFiller(gray, hole | other).fill(hole, shift)).all()
            assert filled[hole].min() > 60  # nothing of the end


def test_what_is_kept_off_is_never_used_as_fill(rng: np.random.Generator) -> None:
    gray = steel(rng)
    hole, keep_off = np.zeros(gray.shape, dtype=bool), np.zeros(gray.shape, dtype=bool)
    hole[10:50, 10:30] = True
    keep_off[:, 60:140] = True
    gray[keep_off] = 250
    filled = fill_hole(gray, hole, rng, keep_off=keep_off)
    assert (filled[keep_off] == 250).all()
    assert filled[hole].max() < 200


def test_an_empty_hole_gives_a_copy(rng: np.random.Generator) -> None:
    gray = steel(rng)
    filled = fill_hole(gray, np.zeros(gray.shape, dtype=bool), rng)
    assert (filled == gray).all()
    assert filled is not gray


@given(st.integers(0, 39), st.integers(1, 40), st.integers(0, 39), st.integers(1, 40))
def test_a_seamless_shift_takes_what_lies_beside_and_the_fewest_unwanted_pixels(
    left: int, width: int, other: int, wide: int
) -> None:
    """Against trying every shift: the source of the hole lies within the image, in one piece."""
    gray = np.full((3, 40), 100, dtype=np.uint8)
    hole, keep_off = np.zeros(gray.shape, dtype=bool), np.zeros(gray.shape, dtype=bool)
    hole[1, left : left + width] = True
    keep_off[:2, other : other + wide] = True
    filler = HoleFiller(gray, hole | keep_off)
    columns = np.flatnonzero(hole.any(axis=0))
    inside = [
        each for each in range(-39, 40) if each and 0 <= (columns - each).min() <= (columns - each).max() < 40
    ]
    fewest = min((filler.unwanted_in(hole, each) for each in inside), default=0)
    expected = [each for each in inside if filler.unwanted_in(hole, each) == fewest] or [20]
    assert sorted(filler.seamless_shifts(hole)) == expected
