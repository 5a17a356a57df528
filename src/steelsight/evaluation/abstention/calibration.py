"""Calibration of probabilities: temperature, reliability, calibration error, Brier score, log loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import (
    check_labels,
    check_probabilities,
    check_scores,
    read_weights,
)
from steelsight.types import Labels, Logits, Probabilities

__all__ = [
    "ReliabilityBins",
    "brier",
    "expected_calibration_error",
    "fit_temperature",
    "is_worse_than_one",
    "log_loss",
    "reliability",
]

COLDEST, HOTTEST = 0.05, 20.0

Weights = Float[np.ndarray, " w"]


@dataclass(frozen=True)
class ReliabilityBins:
    """Confidence and accuracy in bins of confidence."""

    edges: Float[np.ndarray, " b1"]
    count: Float[np.ndarray, " b"]  # sheets, or the sum of their weights
    confidence: Float[np.ndarray, " b"]  # mean; NaN in an empty bin
    accuracy: Float[np.ndarray, " b"]  # NaN in an empty bin


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """The temperature T of greatest likelihood for softmax(logits / T), within .05 to 20.

    Fit it on validation sheets. A temperature changes no verdict.

    logits  (n, c), finite
    labels  (n,) class index
    raises  BadInput for no sheets, NaN logits, or labels that do not exist
    source  Guo et al. 2017, section 4.2
    """
    if not labels.size:
        raise BadInput("temperature: expected at least one sheet, got none")
    if not np.isfinite(logits).all():
        raise BadInput("temperature: expected finite logits")
    check_labels(labels, logits.shape[1])
    wide = logits.astype(np.float64)

    def loss(log_t: float) -> float:
        return -float(log_softmax(wide / np.exp(log_t), axis=1)[np.arange(labels.size), labels].mean())

    best = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(best.x))


def is_worse_than_one(temperature: float, logits: Logits, labels: Labels) -> bool:
    """Whether a fitted temperature has a larger log loss than 1 on sheets that did not fit it.

    logits  (n, c) of those sheets, finite
    labels  (n,) class index; without a sheet nothing is known, which is False
    """
    if not labels.size:
        return False
    wide = logits.astype(np.float64)
    rows = np.arange(labels.size)
    at_one, fitted = (-log_softmax(wide / each, axis=1)[rows, labels].mean() for each in (1.0, temperature))
    return bool(fitted > at_one)


def reliability(
    confidence: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " m"],
    *,
    bins: int = 15,
    weights: Weights | None = None,
) -> ReliabilityBins:
    """Mean confidence and accuracy in bins of equal width.

    confidence  (n,) in 0..1
    right       (n,) whether each verdict is right
    weights     (n,) >= 0 of the sheets, e.g. to weigh classes by a mill's own shares; None = equal
    raises      BadInput for confidences outside 0..1, unusable weights, or fewer than one bin
    """
    check_scores(confidence, right.size)
    if confidence.size and not (confidence.min() >= 0 and confidence.max() <= 1):
        raise BadInput("reliability: expected confidences from 0 to 1")
    if bins < 1:
        raise BadInput(f"reliability bins: expected at least 1, got {bins}")
    edges = np.linspace(0, 1, bins + 1)
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    weight = read_weights(weights, right.size)
    count = np.bincount(place, weight, minlength=bins)
    filled = np.where(count > 0, count, np.nan)
    return ReliabilityBins(
        edges,
        count,
        np.bincount(place, weight * confidence, minlength=bins) / filled,
        np.bincount(place, weight * right, minlength=bins) / filled,
    )


def expected_calibration_error(
    confidence: Float[np.ndarray, " n"],
    right: Bool[np.ndarray, " m"],
    *,
    bins: int = 15,
    weights: Weights | None = None,
) -> float:
    """Mean distance of accuracy from confidence, weighted by the bins' counts; NaN for no sheets.

    weights  (n,) see `reliability`
    >>> expected_calibration_error(np.array([0.8, 0.8, 0.8, 0.8, 0.8]), np.array([True] * 4 + [False]))
    0.0
    """
    table = reliability(confidence, right, bins=bins, weights=weights)
    if not right.size:
        return float("nan")
    gaps = np.abs(table.accuracy - table.confidence) * table.count
    return round(float(np.nansum(gaps) / table.count.sum()), 12)


def brier(probabilities: Probabilities, labels: Labels, *, weights: Weights | None = None) -> float:
    """Mean squared distance of the probabilities from the truth, summed over classes; 0..2, lower is better.

    weights  (n,) see `reliability`
    >>> brier(np.array([[0.5, 0.5]]), np.array([1]))
    0.5
    """
    check_probabilities(probabilities, labels.size, probabilities.shape[1])
    check_labels(labels, probabilities.shape[1])
    distance = ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(1)
    return float(np.average(distance, weights=read_weights(weights, labels.size)))


def log_loss(probabilities: Probabilities, labels: Labels, *, weights: Weights | None = None) -> float:
    """Mean of -log of the true class's probability, in nats; infinite if a true class has probability 0.

    weights  (n,) see `reliability`; a sheet of weight 0 is left out
    """
    check_probabilities(probabilities, labels.size, probabilities.shape[1])
    check_labels(labels, probabilities.shape[1])
    weight = read_weights(weights, labels.size)
    rows = np.flatnonzero(weight)
    with np.errstate(divide="ignore"):
        return float(np.average(-np.log(probabilities[rows, labels[rows]]), weights=weight[rows]))
