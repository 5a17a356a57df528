"""Precision over recall, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from steelsight.errors import BadInput
from steelsight.evaluation.curves.precision_recall import pr_curve, pr_curves


@given(st.integers(1, 40), st.integers(0, 10**6))
def test_the_curve_equals_scikit_learns(count, seed):
    rng = np.random.default_rng(seed)
    positive = rng.random(count) < 0.4
    positive[0] = True
    scores = rng.random(count).round(1)
    curve = pr_curve(positive, scores)
    precision, recall, thresholds = precision_recall_curve(positive, scores)
    assert curve.precision == pytest.approx(precision[:-1][::-1])
    assert curve.recall == pytest.approx(recall[:-1][::-1])
    assert curve.thresholds == pytest.approx(thresholds[::-1])
    assert curve.average_precision == pytest.approx(average_precision_score(positive, scores))


def test_a_perfect_order_has_area_1_and_a_constant_one_the_share():
    positive = np.array([True, True, False, False, False])
    assert pr_curve(positive, np.array([5.0, 4, 3, 2, 1])).average_precision == 1
    assert pr_curve(positive, np.zeros(5)).average_precision == pytest.approx(0.4)


def test_classes_without_sheets_are_left_out():
    labels, probabilities = np.array([0, 0, 2]), np.eye(3)[[0, 0, 2]]
    assert set(pr_curves(labels, probabilities, ("a", "b", "c"))) == {"a", "c"}
    assert set(pr_curves(labels[:2], probabilities[:2, :2], ("a", "b"))) == set()


def test_no_positive_sheet_and_nan_are_refused():
    with pytest.raises(BadInput, match="expected positive sheets, got none among 2"):
        pr_curve(np.array([False, False]), np.array([0.1, 0.2]))
    with pytest.raises(BadInput, match="scores row 1: expected finite numbers"):
        pr_curve(np.array([True, False]), np.array([0.1, np.nan]))
