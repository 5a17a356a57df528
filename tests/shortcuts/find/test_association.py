"""Association within classes: compared with SciPy and slow reference code, and its invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, somersd

from steelsight.shortcuts.find.association import permutation_p, somers_d, with_class


def _alone(count: int) -> np.ndarray:
    return np.arange(count)


def _slow(value: np.ndarray, margin: np.ndarray, strata: np.ndarray, groups: np.ndarray) -> float:
    """Somers' D pair by pair."""
    agree = differ = 0.0
    for i in range(value.size):
        for j in range(value.size):
            if strata[i] == strata[j] and groups[i] != groups[j] and value[i] != value[j]:
                differ += 1
                agree += np.sign(value[i] - value[j]) * np.sign(margin[i] - margin[j])
    return agree / differ if differ else float("nan")


def test_one_stratum_is_scipys_somers_d(rng: np.random.Generator) -> None:
    value = rng.integers(0, 4, 60).astype(float)
    margin = np.round(value + rng.normal(0, 2, 60), 1)
    ours = somers_d(value[:, None], margin[:, None], np.zeros(60, np.int64), _alone(60))[0][0]
    assert ours.estimate == pytest.approx(somersd(value, margin).statistic)


def test_a_binary_property_gives_cliffs_delta(rng: np.random.Generator) -> None:
    value = (rng.random(80) < 0.3).astype(float)
    margin = value + rng.normal(0, 1, 80)
    ours = somers_d(value[:, None], margin[:, None], np.zeros(80, np.int64), _alone(80))[0][0]
    u = mannwhitneyu(margin[value == 1], margin[value == 0]).statistic
    assert ours.estimate == pytest.approx(2 * u / (value.sum() * (1 - value).sum()) - 1)
    assert ours.low < ours.estimate < ours.high


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_strata_and_groups_match_the_slow_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, margins = rng.integers(0, 3, (30, 2)).astype(float), rng.integers(0, 5, (30, 3)).astype(float)
    strata = rng.integers(0, 3, 30)
    groups = np.unique(rng.integers(0, 12, 30), return_inverse=True)[1]
    found = somers_d(values, margins, strata, groups)
    for row in range(2):
        for column in range(3):
            slow = _slow(values[:, row], margins[:, column], strata, groups)
            assert found[row][column].estimate == pytest.approx(slow, nan_ok=True)


def test_the_interval_is_the_jackknife_over_groups(rng: np.random.Generator) -> None:
    value, strata = rng.normal(size=40), rng.integers(0, 2, 40)
    margin, groups = value + rng.normal(0, 1, 40), np.arange(40) // 2
    found = somers_d(value[:, None], margin[:, None], strata, groups)[0][0]
    left = [
        _slow(value[groups != g], margin[groups != g], strata[groups != g], groups[groups != g])
        for g in range(20)
    ]
    error = np.sqrt(19 / 20 * ((np.array(left) - np.mean(left)) ** 2).sum())
    half = 1.959964 * error / (1 - found.estimate**2)
    assert found.low == pytest.approx(np.tanh(np.arctanh(found.estimate) - half), abs=1e-5)
    assert found.high == pytest.approx(np.tanh(np.arctanh(found.estimate) + half), abs=1e-5)


def test_three_concordant_sheets_have_a_wide_interval() -> None:
    value = np.zeros(100)
    value[:3] = 1
    margin = np.where(value == 1, 10.0, 0.0) + np.arange(100) / 1000
    found = somers_d(value[:, None], margin[:, None], np.zeros(100, np.int64), _alone(100))[0][0]
    assert found.estimate == 1
    assert found.low < 0.2


def test_an_association_with_the_class_alone_has_no_effect(rng: np.random.Generator) -> None:
    strata = np.repeat([0, 1], 100)
    value = (rng.random(200) < np.where(strata == 0, 0.7, 0.1)).astype(float)
    margin = np.where(strata == 0, 4.0, -4.0) + rng.normal(0, 1, 200)
    assert abs(np.corrcoef(value, margin)[0, 1]) > 0.5
    found = somers_d(value[:, None], margin[:, None], strata, _alone(200))[0][0]
    assert found.low < 0 < found.high
    p = permutation_p(value[:, None], margin[:, None], strata, _alone(200), rng=rng, permutations=499)
    assert p[0, 0] > 0.05


def test_a_binary_property_in_one_stratum_gives_the_rank_sum_test(rng: np.random.Generator) -> None:
    value = (rng.random(60) < 0.4).astype(float)
    margin = 0.6 * value + rng.normal(0, 1, 60)
    strata = np.zeros(60, np.int64)
    ours = permutation_p(value[:, None], margin[:, None], strata, _alone(60), rng=rng, permutations=9999)
    expected = mannwhitneyu(margin[value == 1], margin[value == 0], method="asymptotic").pvalue
    assert ours[0, 0] == pytest.approx(expected, abs=0.015)  # Monte Carlo, asymptotics


def test_p_values_without_an_association_are_uniform(rng: np.random.Generator) -> None:
    strata = np.repeat([0, 1, 2], [60, 30, 10])
    values = (rng.random((100, 300)) < 0.15).astype(float)
    margin = strata + rng.normal(0, 1, 100)
    p = permutation_p(values, margin[:, None], strata, _alone(100), rng=rng, permutations=499)
    for level in (0.05, 0.2):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / 300)


def test_sheets_of_one_group_count_as_one(rng: np.random.Generator) -> None:
    groups = np.repeat(np.arange(8), 10)
    by_group = rng.normal(size=8)[groups]
    values = np.stack([(rng.random(8) < 0.5)[groups] for _ in range(200)], axis=1).astype(float)
    margin, strata = by_group + rng.normal(0, 0.1, 80), np.zeros(80, np.int64)
    grouped = permutation_p(values, margin[:, None], strata, groups, rng=rng, permutations=299)
    single = permutation_p(values, margin[:, None], strata, _alone(80), rng=rng, permutations=299)
    assert (single <= 0.05).mean() > 0.3
    assert (grouped <= 0.05).mean() < 0.12


def test_a_constant_property_has_no_effect_and_p_1(rng: np.random.Generator) -> None:
    margin, strata = rng.normal(size=(20, 1)), np.repeat([0, 1], 10)
    within = np.repeat([0.0, 1.0], 10)[:, None]  # differs between classes alone
    assert np.isnan(somers_d(within, margin, strata, _alone(20))[0][0].estimate)
    assert permutation_p(within, margin, strata, _alone(20), rng=rng, permutations=99)[0, 0] == 1


def test_the_association_with_the_class_is_scipys(rng: np.random.Generator) -> None:
    inside = np.arange(50) < 20
    value = inside + rng.normal(0, 1, 50)
    found = with_class(value, inside, _alone(50))
    expected = mannwhitneyu(value[inside], value[~inside], method="asymptotic")
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.delta == pytest.approx(2 * expected.statistic / 600 - 1)
    assert with_class(value, np.ones(50, bool), _alone(50)).p_value == 1
    assert with_class(np.ones(50), inside, _alone(50)).delta == 0
