"""The confusion matrix and the metrics that follow from it.

Rows are true classes, columns verdicts. Every function takes one matrix (k, k) or a stack (b, k, k), of
counts or of weights, or its margins, so that a bootstrap scores all its resamples at once.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import check_labels
from steelsight.types import Labels

__all__ = [
    "Margins",
    "accuracy",
    "balanced_accuracy",
    "class_f1",
    "confusion",
    "f1",
    "margins",
    "precision",
    "recall",
    "weighted_margins",
]

MOST_DENSE = 32  # classes
Matrices = Float[np.ndarray, "*b k k"]
PerClass = Float[np.ndarray, "*b k"]
Scores = Float[np.ndarray, "*b"]


def confusion(labels: Labels, predicted: Int[np.ndarray, " m"], classes: int) -> Int[np.ndarray, "k k"]:
    """Count sheets by true class (row) and verdict (column).

    raises  BadInput for class indices outside 0..classes-1 and for lists of different length

    >>> confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3).tolist()
    [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    """
    check_labels(labels, classes)
    check_labels(predicted, classes, where="predicted")
    if labels.shape != predicted.shape:
        raise BadInput(f"predicted: expected {labels.size}, one a label, got {predicted.size}")
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


class Margins(NamedTuple):
    """The diagonal and the sums of one matrix, or of a stack: all that the metrics need of it."""

    right: PerClass  # (*b, k) of each class, those that got its verdict
    sheets: PerClass  # (*b, k) row sums
    verdicts: PerClass  # (*b, k) column sums
    total: Scores  # (*b,)


def weighted_margins(
    labels: Labels, predicted: Labels, classes: int, weights: Float[np.ndarray, "b n"]
) -> Margins:
    """The margins of one matrix for each row of weights, such as a resample's multiplicities.

    The matrices themselves would grow with the square of the classes; many classes are summed without them.
    """
    if classes <= MOST_DENSE:
        cells = np.zeros((labels.size, classes**2))
        cells[np.arange(labels.size), labels * classes + predicted] = 1
        return margins((weights @ cells).reshape(-1, classes, classes))
    of_label, of_verdict = (_one_hot(each, classes) for each in (labels, predicted))
    hits = of_label * (labels == predicted)[:, None]
    return Margins(weights @ hits, weights @ of_label, weights @ of_verdict, weights.sum(axis=1))


def margins(matrix: Matrices) -> Margins:
    """The margins of matrices."""
    right = np.diagonal(matrix, axis1=-2, axis2=-1)
    return Margins(right, matrix.sum(axis=-1), matrix.sum(axis=-2), np.asarray(matrix.sum(axis=(-2, -1))))


def _one_hot(classes_of: Labels, classes: int) -> Float[np.ndarray, "n k"]:
    flags = np.zeros((classes_of.size, classes))
    flags[np.arange(classes_of.size), classes_of] = 1
    return flags


def accuracy(matrix: Matrices | Margins) -> Scores:
    """Share of right verdicts, 0..1: trace / total.

    >>> float(accuracy(np.array([[8.0, 2.0], [1.0, 9.0]])))
    0.85
    """
    counted = _margins(matrix)
    return _ratio(counted.right.sum(axis=-1), counted.total)


def recall(matrix: Matrices | Margins) -> PerClass:
    """Share of a class's sheets that got its verdict, 0..1: n_cc / row sum; NaN for a class with no sheets.

    >>> recall(np.array([[8.0, 2.0], [1.0, 9.0]])).tolist()
    [0.8, 0.9]
    """
    counted = _margins(matrix)
    return _ratio(counted.right, counted.sheets)


def precision(matrix: Matrices | Margins) -> PerClass:
    """Share of a verdict's sheets that are of its class, 0..1: n_cc / column sum; NaN without verdicts.

    >>> precision(np.array([[8.0, 2.0], [0.0, 10.0]])).round(3).tolist()
    [1.0, 0.833]
    """
    counted = _margins(matrix)
    return _ratio(counted.right, counted.verdicts)


def class_f1(matrix: Matrices | Margins) -> PerClass:
    """Harmonic mean of precision and recall, 0..1: 2 n_cc / (row sum + column sum).

    NaN only for a class that has neither sheets nor verdicts.

    >>> class_f1(np.array([[8.0, 2.0], [0.0, 10.0]])).round(3).tolist()
    [0.889, 0.909]
    """
    counted = _margins(matrix)
    return _ratio(2 * counted.right, counted.sheets + counted.verdicts)


def balanced_accuracy(matrix: Matrices | Margins) -> Scores:
    """Mean recall over the classes that have sheets, 0..1; 1/k for random verdicts.

    >>> float(balanced_accuracy(np.array([[90.0, 0.0], [10.0, 0.0]])))
    0.5
    """
    per_class = recall(matrix)
    present = ~np.isnan(per_class)
    return _ratio(np.where(present, per_class, 0).sum(axis=-1), present.sum(axis=-1))


def f1(matrix: Matrices | Margins, average: Literal["weighted", "macro"]) -> Scores:
    """F1 over classes, 0..1: weighted by sheets, or the plain mean of the classes with sheets or verdicts.

    >>> round(float(f1(np.array([[8.0, 2.0], [0.0, 10.0]]), "macro")), 3)
    0.899
    """
    per_class = class_f1(matrix)
    seen = (~np.isnan(per_class)).astype(np.float64)
    share = _margins(matrix).sheets if average == "weighted" else seen
    return _ratio((np.nan_to_num(per_class) * share).sum(axis=-1), share.sum(axis=-1))


def _margins(matrix: Matrices | Margins) -> Margins:
    return matrix if isinstance(matrix, Margins) else margins(matrix)


def _ratio(part: ArrayLike, whole: ArrayLike) -> Float[np.ndarray, "*b"]:
    """part / whole, NaN where the whole is 0."""
    ratio = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=ratio, where=np.asarray(whole) > 0)
    return ratio
