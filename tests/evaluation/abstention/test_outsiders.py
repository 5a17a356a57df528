"""Rejection of outsiders: against scikit-learn, populations of known overlap, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.outsiders import evaluate_rejection


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 10**6), st.sampled_from([0.05, 0.5, 0.95, 1.0]))
def test_against_definitions_and_scikit_learn(sheets, outsiders, seed, keep):
    rng = np.random.default_rng(seed)
    inside, outside = rng.normal(1, 1, sheets).round(1), rng.normal(0, 1, outsiders).round(1)
    found = evaluate_rejection(inside, outside, rng=rng, keep=keep, resamples=5)
    truth = np.repeat([True, False], [sheets, outsiders])
    assert found.auroc.estimate == pytest.approx(roc_auc_score(truth, np.concatenate([inside, outside])))
    keeping = [t for t in inside if (inside >= t).mean() >= keep - 1e-9]
    assert found.threshold == max(keeping)
    assert found.false_accept.estimate == pytest.approx((outside >= found.threshold).mean())
    assert found.false_accept.low < found.false_accept.high


def test_auroc_of_two_normal_distributions(rng):
    found = evaluate_rejection(rng.normal(2, 1, 4000), rng.normal(0, 1, 4000), rng=rng, resamples=200)
    assert found.auroc.low < norm.cdf(2 / 2**0.5) < found.auroc.high
    assert found.threshold == pytest.approx(2 + norm.ppf(0.05), abs=0.1)
    assert found.false_accept.low < norm.sf(found.threshold) < found.false_accept.high


def test_the_interval_has_the_width_of_hanley_and_mcneil(rng):
    found = evaluate_rejection(rng.normal(1, 1, 200), rng.normal(0, 1, 100), rng=rng).auroc
    area = found.estimate
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + 199 * (first - area**2) + 99 * (second - area**2)
    # Theirs is an approximation for exponential scores; bells come within a fifth.
    assert found.high - found.low == pytest.approx(2 * 1.96 * (variance / 20_000) ** 0.5, rel=0.2)


def test_the_threshold_comes_from_calibration_sheets():
    rng = np.random.default_rng(1)
    inside, outside, calibration = np.array([0.1, 0.9]), np.array([0.3, 0.6]), np.linspace(0, 1, 21)
    found = evaluate_rejection(inside, outside, rng=rng, keep=0.5, calibration=calibration, resamples=10)
    assert found.threshold == 0.5
    assert found.false_accept.estimate == 0.5


def test_rounding_of_the_kept_share_drops_no_sheet(rng):
    scores = np.arange(100, dtype=float)
    for percent in range(1, 101):
        found = evaluate_rejection(scores, scores, rng=rng, keep=percent / 100, resamples=1)
        assert (scores >= found.threshold).sum() == percent


def test_a_perfect_order_keeps_a_bound_below_1(rng):
    good = evaluate_rejection(np.arange(50.0) + 100, np.arange(20.0), rng=rng)
    assert good.auroc.estimate == good.auroc.high == 1
    assert 0.8 < good.auroc.low < 0.9  # Wilson's for 20 of 20
    assert good.false_accept.estimate == 0 < good.false_accept.high
    poor = evaluate_rejection(np.arange(20.0), np.arange(50.0) + 100, rng=rng)
    assert poor.auroc.estimate == poor.auroc.low == 0 < poor.auroc.high
    assert poor.false_accept.estimate == 1


def test_equal_scores_have_an_auroc_of_one_half(rng):
    found = evaluate_rejection(np.zeros(9), np.zeros(9), rng=rng, resamples=10)
    assert found.auroc.estimate == 0.5
    assert found.false_accept.estimate == 1


ONE, NONE = np.ones(1), np.zeros(0)


@pytest.mark.parametrize(
    ("inside", "outside", "settings", "message"),
    [
        (NONE, ONE, {}, "inside.*at least one"),
        (ONE, NONE, {}, "outside.*at least one"),
        (ONE, ONE, {"calibration": NONE}, "calibration.*at least one"),
        (np.array([np.nan]), ONE, {}, "inside.*finite"),
        (ONE, np.array([np.inf]), {}, "outside.*finite"),
        (ONE, ONE, {"calibration": np.array([np.nan])}, "calibration.*finite"),
        (ONE, ONE, {"keep": 0.0}, "keep"),
        (ONE, ONE, {"keep": 1.1}, "keep"),
        (ONE, ONE, {"keep": float("nan")}, "keep"),
        (ONE, ONE, {"resamples": 0}, "resamples"),
    ],
)
def test_bad_input_is_refused(inside, outside, settings, message, rng):
    with pytest.raises(BadInput, match=message):
        evaluate_rejection(inside, outside, rng=rng, **settings)
