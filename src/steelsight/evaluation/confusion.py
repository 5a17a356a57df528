"""The confusion matrix and the metrics that follow from it.

Rows are true classes, columns verdicts. Every function takes one matrix (k, k) or a stack (b, k, k), of
counts or of weights, so that a bootstrap scores all its resamples at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import check_labels
from steelsight.types import Labels

__all__ = [
    "accuracy",
    "balanced_accuracy",
    "class_f1",
    "confusion",
    "f1",
    "precision",
    "recall",
    "row_slices",
    "weighted_confusion",
]

MOST_DENSE = 32  # classes
MOST_CELLS = 2**24
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


def weighted_confusion(
    labels: Labels, predicted: Labels, classes: int, weights: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, "b k k"]:
    """One matrix for each row of weights, such as a resample's multiplicities.

    Its memory grows with b k²: many classes are counted for some rows at a time, see `row_slices`.
    """
    cells = labels * classes + predicted
    if classes > MOST_DENSE:  # a product with n k² zeros and ones takes longer than counting, and gigabytes
        counts = [np.bincount(cells, row, minlength=classes**2) for row in weights]
        return np.reshape(counts, (-1, classes, classes))
    dense = np.zeros((labels.size, classes**2))
    dense[np.arange(labels.size), cells] = 1
    return (weights @ dense).reshape(-1, classes, classes)


def row_slices(rows: int, cells: int) -> Iterator[slice]:
    """Slices of so many rows of weights that their matrices take at most 128 MB.

    cells  of the matrices of one row

    >>> [list(range(3))[part] for part in row_slices(3, 2**23)]
    [[0, 1], [2]]
    """
    step = max(1, MOST_CELLS // cells)
    return (slice(start, start + step) for start in range(0, rows, step))


def accuracy(matrix: Matrices) -> Scores:
    """Share of right verdicts, 0..1: trace / total.

    >>> float(accuracy(np.array([[8.0, 2.0], [1.0, 9.0]])))
    0.85
    """
    return _ratio(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def recall(matrix: Matrices) -> PerClass:
    """Share of a class's sheets that got its verdict, 0..1: n_cc / row sum; NaN for a class with no sheets.

    >>> recall(np.array([[8.0, 2.0], [1.0, 9.0]])).tolist()
    [0.8, 0.9]
    """
    return _ratio(_diagonal(matrix), matrix.sum(axis=-1))


def precision(matrix: Matrices) -> PerClass:
    """Share of a verdict's sheets that are of its class, 0..1: n_cc / column sum; NaN without verdicts.

    >>> precision(np.array([[8.0, 2.0], [0.0, 10.0]])).round(3).tolist()
    [1.0, 0.833]
    """
    return _ratio(_diagonal(matrix), matrix.sum(axis=-2))


def class_f1(matrix: Matrices) -> PerClass:
    """Harmonic mean of precision and recall, 0..1: 2 n_cc / (row sum + column sum).

    NaN only for a class that has neither sheets nor verdicts.

    >>> class_f1(np.array([[8.0, 2.0], [0.0, 10.0]])).round(3).tolist()
    [0.889, 0.909]
    """
    return _ratio(2 * _diagonal(matrix), matrix.sum(axis=-1) + matrix.sum(axis=-2))


def balanced_accuracy(matrix: Matrices) -> Scores:
    """Mean recall over the classes that have sheets, 0..1; 1/k for random verdicts.

    >>> float(balanced_accuracy(np.array([[90.0, 0.0], [10.0, 0.0]])))
    0.5
    """
    per_class = recall(matrix)
    present = ~np.isnan(per_class)
    return _ratio(np.where(present, per_class, 0).sum(axis=-1), present.sum(axis=-1))


def f1(matrix: Matrices, average: Literal["weighted", "macro"]) -> Scores:
    """F1 over classes, 0..1: weighted by sheets, or the plain mean of the classes with sheets or verdicts.

    >>> round(float(f1(np.array([[8.0, 2.0], [0.0, 10.0]]), "macro")), 3)
    0.899
    """
    per_class = class_f1(matrix)
    seen = (~np.isnan(per_class)).astype(np.float64)
    share = matrix.sum(axis=-1) if average == "weighted" else seen
    return _ratio((np.nan_to_num(per_class) * share).sum(axis=-1), share.sum(axis=-1))


def _diagonal(matrix: Matrices) -> PerClass:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _ratio(part: ArrayLike, whole: ArrayLike) -> Float[np.ndarray, "*b"]:
    """part / whole, NaN where the whole is 0."""
    ratio = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=ratio, where=np.asarray(whole) > 0)
    return ratio
