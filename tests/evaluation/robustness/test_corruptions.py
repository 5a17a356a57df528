"""Corruptions: none at level 0, stronger with the level, and of the stated size."""

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.robustness.corruptions import CORRUPTIONS, NORMALISED_TO_GRAY, corrupt


@pytest.fixture
def sheets(rng):
    smooth = np.linspace(60, 180, 80)[None, None] + 20 * np.sin(np.arange(32) / 5)[None, :, None]
    return (smooth + rng.normal(0, 6, (3, 32, 80))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_level_0_changes_nothing_and_higher_levels_change_more(kind, sheets):
    assert np.array_equal(corrupt(sheets, kind, 0.0, np.random.default_rng(0)), sheets)
    levels = CORRUPTIONS[kind].levels
    assert levels[0] == 0
    assert list(levels) == sorted(levels)
    before = sheets.copy()
    errors = [
        np.abs(corrupt(sheets, kind, level, np.random.default_rng(1)).astype(float) - sheets).mean()
        for level in (levels[1], levels[-1])
    ]
    assert 0 < errors[0] < errors[1]
    assert np.array_equal(sheets, before)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_equal_seeds_give_equal_corruptions(kind, sheets):
    level = CORRUPTIONS[kind].levels[-1]
    first, second = (corrupt(sheets, kind, level, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first, second)


def test_camera_noise_has_its_sigma(rng):
    flat = np.full((4, 64, 200), 128, np.uint8)
    noisy = corrupt(flat, "camera_noise", 0.15, rng).astype(float)
    # 51,200 draws: five standard errors of a standard deviation, and the twelfth of a gray level of rounding.
    assert abs(noisy.std() - 0.15 * NORMALISED_TO_GRAY) < 5 * 8.6 / (2 * noisy.size) ** 0.5 + 0.02
    assert abs(noisy.mean() - 128) < 0.2


def test_a_stop_doubles_and_halves():
    flat = np.full((1, 4, 4), 50, np.uint8)
    assert (corrupt(flat, "brighter", 1.0, np.random.default_rng(0)) == 100).all()
    assert (corrupt(flat, "darker", 1.0, np.random.default_rng(0)) == 25).all()


def test_dead_columns_are_whole_and_shared(sheets, rng):
    spoilt = corrupt(sheets, "dead_columns", 0.05, rng)
    changed = (spoilt != sheets).any(axis=(0, 1))
    assert changed.sum() == 4
    assert set(np.unique(spoilt[:, :, changed])) <= {0, 255}


@pytest.mark.parametrize(("kind", "level"), [("fog", 1.0), ("blur", -1.0), ("blur", float("nan"))])
def test_bad_input_is_refused(kind, level, sheets, rng):
    with pytest.raises(BadInput, match="corruption"):
        corrupt(sheets, kind, level, rng)
