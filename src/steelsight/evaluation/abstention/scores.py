"""Confidence scores of one sheet. Every score is higher where the model is more confident.

A distance from the training sheets is higher for unfamiliar ones; its negative is the score. How often a
verdict is right at a score is measured by calibration, guarantee and cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import entr, logsumexp

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import check_probabilities
from steelsight.types import Logits, Probabilities

__all__ = [
    "SCORES",
    "FeatureSpace",
    "agreement",
    "energy",
    "fit_feature_space",
    "margin",
    "max_probability",
    "negative_entropy",
]

Scores = Float[np.ndarray, " n"]
Features = Float[np.ndarray, "n d"]

SCORES = {
    "max_probability": "largest probability",
    "margin": "margin of the two largest",
    "negative_entropy": "negative entropy",
    "energy": "energy of the logits",
    "agreement": "agreement of augmented views",
    "distance": "nearness to a class mean",
    "knn_distance": "nearness to training sheets",
}

LEAST_SHRINKAGE = 1e-6  # two sheets of a class give shrinkage 0 and a covariance without an inverse
CHUNK = 2**22  # distances computed at a time: 32 MB


def max_probability(probabilities: Probabilities) -> Scores:
    """The largest probability, in 1/c..1: the study's confidence.

    >>> max_probability(np.array([[0.75, 0.25], [0.5, 0.5]])).tolist()
    [0.75, 0.5]
    """
    score: Scores = _check(probabilities).max(axis=1)
    return score


def margin(probabilities: Probabilities) -> Scores:
    """The largest probability minus the second, in 0..1.

    >>> margin(np.array([[0.625, 0.25, 0.125]])).tolist()
    [0.375]
    """
    top = np.partition(_check(probabilities), -2, axis=1)
    return top[:, -1] - top[:, -2]


def negative_entropy(probabilities: Probabilities) -> Scores:
    """The sum of p log p in nats, with 0 log 0 = 0: -log c for equal probabilities, 0 for certainty.

    >>> negative_entropy(np.array([[0.5, 0.5], [1.0, 0.0]])).round(3).tolist()
    [-0.693, 0.0]
    """
    # Rounding may leave a probability of 1 + 1e-7, whose term would raise the score above 0.
    shares = np.clip(_check(probabilities), 0, 1)
    score: Scores = 0 - entr(shares).sum(axis=1)  # 0 - 0 is 0, and not -0
    return score


def energy(logits: Logits, temperature: float = 1.0) -> Scores:
    """The free energy with its sign turned: evidence for any of the classes, in logits; unbounded.

        T log sum_k exp(z_k / T)

    raises  BadInput for logits that are not finite and for a temperature that is not above 0
    source  Liu, Wang, Owens and Li 2020, eq. 4, with the sign that makes familiar sheets higher

    >>> energy(np.array([[0.0, 0.0], [8.0, 0.0]])).round(3).tolist()
    [0.693, 8.0]
    """
    if not 0 < temperature < np.inf:
        raise BadInput(f"energy temperature: expected a number above 0, got {temperature}")
    _refuse_not_finite(logits, "energy logits")
    score: Scores = temperature * logsumexp(logits.astype(np.float64) / temperature, axis=1)
    return score


def agreement(stack: Float[np.ndarray, "v n c"]) -> Scores:
    """Mean probability, over augmented views, of the class with the largest mean, in 1/c..1.

    stack   (v, n, c) probabilities of the same n sheets in v views
    raises  BadInput for no views

    >>> agreement(np.array([[[1.0, 0.0]], [[0.5, 0.5]]])).tolist()
    [0.75]
    """
    views, sheets, classes = stack.shape
    if not views:
        raise BadInput("agreement: expected at least one view, got none")
    _check(stack.reshape(views * sheets, classes))
    # The largest mean over views is the mean of the chosen class.
    score: Scores = stack.mean(axis=0, dtype=np.float64).max(axis=1)
    return score


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """Training sheets in feature space: class means, shared precision, and sheets for neighbours."""

    means: Float[np.ndarray, "c d"]  # of the classes that have sheets, in ascending order
    precision: Float[np.ndarray, "d d"]  # inverse of the covariance that all classes share
    reference: Float[np.ndarray, "r d"]  # training sheets of length 1, for neighbours

    def distance(self, features: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " m"]:
        """Mahalanobis distance to the nearest class mean, >= 0.

        source  Lee, Lee, Lee and Shin 2018, eq. 2, without its square
        """
        wide = self._check(features)
        nearest = np.full(len(wide), np.inf)
        for mean in self.means:
            away = wide - mean
            np.minimum(nearest, ((away @ self.precision) * away).sum(axis=1), out=nearest)
        distance: Float[np.ndarray, " m"] = np.sqrt(np.maximum(nearest, 0))
        return distance

    def knn_distance(self, features: Float[np.ndarray, "m d"], k: int = 10) -> Float[np.ndarray, " m"]:
        """Distance to the k-th nearest training sheet, all at length 1; in 0..2, and 1 for a zero vector.

        A training sheet is its own first neighbour.
        raises  BadInput for k outside 1..r
        source  Sun, Ming, Zhu and Li 2022, section 3
        """
        if not 1 <= k <= len(self.reference):
            raise BadInput(f"neighbours: expected k from 1 to {len(self.reference)}, got {k}")
        unit = _unit(self._check(features))
        lengths = (self.reference**2).sum(axis=1)
        squares = np.empty(len(unit))
        step = max(1, CHUNK // len(self.reference))
        for start in range(0, len(unit), step):
            rows = unit[start : start + step]
            squared = (rows**2).sum(axis=1)[:, None] + lengths - 2 * rows @ self.reference.T
            squares[start : start + step] = np.partition(squared, k - 1, axis=1)[:, k - 1]
        return np.sqrt(np.maximum(squares, 0))

    def _check(self, features: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
        if features.shape[1] != self.means.shape[1]:
            raise BadInput(
                f"features: expected {self.means.shape[1]} a sheet, as in the fit, got {features.shape[1]}; "
                "take them from the same model and layer"
            )
        _refuse_not_finite(features, "features")
        return features.astype(np.float64)


def fit_feature_space(
    features: Features, labels: Int[np.ndarray, " m"], *, references: int = 2000
) -> FeatureSpace:
    """Fit class means and one shared covariance, shrunk towards a sphere, and keep reference sheets.

    features    (n, d) of training sheets; a class may have a single one
    labels      (n,) class index
    references  maximum number of sheets kept for neighbours, in the proportions of the classes
    raises      BadInput for no sheets, for sheets that are equal in every class (their
                distances have no unit), or features that are not finite
    source      Ledoit and Wolf 2004, for the shrinkage
    """
    if len(labels) != len(features):
        raise BadInput(f"labels: expected {len(features)}, one a row of features, got {len(labels)}")
    if not features.size:
        raise BadInput(f"features: expected sheets with features, got an array of shape {features.shape}")
    if references < 1:
        raise BadInput(f"references: expected at least 1, got {references}")
    _refuse_not_finite(features, "features")
    wide = features.astype(np.float64)
    classes, place = np.unique(labels, return_inverse=True)
    means = np.stack([wide[place == c].mean(axis=0) for c in range(classes.size)])
    order = np.argsort(place, kind="stable")
    kept = order[np.linspace(0, order.size - 1, min(references, order.size)).round().astype(np.int64)]
    return FeatureSpace(means, np.linalg.inv(_shrunken(wide - means[place])), _unit(wide[kept]))


def _shrunken(centred: Features) -> Float[np.ndarray, "d d"]:
    """Ledoit and Wolf's covariance (1 - s) S + s tr(S)/d I, at the s they estimate."""
    rows, width = centred.shape
    covariance = centred.T @ centred / rows
    size = np.trace(covariance) / width
    if size <= 0:
        raise BadInput(
            "feature space: expected a class with two sheets of different features, got none; "
            "fit it on more training sheets"
        )
    spread = (covariance**2).sum()
    noise = ((centred**2).sum(axis=1) ** 2).sum() / rows - spread
    away = spread - width * size**2  # squared distance of S from the sphere
    shrinkage = min(1.0, noise / rows / away) if away > 0 else 1.0
    shrinkage = max(shrinkage, LEAST_SHRINKAGE)
    shrunken: Float[np.ndarray, "d d"] = (1 - shrinkage) * covariance + shrinkage * size * np.eye(width)
    return shrunken


def _unit(features: Features) -> Features:
    """Rows scaled to length 1; a zero vector stays zero."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)


def _check(probabilities: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    rows, classes = probabilities.shape
    if classes < 2:
        raise BadInput(f"confidence: expected probabilities of at least two classes, got {classes}")
    check_probabilities(probabilities, rows, classes)
    return probabilities.astype(np.float64)


def _refuse_not_finite(values: Float[np.ndarray, "n d"], name: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if wrong.size:
        raise BadInput(
            f"{name} row {int(wrong[0])}: expected finite numbers, got NaN or infinity ({wrong.size} such "
            "rows); look for a diverged training or an unreadable image"
        )
