"""A power law is recovered, stays below 1, and never falls with more sheets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.evaluation.curves.learning_curve import PowerLaw, fit_power_law, gain_interval
from steelsight.types import Interval


@given(st.floats(0.6, 1.0), st.floats(0.2, 2.0), st.floats(0.15, 1.2))
def test_a_power_law_is_recovered(ceiling, gap, rate):
    sizes = [100.0, 200, 400, 800, 1600]
    law = PowerLaw(ceiling, gap, rate)
    scores = [max(0.0, law.at(n)) for n in sizes]
    if min(scores) == 0:
        return
    found = fit_power_law(sizes, scores)
    assert [found.at(n) for n in sizes] == pytest.approx(scores, abs=2e-3)
    assert found.gain(1600, 2) == pytest.approx(law.gain(1600, 2), abs=5e-3)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_the_curve_rises_and_stays_below_1(scores):
    law = fit_power_law([50, 100, 200, 400], scores)
    assert law.ceiling <= 1
    assert law.gain(400, 10) >= 0
    assert law.rate > 0


@pytest.mark.parametrize(
    ("sizes", "scores", "message"),
    [
        ([10, 20], [0.1, 0.2], "three sizes or more, got 2 sizes"),
        ([10, 10, 20], [0.1, 0.2, 0.3], "got 2 sizes"),
        ([10, 20, 40], [0.1, 0.2], "and 2 scores"),
        ([0, 20, 40], [0.1, 0.2, 0.3], "sizes of at least 1"),
        ([10, 20, 40], [0.1, 0.2, np.nan], "scores from 0 to 1"),
    ],
)
def test_bad_input_is_refused(sizes, scores, message):
    with pytest.raises(BadInput, match=message):
        fit_power_law(sizes, scores)


def test_a_score_without_sheets_is_refused():
    with pytest.raises(BadInput, match="expected at least one sheet, got 0"):
        PowerLaw(1.0, 1.0, 1.0).at(0)


def scores_of(values, half):
    return [Interval(value, max(0.0, value - half), min(1.0, value + half)) for value in values]


def test_a_clear_rise_has_a_gain_above_0(rng):
    law = PowerLaw(0.95, 2.0, 0.4)
    sizes = [100, 200, 400, 800, 1600]
    gain = gain_interval(sizes, scores_of([law.at(n) for n in sizes], 0.005), 2, rng=rng)
    assert 0 < gain.low <= gain.estimate <= gain.high
    assert gain.low < law.gain(1600, 2) < gain.high


@pytest.mark.parametrize("values", [(0.39, 0.5, 0.55, 0.53, 0.47), (0.5,) * 5, (0.9, 0.7, 0.5, 0.4, 0.3)])
def test_noisy_points_have_a_gain_that_cannot_be_told_from_0(rng, values):
    gain = gain_interval([13, 27, 54, 94, 134], scores_of(values, 0.2), 2, rng=rng)
    assert gain.low < 0.0005
    assert gain.high >= gain.estimate >= 0


def test_wider_scores_give_wider_gains(rng):
    law = PowerLaw(0.95, 2.0, 0.4)
    sizes = [100, 200, 400, 800]
    widths = []
    for half in (0.005, 0.02, 0.08):
        found = gain_interval(sizes, scores_of([law.at(n) for n in sizes], half), 4, rng=rng)
        widths.append(found.high - found.low)
    assert widths == sorted(widths)


def test_a_score_without_bounds_leaves_the_gain_without(rng):
    scores = scores_of([0.5, 0.6, 0.7], 0.01)
    scores[1] = Interval(0.6, float("nan"), float("nan"))
    gain = gain_interval([10, 20, 40], scores, 2, rng=rng)
    assert np.isnan(gain.low)
    assert np.isnan(gain.high)
    assert gain.estimate > 0
