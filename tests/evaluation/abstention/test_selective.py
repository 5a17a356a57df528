"""Risk and coverage by counting, by known orders, and by their invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.selective import (
    augrc,
    aurc,
    aurc_difference,
    coverage_at,
    coverage_interval,
    risk_coverage,
)
from steelsight.evaluation.intervals.bootstrap import bootstrap, group_index, wilson
from steelsight.evaluation.intervals.bounds import wilson_at


def slow_areas(right, scores):
    """Both areas over every order of ties, written from the definitions."""
    rng = np.random.default_rng(0)
    selective, generalised = [], []
    for _ in range(400):
        order = np.lexsort((rng.random(len(scores)), -scores))
        wrong = np.cumsum(~right[order])
        selective.append((wrong / np.arange(1, len(right) + 1)).mean())
        generalised.append((wrong / len(right)).mean())
    return np.mean(selective), np.mean(generalised)


@pytest.mark.parametrize("seed", range(4))
def test_areas_against_the_definition(seed):
    rng = np.random.default_rng(seed)
    right = rng.random(30) < 0.7
    scores = rng.random(30).round(1)
    selective, generalised = slow_areas(right, scores)
    assert aurc(right, scores) == pytest.approx(selective, abs=0.01)  # 400 orders of the ties
    assert augrc(right, scores) == pytest.approx(generalised, abs=0.01)


def test_the_perfect_order_has_the_smallest_area(rng):
    right = rng.random(200) < 0.8
    perfect, worst = right + 0.1 * rng.random(200), ~right + 0.1 * rng.random(200)
    middle = rng.random(200)
    assert aurc(right, perfect) < aurc(right, middle) < aurc(right, worst)
    assert coverage_at(right, perfect, 1.0) == pytest.approx(right.mean())
    assert coverage_at(right, worst, 1.0) == 0
    assert coverage_at(right, middle, 0.0) == 1


@given(st.integers(1, 40), st.integers(0, 10**6))
def test_only_the_order_of_scores_counts(count, seed):
    rng = np.random.default_rng(seed)
    right, scores = rng.random(count) < 0.6, rng.random(count).round(1)
    assert aurc(right, scores) == pytest.approx(aurc(right, 5 * scores**3 - 2))
    curve = risk_coverage(right, scores)
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(1 - right.mean())
    assert (np.diff(curve.coverage) > 0).all()
    for threshold, coverage, risk in zip(curve.thresholds, curve.coverage, curve.risk, strict=True):
        told = scores >= threshold
        assert coverage == pytest.approx(told.mean())
        assert risk == pytest.approx((~right[told]).mean())


def test_a_better_score_is_found_better(rng):
    right = rng.random(400) < 0.8
    good, bad = right + rng.normal(0, 0.5, 400), rng.random(400)
    found = aurc_difference(right, good, bad, rng=rng, resamples=200)
    assert found.difference.high < 0
    same = aurc_difference(right, good, good, rng=rng, resamples=50)
    assert same.difference.estimate == 0
    most = 1 - 0.025 ** (1 / right.size)  # none of these sheets tells the two apart
    assert (same.difference.low, same.difference.high) == pytest.approx((-most, most))
    few = aurc_difference(
        right, good, good, rng=rng, resamples=50, groups=[str(i % 9) for i in range(right.size)]
    )
    assert few.difference.high == pytest.approx(1 - 0.025 ** (1 / 9))


def test_the_interval_contains_the_estimate(rng):
    right = rng.random(300) < 0.9
    scores = right + rng.normal(0, 1, 300)
    found = coverage_interval(right, scores, 0.95, rng=rng, resamples=200)
    assert found.low <= found.estimate <= found.high
    assert found.low < found.high


@pytest.mark.parametrize("hits", [True, False])
def test_twelve_equal_sheets_keep_a_bound(hits, rng):
    right, groups = np.full(24, hits), np.repeat(np.arange(12), 2)
    found = coverage_interval(right, rng.random(24), 0.99, rng=rng, groups=groups, resamples=50)
    assert found == wilson(12 * hits, 12)
    half = np.tile([1.0, 0.0], 12)
    weighted = coverage_interval(right[:12], np.ones(12), 0.99, rng=rng, weights=half[:12], resamples=50)
    assert weighted == wilson(6 * hits, 6)
    lone = coverage_interval(right, np.ones(24), 0.99, rng=rng, groups=["coil"] * 24)
    assert np.isnan([lone.low, lone.high]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: risk_coverage(np.zeros(0, bool), np.zeros(0)), "at least one"),
        (lambda: aurc(np.ones(2, bool), np.array([0.5, np.nan])), "NaN|finite"),
        (lambda: coverage_at(np.ones(2, bool), np.ones(2), 1.5), "selective accuracy"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(BadInput, match=message):
        call()


def test_a_weight_of_three_is_three_sheets() -> None:
    rng = np.random.default_rng(4)
    right, scores = rng.random(40) < 0.7, rng.random(40)  # without ties: order within a tie is another matter
    times = rng.integers(0, 4, 40)
    weights, rows = times.astype(np.float64), np.repeat(np.arange(40), times)
    curve, repeated = risk_coverage(right, scores, weights), risk_coverage(right[rows], scores[rows])
    kept = np.isin(curve.thresholds, repeated.thresholds)
    assert curve.coverage[kept] == pytest.approx(repeated.coverage)
    assert curve.risk[kept] == pytest.approx(repeated.risk)
    for accuracy in (0.7, 0.9, 1.0):
        assert coverage_at(right, scores, accuracy, weights) == pytest.approx(
            coverage_at(right[rows], scores[rows], accuracy)
        )
    assert augrc(right, scores, np.full(40, 7.0)) == pytest.approx(augrc(right, scores))
    assert aurc(right, scores, np.full(40, 7.0)) == pytest.approx(aurc(right, scores))
    with pytest.raises(BadInput, match="weights: expected 40 finite numbers of at least 0, not all 0"):
        aurc(right, scores, np.zeros(40))


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=30),
    st.sampled_from([0.5, 0.8, 0.95, 1.0]),
    st.booleans(),
)
def test_all_resamples_at_once_give_what_each_gives(sheets, accuracy, grouped):
    right, scores = np.array([row[0] for row in sheets]), np.array([row[1] / 7 for row in sheets])
    groups = [f"coil {row[2]}" for row in sheets] if grouped else None
    slow = bootstrap(
        lambda rows: coverage_at(right[rows], scores[rows], accuracy),
        right.size,
        groups,
        rng=np.random.default_rng(3),
        resamples=40,
    )
    slow = wilson_at(slow, np.unique(group_index(groups, right.size)).size)
    fast = coverage_interval(
        right, scores, accuracy, rng=np.random.default_rng(3), groups=groups, resamples=40
    )
    np.testing.assert_array_equal([fast.estimate, fast.low, fast.high], [slow.estimate, slow.low, slow.high])
