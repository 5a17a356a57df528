"""A linear head by logistic regression on pooled features, and the path of heads over penalties.

Features are standardised by the sheets of the fit, and classes weigh equally. A ridge penalty is the same in
any orthogonal basis, and the weights lie in the span of the sheets; so the fit runs in a basis of at most as
many directions as there are sheets, which is exact and, with few sheets, many times faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression

__all__ = ["PENALTIES", "AdaptedHead", "fit_heads"]

PENALTIES: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)  # C, the inverse strength; strongest first
ABSENT: Final = -30.0  # logit of a class without sheets in a fit: its probability is as good as 0
_LEAST_SCALE: Final = 1e-6  # of a feature that is equal on all sheets
_RANK: Final = 1e-9  # of the largest eigenvalue, below which a direction holds rounding alone
_ITERATIONS: Final = 1000
_TOLERANCE: Final = 1e-4  # of the gradient of the mean loss: far below what choosing a penalty can tell


@dataclass(frozen=True, eq=False)
class AdaptedHead:
    """Logits = (features - mean) / scale @ weight + bias; features are averages, then maxima, over places."""

    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]  # above 0
    weight: Float[np.ndarray, "d c"]
    bias: Float[np.ndarray, " c"]

    def logits(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n c"]:
        """Logits of sheets, in float64."""
        scores: Float[np.ndarray, "n c"] = (features - self.mean) / self.scale @ self.weight + self.bias
        return scores

    def map_weight(self, places: int) -> Float[np.ndarray, "c k"]:
        """Weight of each channel in Grad-CAM: the gradients of the logits, averaged over the places."""
        each = (self.weight / self.scale[:, None]).T  # (c, 2k)
        channels = each.shape[1] // 2
        summed: Float[np.ndarray, "c k"] = (each[:, :channels] + each[:, channels:]) / places
        return summed


def fit_heads(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    classes: int,
    penalties: Sequence[float] = PENALTIES,
) -> list[AdaptedHead]:
    """One head for each penalty.

    labels     (n,) class index; a class without sheets gets the logit ABSENT
    penalties  C of scikit-learn's LogisticRegression, above 0
    """
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), _LEAST_SCALE)
    standard = (features - mean) / scale
    basis = _basis(standard)
    points = standard @ basis
    present, counts = np.unique(labels, return_counts=True)
    if present.size < 2:
        return [_constant(mean, scale, present, classes) for _ in penalties]
    share = np.zeros(classes)
    share[present] = labels.size / present.size / counts
    model = LogisticRegression(max_iter=_ITERATIONS, tol=_TOLERANCE, warm_start=True)
    heads = []
    for penalty in penalties:
        model.set_params(C=penalty).fit(points, labels, sample_weight=share[labels])
        weight = np.zeros((features.shape[1], classes))
        bias = np.full(classes, ABSENT)
        inner, shift = _per_class(model)
        weight[:, present] = basis @ inner.T
        bias[present] = shift
        heads.append(AdaptedHead(mean, scale, weight, bias))
    return heads


def _basis(standard: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d r"]:
    """Orthonormal directions that span the rows: by the smaller of the two matrices of products."""
    rows, width = standard.shape
    if rows >= width:
        return np.eye(width)
    values, vectors = np.linalg.eigh(standard @ standard.T)
    kept = values > _RANK * max(values[-1], 1.0)
    basis: Float[np.ndarray, "d r"] = standard.T @ vectors[:, kept] / np.sqrt(values[kept])
    return basis


def _per_class(model: LogisticRegression) -> tuple[np.ndarray, np.ndarray]:
    """Weights (c, r) and biases (c,); two classes share one direction, half of it each."""
    weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(weight) == 1:
        return np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias


def _constant(
    mean: Float[np.ndarray, " d"],
    scale: Float[np.ndarray, " d"],
    present: Int[np.ndarray, " p"],
    classes: int,
) -> AdaptedHead:
    """The head of sheets of one class."""
    bias = np.full(classes, ABSENT)
    bias[present] = 0.0
    return AdaptedHead(mean, scale, np.zeros((mean.size, classes)), bias)
