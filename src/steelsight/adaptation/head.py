"""A linear head by logistic regression on pooled features, and the path of heads over penalties.

Features are standardised by the median and the spread of the sheets of the fit and limited to LIMIT standard
deviations, so that a sheet unlike all others gets no extreme logits. Classes weigh equally, and a sheet of
several types counts for each of them with its share. A ridge penalty is the same in any orthogonal
basis, and the weights lie in the span of the sheets; so the fit runs in a basis of at most as many directions
as there are sheets, which is exact and, with few sheets, many times faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression

__all__ = ["EXACT", "LIMIT", "PENALTIES", "ROUGH", "AdaptedHead", "fit_heads"]

PENALTIES: Final = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)  # C, the inverse strength; strongest first
LIMIT: Final = 2.0  # standard deviations of a feature; docs/results/real.md compares it with none
ROUGH: Final = 1e-3  # tolerance of the gradient of the mean loss, enough to choose a penalty
EXACT: Final = 1e-6  # of a head that is written
ABSENT: Final = -30.0  # logit of a class without sheets in a fit: its probability is as good as 0
_LEAST_SCALE: Final = 1e-6  # of a feature that is equal on all sheets
_QUARTILES_APART: Final = 1.349  # standard deviations between the quartiles of a normal distribution
_LEAST_SHARE: Final = 0.3  # of the usual standard deviation, for features that are 0 on most sheets
_RANK: Final = 1e-9  # of the largest eigenvalue, below which a direction holds rounding alone
_ITERATIONS: Final = 1000


@dataclass(frozen=True, eq=False)
class AdaptedHead:
    """Logits = clip((features - mean) / scale, -limit, limit) @ weight + bias.

    The features are averages, then maxima, over places.
    """

    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]  # above 0
    weight: Float[np.ndarray, "d c"]
    bias: Float[np.ndarray, " c"]
    limit: float  # standard deviations, above 0

    def standard(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Standardised features, before they are limited."""
        scaled: Float[np.ndarray, "n d"] = (features - self.mean) / self.scale
        return scaled

    def logits(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n c"]:
        """Logits of sheets, in float64."""
        limited = np.clip(self.standard(features), -self.limit, self.limit)
        scores: Float[np.ndarray, "n c"] = limited @ self.weight + self.bias
        return scores

    def map_weights(self, features: Float[np.ndarray, "n d"], places: int) -> Float[np.ndarray, "n c k"]:
        """Weight of each channel in a sheet's Grad-CAM: gradients of the logits, averaged over the places."""
        within = np.abs(self.standard(features)) < self.limit  # the gradient is 0 where a feature is limited
        each = within[:, None, :] * (self.weight / self.scale[:, None]).T  # (n, c, 2k)
        channels = each.shape[2] // 2
        summed: Float[np.ndarray, "n c k"] = (each[..., :channels] + each[..., channels:]) / places
        return summed


def fit_heads(
    features: Float[np.ndarray, "n d"],
    shares: Float[np.ndarray, "n c"],
    penalties: Sequence[float] = PENALTIES,
    *,
    tolerance: float = ROUGH,
    limit: float = LIMIT,
) -> list[AdaptedHead]:
    """One head for each penalty.

    shares     (n, c) how much of a sheet counts for each class; rows sum to 1. A class without any gets the
               logit ABSENT
    penalties  C of scikit-learn's LogisticRegression, above 0, smallest first: each fit starts from the last
    tolerance  at which a fit ends, of the gradient of the mean loss
    limit      standard deviations at which features are limited; infinite = not
    """
    mean, scale = _standard(features)
    standard = np.clip((features - mean) / scale, -limit, limit)
    basis = _basis(standard)
    rows, labels = np.nonzero(shares)
    weights = shares[rows, labels]
    counts = shares.sum(axis=0)
    present = np.flatnonzero(counts)
    classes = shares.shape[1]
    if present.size < 2:
        return [_constant(mean, scale, present, classes, limit) for _ in penalties]
    weights = weights * len(features) / present.size / counts[labels]
    points = (standard @ basis)[rows]
    model = LogisticRegression(max_iter=_ITERATIONS, tol=tolerance, warm_start=True)
    heads = []
    for penalty in penalties:
        model.set_params(C=penalty).fit(points, labels, sample_weight=weights)
        weight = np.zeros((features.shape[1], classes))
        bias = np.full(classes, ABSENT)
        inner, shift = _per_class(model)
        weight[:, present] = basis @ inner.T
        bias[present] = shift
        heads.append(AdaptedHead(mean, scale, weight, bias, limit))
    return heads


def _standard(features: Float[np.ndarray, "n d"]) -> tuple[np.ndarray, np.ndarray]:
    """Median, and a standard deviation by the quartiles; not below a share of the usual one, nor 0."""
    low, middle, high = np.quantile(features, (0.25, 0.5, 0.75), axis=0)
    scale = np.maximum((high - low) / _QUARTILES_APART, _LEAST_SHARE * features.std(axis=0))
    return middle, np.maximum(scale, _LEAST_SCALE)


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
    limit: float,
) -> AdaptedHead:
    """The head of sheets of one class."""
    bias = np.full(classes, ABSENT)
    bias[present] = 0.0
    return AdaptedHead(mean, scale, np.zeros((mean.size, classes)), bias, limit)
