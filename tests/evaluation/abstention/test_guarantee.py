"""Certificates: exact bounds, a fixed sequence, groups as units. The coverage itself is in tests/long."""

import numpy as np
import pytest
from scipy.stats import binom

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.guarantee import certify, sheets_needed, upper_bound


@pytest.mark.parametrize(("wrong", "count"), [(0, 50), (3, 120), (20, 60)])
def test_the_bound_is_where_so_few_errors_have_probability_delta(wrong, count):
    bound = upper_bound(wrong, count, 0.1)
    assert binom.cdf(wrong, count, bound) == pytest.approx(0.1)


def test_no_answers_prove_nothing():
    assert upper_bound(0, 0, 0.1) == 1.0
    assert upper_bound(5, 5, 0.1) == 1.0


@pytest.mark.parametrize(("risk", "delta", "wrong"), [(0.01, 0.1, 0), (0.05, 0.05, 2), (0.2, 0.01, 5)])
def test_sheets_needed_is_the_smallest(risk, delta, wrong):
    count = sheets_needed(risk, delta, wrong=wrong)
    assert upper_bound(wrong, count, delta) <= risk
    assert upper_bound(wrong, count - 1, delta) > risk


def test_the_loosest_threshold_that_passes_is_taken(rng):
    scores = np.linspace(1, 0, 1000)
    right = np.arange(1000) < 700  # the surest 700 are right, the others wrong
    found = certify(right, scores, np.linspace(0, 1, 21).tolist(), risk=0.02, delta=0.1, rng=rng)
    assert found.threshold == pytest.approx(0.3, abs=0.051)
    assert (right[scores >= found.threshold]).mean() >= 0.98
    assert [step.passed for step in found.tested].count(False) >= 1
    assert not found.tested[-1].passed  # it stopped at the first failure
    assert found.tested[-1].threshold < found.threshold
    assert "90 %" in found.statement


def test_none_can_be_certified_says_how_many_are_missing(rng):
    found = certify(np.ones(50, bool), np.ones(50), [0.5, 0.9], risk=0.01, delta=0.1, rng=rng)
    assert found.threshold is None
    assert found.coverage == 0
    assert 50 + found.more_groups == pytest.approx(sheets_needed(0.01, 0.1), rel=0.12)
    assert "no threshold can be certified" in found.statement


def test_a_group_counts_once(rng):
    right, groups = np.ones(400, bool), np.repeat(np.arange(40), 10)
    alone = certify(right, np.ones(400), [0.5], risk=0.01, delta=0.1, rng=rng)
    grouped = certify(right, np.ones(400), [0.5], risk=0.01, delta=0.1, rng=rng, groups=groups)
    assert alone.threshold == 0.5
    assert grouped.threshold is None
    assert grouped.tested[0].answered == 40


def test_the_drawn_sheet_of_a_group_is_right_as_often_as_its_sheets(rng):
    right, groups = np.tile([True, True, True, False], 3000), np.repeat(np.arange(3000), 4)
    found = certify(right, np.ones(12_000), [0.5], risk=0.5, delta=0.1, rng=rng, groups=groups)
    # 3,000 draws with probability 1/4 each: five standard deviations.
    assert abs(found.tested[0].wrong / 3000 - 0.25) < 5 * (0.25 * 0.75 / 3000) ** 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"right": np.zeros(0, bool), "scores": np.zeros(0)}, "at least one"),
        ({"thresholds": []}, "thresholds"),
        ({"thresholds": [1.5]}, "thresholds"),
        ({"risk": 0.0}, "risk"),
        ({"delta": 1.0}, "delta"),
        ({"scores": np.array([0.5, np.nan])}, "NaN|finite"),
    ],
)
def test_what_cannot_be(settings, message, rng):
    given = {"right": np.ones(2, bool), "scores": np.ones(2), "thresholds": [0.5], "risk": 0.1, "delta": 0.1}
    given |= settings
    right, scores, thresholds = (given.pop(name) for name in ("right", "scores", "thresholds"))
    with pytest.raises(BadInput, match=message):
        certify(right, scores, thresholds, rng=rng, **given)
