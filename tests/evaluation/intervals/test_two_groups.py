"""Comparison of two groups: against SciPy and pair counting, with ties, groups of one, and the interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import PermutationMethod, brunnermunzel, mannwhitneyu, norm

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.two_groups import (
    cliffs_delta,
    compare_groups,
    delta_interval,
    power_for,
    sheets_needed,
)


def test_without_ties_p_is_scipys_exact_one(rng: np.random.Generator) -> None:
    x, y = rng.normal(0, 1, 50), rng.normal(0.6, 2, 40)
    found = compare_groups(x, y, rng=rng)
    told = mannwhitneyu(x, y, alternative="less", method="exact")
    assert found.method == "exact"
    assert found.p_value == told.pvalue
    assert found.u == x.size * y.size - told.statistic  # SciPy counts pairs with X above
    assert found.brunner_munzel_p == brunnermunzel(x, y, alternative="less").pvalue


def test_with_ties_p_is_tie_corrected_or_for_small_groups_permuted(rng: np.random.Generator) -> None:
    x, y = rng.integers(0, 5, 40).astype(float), rng.integers(1, 6, 30).astype(float)
    found = compare_groups(x, y, rng=rng)
    assert found.method == "normal, tie-corrected"
    assert found.p_value == mannwhitneyu(x, y, alternative="less", method="asymptotic").pvalue
    small = compare_groups(np.array([1.0, 1, 2]), np.array([2.0, 3, 3]), rng=rng)
    assert small.method == "permutation"
    # 20 ways to choose three of six: the lowest rank sum is reached by {1, 1, 2} with either 2.
    assert small.p_value == pytest.approx(2 / 20)


def test_the_power_of_fifty_sheets_a_group() -> None:
    x, y = np.arange(50.0), np.arange(50.0) + 100
    found = compare_groups(x, y, rng=np.random.default_rng(0))
    assert found.p_value == pytest.approx(1 / math.comb(100, 50))
    assert found.smallest_p == pytest.approx(found.p_value)
    assert found.brunner_munzel_p is None  # groups that do not overlap have no variance
    assert found.delta.estimate == 1
    assert 0.85 < found.delta.low < 1


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
)
def test_delta_counts_pairs_and_its_interval_contains_it(x: list[int], y: list[int]) -> None:
    pairs = np.sign(np.subtract.outer(np.array(y), np.array(x))).mean()
    delta = cliffs_delta(np.array(x, float), np.array(y, float))
    assert delta == pytest.approx(pairs)
    bounds = delta_interval(delta, len(x), len(y))
    assert -1 <= bounds.low <= delta <= bounds.high <= 1
    assert bounds.low < bounds.high


def test_an_increasing_map_changes_nothing(rng: np.random.Generator) -> None:
    x, y = rng.normal(0, 1, 30), rng.normal(0.5, 1, 25)
    found, mapped = (compare_groups(f(x), f(y), rng=rng) for f in (np.asarray, np.exp))
    assert (found.p_value, found.delta) == (mapped.p_value, mapped.delta)


def test_tied_identical_and_single_scores() -> None:
    rng = np.random.default_rng(0)
    tied = compare_groups(np.ones(5), np.ones(7), rng=rng)
    assert (tied.p_value, tied.method, tied.delta.estimate) == (1.0, "all tied", 0.0)
    assert (tied.tied_pairs, tied.needed) == (35, None)
    same = compare_groups(np.arange(30.0), np.arange(30.0), rng=rng)
    assert same.delta.estimate == 0
    assert 0.4 < same.p_value < 0.6
    one = compare_groups(np.zeros(1), np.ones(1), rng=rng)
    assert one.p_value == one.smallest_p == 0.5  # never evidence
    assert one.brunner_munzel_p is None
    assert one.delta.low < 0


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([], [1.0], "got 0 without and 1 with"),
        ([1.0], [], "got 1 without and 0 with"),
        ([math.nan], [1.0], "NaN"),
    ],
)
def test_empty_groups_and_nan_are_refused(x: list[float], y: list[float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        compare_groups(np.array(x), np.array(y), rng=np.random.default_rng(0))


def test_large_groups_leave_the_exact_distribution(rng: np.random.Generator) -> None:
    x, y = rng.normal(0, 1, 1200), rng.normal(0.1, 1, 100)
    assert compare_groups(x, y, rng=rng).method == "normal"
    few = compare_groups(rng.normal(0, 1, 4000).round(1), rng.normal(3, 1, 8).round(1), rng=rng)
    assert few.method == "permutation"
    assert few.p_value < 0.001


def test_one_score_against_tied_ones() -> None:
    rng = np.random.default_rng(0)
    above = compare_groups(np.array([1.0, 1, 2, 2]), np.array([2.0]), rng=rng)
    assert (above.method, above.p_value) == ("permutation", 3 / 5)
    below = compare_groups(np.array([1.0]), np.array([1.0, 1, 2, 2]), rng=rng)
    assert (below.method, below.p_value) == ("permutation", 3 / 5)


def test_permuted_ranks_are_scipys_permuted_u(rng: np.random.Generator) -> None:
    x, y = rng.integers(0, 6, 30).astype(float), rng.integers(1, 7, 9).astype(float)
    ours = compare_groups(x, y, rng=np.random.default_rng(1))
    told = mannwhitneyu(x, y, alternative="less", method=PermutationMethod(rng=np.random.default_rng(2)))
    assert ours.method == "permutation"
    error = math.sqrt(told.pvalue * (1 - told.pvalue) / 9_999)
    assert abs(ours.p_value - told.pvalue) < 5 * math.sqrt(2) * error


def test_the_advised_sample_size_has_its_power(rng: np.random.Generator) -> None:
    delta, size = 0.4, sheets_needed(0.4)
    assert power_for(delta, size, size) == pytest.approx(0.9, abs=0.01)
    apart = norm.ppf((delta + 1) / 2) * np.sqrt(2)  # of two normals with that delta
    tests = [
        compare_groups(rng.normal(0, 1, size), rng.normal(apart, 1, size), rng=rng).p_value <= 0.05
        for _ in range(300)
    ]
    assert 0.84 < np.mean(tests) < 0.96  # 3.5 standard errors of 300 tests at .9
    with pytest.raises(BadInput, match="above 0"):
        sheets_needed(0.0)


@pytest.mark.parametrize(("without", "with_it", "apart"), [(50, 50, 0.0), (30, 10, 1.0), (200, 20, 0.5)])
def test_the_interval_covers(without: int, with_it: int, apart: float, rng: np.random.Generator) -> None:
    true = 2 * norm.cdf(apart / np.sqrt(2)) - 1
    hits = 0
    for _ in range(400):
        delta = cliffs_delta(rng.normal(0, 1, without), rng.normal(apart, 1, with_it))
        bounds = delta_interval(delta, without, with_it)
        hits += bounds.low <= true <= bounds.high
    assert hits / 400 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400)
