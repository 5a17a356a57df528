"""A power law is recovered, stays below 1, and never falls with more sheets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.evaluation.curves.learning_curve import PowerLaw, fit_power_law


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
