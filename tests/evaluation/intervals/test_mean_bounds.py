"""Means and differences that no resample changes have the width that their number of groups leaves open."""

from __future__ import annotations

import numpy as np
import pytest

from steelsight.evaluation.heatmaps.localization import mean_scores
from steelsight.evaluation.intervals.bounds import difference_bounds, mean_bounds
from steelsight.types import Interval


@pytest.mark.parametrize("groups", [2, 6, 40])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_equal_scores_of_few_groups_are_not_certain(value: float, groups: int) -> None:
    found = mean_scores({"dice": np.full(groups, value)}, None, rng=np.random.default_rng(0))["dice"]
    assert found.estimate == pytest.approx(value)
    assert found.high - found.low > 1 / (groups + 4)
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_more_groups_leave_less_open() -> None:
    widths = [
        mean_bounds(Interval(0.0, 0.0, 0.0), groups).high - mean_bounds(Interval(0.0, 0.0, 0.0), groups).low
        for groups in (1, 5, 50, 5000)
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.001


def test_copies_of_one_group_add_nothing() -> None:
    names = [f"coil {i // 10}" for i in range(30)]
    few = mean_scores({"dice": np.zeros(30)}, names, rng=np.random.default_rng(0))["dice"]
    assert few == mean_scores({"dice": np.zeros(3)}, None, rng=np.random.default_rng(0))["dice"]


def test_the_bound_holds_for_populations_that_could_have_given_the_sample() -> None:
    """A mean above the bound would show its zeros alone in fewer than 5 % of samples."""
    for groups in (4, 12, 60):
        high = mean_bounds(Interval(0.0, 0.0, 0.0), groups).high
        assert (1 - high) ** groups < 0.05


def test_an_interval_with_a_width_stays_as_it_is() -> None:
    interval = Interval(0.5, 0.4, 0.6)
    assert mean_bounds(interval, 5) is interval
    assert difference_bounds(interval, 5) is interval


def test_equal_verdicts_on_few_groups_do_not_show_that_models_are_equal() -> None:
    found = difference_bounds(Interval(0.0, 0.0, 0.0), 6)
    assert found.low == -found.high
    assert found.high > 0.3
