"""Counts and the metrics made from them, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from steelsight.errors import BadInput
from steelsight.evaluation import confusion as c


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_agrees_with_scikit_learn(pairs):
    labels, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    matrix = c.confusion(labels, predicted, 4)
    assert (matrix == metrics.confusion_matrix(labels, predicted, labels=range(4))).all()
    counts = matrix.astype(float)
    assert c.accuracy(counts) == pytest.approx(metrics.accuracy_score(labels, predicted))
    weighted = metrics.f1_score(labels, predicted, average="weighted", zero_division=0)
    assert c.f1(counts, "weighted") == pytest.approx(weighted)
    macro = metrics.f1_score(labels, predicted, average="macro", zero_division=0)
    assert c.f1(counts, "macro") == pytest.approx(macro)
    found = metrics.recall_score(labels, predicted, average=None, labels=np.unique(labels), zero_division=0)
    assert c.balanced_accuracy(counts) == pytest.approx(found.mean())
    per_class = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(4), zero_division=np.nan
    )
    np.testing.assert_allclose(c.precision(counts), per_class[0])
    np.testing.assert_allclose(c.recall(counts), per_class[1])


@pytest.mark.parametrize("classes", [3, c.MOST_DENSE, c.MOST_DENSE + 1, 100])
def test_weights_count_like_repeated_sheets(rng, classes):
    labels, predicted = rng.integers(0, classes, (2, 300))
    times = rng.integers(0, 4, (5, 300)).astype(float)
    counts = c.weighted_margins(labels, predicted, classes, times)
    for row, times_of_row in enumerate(times):
        expected = metrics.confusion_matrix(
            labels, predicted, labels=range(classes), sample_weight=times_of_row
        )
        np.testing.assert_allclose(counts.right[row], np.diag(expected))
        np.testing.assert_allclose(counts.sheets[row], expected.sum(axis=1))
        np.testing.assert_allclose(counts.verdicts[row], expected.sum(axis=0))
        assert counts.total[row] == times_of_row.sum()
        assert float(c.balanced_accuracy(counts)[row]) == float(c.balanced_accuracy(expected.astype(float)))


def test_a_stack_gives_what_each_matrix_gives(rng):
    stack = rng.integers(0, 9, (6, 3, 3)).astype(float)
    for metric in (c.accuracy, c.recall, c.precision, c.class_f1, c.balanced_accuracy):
        np.testing.assert_allclose(metric(stack), np.stack([metric(matrix) for matrix in stack]))


def test_classes_without_sheets_or_verdicts_are_nan():
    matrix = np.array([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    assert np.isnan(c.recall(matrix)).tolist() == [False, True, False]
    assert np.isnan(c.precision(matrix)).tolist() == [False, False, True]
    assert c.balanced_accuracy(matrix) == pytest.approx(0.375)


@pytest.mark.parametrize(
    ("labels", "predicted", "message"),
    [
        ([0, 3], [0, 0], "labels: expected class indices from 0 to 2, got 3 at row 1"),
        ([0, 1], [0, -1], "predicted: expected class indices from 0 to 2, got -1 at row 1"),
        ([0, 1], [0], "predicted: expected 2, one a label, got 1"),
    ],
)
def test_bad_input_names_the_row(labels, predicted, message):
    with pytest.raises(BadInput, match=message):
        c.confusion(np.array(labels), np.array(predicted), 3)


def test_an_empty_list_is_refused():
    with pytest.raises(BadInput, match="expected at least one sheet"):
        c.confusion(np.zeros(0, dtype=int), np.zeros(0, dtype=int), 2)
