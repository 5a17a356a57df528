"""Ranking, against scikit-learn and the definition by pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from steelsight.errors import BadInput
from steelsight.evaluation.curves.roc import roc_auc, roc_curve, weighted_auc

SCORED = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=30).filter(
    lambda rows: len({positive for positive, _ in rows}) == 2
)


def _columns(rows):
    positive, scores = zip(*rows, strict=True)
    return np.array(positive), np.array(scores, dtype=float)


@given(SCORED)
def test_area_is_the_share_of_pairs_in_order(rows):
    positive, scores = _columns(rows)
    pairs = scores[positive][:, None] - scores[~positive][None]
    assert roc_auc(positive, scores) == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean())


@given(SCORED)
def test_curve_is_scikit_learns(rows):
    positive, scores = _columns(rows)
    curve = roc_curve(positive, scores)
    false, true, thresholds = metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(np.interp(false, curve.false_positive_rate, curve.true_positive_rate)[-1], 1)
    area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate)
    assert area == pytest.approx(metrics.roc_auc_score(positive, scores))
    corners = {*zip(curve.false_positive_rate, curve.true_positive_rate, curve.thresholds, strict=True)}
    assert corners <= {*zip(false, true, thresholds, strict=True)}


def test_weights_agree_with_scikit_learn(rng):
    positive = rng.random(200) < 0.3
    scores = np.round(rng.random(200) + positive * 0.4, 2)  # rounding makes ties
    weights = rng.integers(0, 4, (20, 200)).astype(float)
    expected = [metrics.roc_auc_score(positive, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(weighted_auc(positive, scores, weights), expected)


def test_sheets_of_one_kind_have_no_area_and_no_curve():
    all_positive = np.ones(3, dtype=bool)
    assert np.isnan(roc_auc(all_positive, np.array([0.1, 0.2, 0.3])))
    with pytest.raises(BadInput, match="expected sheets of both kinds, got 3 positive among 3"):
        roc_curve(all_positive, np.array([0.1, 0.2, 0.3]))


def test_scores_with_nan_are_refused():
    with pytest.raises(BadInput, match="scores row 1: expected finite numbers"):
        roc_auc(np.array([True, False]), np.array([0.5, np.nan]))
    with pytest.raises(BadInput, match="scores: expected 2, one a label, got 3"):
        roc_auc(np.array([True, False]), np.array([0.5, 0.1, 0.2]))
