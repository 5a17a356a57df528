"""The interval of balanced accuracy: against resamples scored one by one, and without spread."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from steelsight.errors import BadInput
from steelsight.evaluation.balanced import balanced_interval
from steelsight.evaluation.intervals.bootstrap import wilson


def test_the_draws_are_scikit_learns_on_the_same_resamples():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 80)
    verdicts = np.where(rng.random(80) < 0.7, labels, rng.integers(0, 3, 80))
    found = balanced_interval(labels, verdicts, 3, rng=np.random.default_rng(8), resamples=60)
    drawn = np.random.default_rng(8).integers(0, 80, (60, 80))
    slow = [balanced_accuracy_score(labels[rows], verdicts[rows]) for rows in drawn]
    assert found.estimate == pytest.approx(balanced_accuracy_score(labels, verdicts))
    assert (found.low, found.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]))


def test_a_part_of_the_sheets_is_scored_alone():
    rng = np.random.default_rng(3)
    labels, verdicts, among = rng.integers(0, 2, 50), rng.integers(0, 2, 50), np.arange(50) < 30
    found = balanced_interval(labels, verdicts, 2, rng=rng, among=among)
    assert found.estimate == pytest.approx(balanced_accuracy_score(labels[:30], verdicts[:30]))


def test_without_spread_the_bounds_are_the_mean_of_the_recalls(rng):
    labels, groups = np.repeat([0, 1], [20, 6]), np.repeat(np.arange(13), 2)  # ten groups, and three
    perfect = balanced_interval(labels, labels, 2, groups, rng=rng)
    assert (perfect.low, perfect.high) == pytest.approx(((wilson(10, 10).low + wilson(3, 3).low) / 2, 1))
    constant = balanced_interval(labels, np.zeros(26, int), 2, groups, rng=rng)
    assert constant.estimate == 0.5
    assert np.isnan([constant.low, constant.high]).all()


def test_one_group_gives_no_bounds(rng):
    labels = np.array([0] * 10 + [1] * 3)
    for groups in (["coil"] * 13, [*(f"tile {i}" for i in range(10)), *["coil"] * 3]):
        found = balanced_interval(labels, labels, 2, groups, rng=rng)
        assert found.estimate == 1
        assert np.isnan([found.low, found.high]).all()


def test_bad_input_is_refused(rng):
    with pytest.raises(BadInput, match="labels: expected class indices from 0 to 1, got 2"):
        balanced_interval(np.array([0, 2]), np.array([0, 1]), 2, rng=rng)
    with pytest.raises(BadInput, match="verdicts: expected class indices from 0 to 1, got 5"):
        balanced_interval(np.array([0, 1]), np.array([0, 5]), 2, rng=rng)


def test_a_constant_verdict_has_no_bounds(rng):
    """Its balanced accuracy is one half whatever the sheets are, so no interval is estimated."""
    labels = np.array([0, 1] * 6)
    found = balanced_interval(labels, np.zeros_like(labels), 2, rng=rng)
    assert found.estimate == 0.5
    assert np.isnan(found.low)
    assert np.isnan(found.high)
    almost = np.zeros_like(labels)
    almost[1] = 1
    found = balanced_interval(labels, almost, 2, rng=rng)
    assert found.low < found.estimate < found.high
