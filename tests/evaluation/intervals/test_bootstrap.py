"""Intervals: coverage, groups, pairs, and cases without bounds."""

import numpy as np
import pytest
from scipy import stats

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import (
    bootstrap,
    draw_weights,
    group_index,
    interval_of,
    paired_bootstrap,
    share_interval,
    wilson,
)


def test_interval_is_scipys_percentile_interval(rng):
    values = rng.normal(size=80)
    ours = bootstrap(lambda rows: float(values[rows].mean()), 80, rng=rng, resamples=4000)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=rng)
    spread = theirs.confidence_interval.high - theirs.confidence_interval.low
    # Two bootstraps of 4,000 draws: a 2.5 % quantile has a standard error of about 2 % of the width.
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.06 * spread)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.06 * spread)


def test_the_interval_has_its_nominal_coverage(rng):
    hits = 0
    for _ in range(200):
        right = (rng.random(100) < 0.7).astype(float)
        found = bootstrap(lambda rows: float(right[rows].mean()), 100, rng=rng, resamples=200)  # noqa: B023
        hits += found.low <= 0.7 <= found.high
    assert hits >= 180  # 95 % of 200 is 190, standard deviation 3.1; percentile intervals run a little short


def test_sheets_of_a_group_are_resampled_together(rng):
    group = group_index(["a", "a", "b", "", ""], 5)
    assert group.tolist() == [0, 0, 1, 2, 3]
    for weights in draw_weights(group, rng, 50):
        assert (weights[:, 0] == weights[:, 1]).all()
        times = weights[:, [0, 2, 3, 4]].sum(axis=1)
        assert (times == 4).all()


def test_groups_of_equal_sheets_widen_the_interval(rng):
    right = np.repeat(rng.random(20) < 0.7, 10).astype(float)
    names = np.repeat(np.arange(20), 10)

    def metric(rows):
        return float(right[rows].mean())

    alone = bootstrap(metric, 200, rng=rng, resamples=500)
    grouped = bootstrap(metric, 200, names, rng=rng, resamples=500)
    # Ten identical sheets a group: the true ratio of widths is the square root of 10.
    assert 2.4 < (grouped.high - grouped.low) / (alone.high - alone.low) < 4.0


def test_a_single_group_gives_no_bounds(rng):
    found = bootstrap(lambda rows: 0.5, 3, ["a"] * 3, rng=rng)
    assert found.estimate == 0.5
    assert np.isnan([found.low, found.high]).all()


def test_undefined_resamples_are_left_out_and_counted():
    draws = np.array([0.2, np.nan, 0.4, np.nan, 0.6])
    interval, undefined = interval_of(0.4, draws)
    assert undefined == 2
    assert 0.2 <= interval.low < interval.high <= 0.6
    scarce, undefined = interval_of(0.4, np.array([0.4, np.nan, np.nan]))
    assert undefined == 2
    assert np.isnan(scarce.low)


def test_a_paired_difference_is_found_where_single_intervals_overlap(rng):
    hard = rng.random(200) < 0.4
    first = (~hard).astype(float)
    second = first.copy()
    second[np.flatnonzero(first)[:12]] = 0  # the second errs on the same sheets, and on twelve more

    found = paired_bootstrap(
        lambda rows: float(first[rows].mean()), lambda rows: float(second[rows].mean()), 200, rng=rng
    )
    assert found.difference.estimate == pytest.approx(0.06)
    assert found.difference.low > 0
    assert found.share_above > 0.99


def test_a_model_is_no_better_than_itself(rng):
    scores = rng.random(50)

    def metric(rows):
        return float(scores[rows].mean())

    found = paired_bootstrap(metric, metric, 50, rng=rng, resamples=100)
    assert (found.difference.low, found.difference.high, found.share_above) == (0.0, 0.0, 0.5)


@pytest.mark.parametrize(("right", "count"), [(0, 5), (3, 8), (48, 48)])
def test_wilson_is_scipys(right, count):
    expected = stats.binomtest(right, count).proportion_ci(method="wilson")
    found = wilson(right, count)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_bad_input_is_refused(rng):
    with pytest.raises(BadInput, match="groups: expected 3, one a sheet, got 2"):
        bootstrap(lambda rows: 0.0, 3, ["a", "b"], rng=rng)
    with pytest.raises(BadInput, match="resamples: expected at least 1, got 0"):
        bootstrap(lambda rows: 0.0, 3, rng=rng, resamples=0)
    with pytest.raises(BadInput, match="level: expected a share between 0 and 1"):
        interval_of(0.5, np.array([0.5]), level=95.0)


def test_wilsons_interval_contains_its_share() -> None:
    for count in range(1, 60):
        for right in (0, count // 2, count):
            found = wilson(right, count)
            assert found.low <= found.estimate <= found.high


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_groups_of_equal_shares_give_wilsons_bounds_over_groups(groups, rng):
    """Five of six right in every group: resampling groups has no spread, which is no certainty."""
    hit = np.tile([True] * 5 + [False], groups)
    names = [str(row // 6) for row in range(hit.size)]
    found = share_interval(hit, np.ones_like(hit), names, rng=rng, resamples=50)
    assert found.estimate == pytest.approx(5 / 6)
    if groups == 1:
        assert np.isnan(found.low)
        return
    expected = wilson(5 / 6 * groups, groups)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_six_sheets_never_give_an_interval_without_width(rng):
    for right in range(7):
        hit = np.arange(6) < right
        found = share_interval(hit, np.ones_like(hit), rng=rng, resamples=200)
        assert found.low < found.high
        assert found.low <= found.estimate <= found.high


@pytest.mark.parametrize("groups", [None, [str(row // 3) for row in range(60)]])
def test_a_share_of_many_resamples_at_once_is_that_of_each(groups, rng):
    hit, among = rng.random(60) < 0.7, rng.random(60) < 0.5
    slow = bootstrap(
        lambda rows: (hit & among)[rows].sum() / among[rows].sum() if among[rows].any() else np.nan,
        60,
        groups,
        rng=np.random.default_rng(3),
    )
    assert share_interval(hit, among, groups, rng=np.random.default_rng(3)) == slow
    even = share_interval(hit, among, groups, rng=np.random.default_rng(3), weights=np.ones(60))
    assert even == slow
