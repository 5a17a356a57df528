"""Convert logits to probabilities; check the input of every metric. Bad input is refused, never repaired."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from steelsight.errors import BadInput
from steelsight.types import Labels, Logits, Probabilities

__all__ = [
    "check_labels",
    "check_probabilities",
    "check_scores",
    "check_unit_scores",
    "read_weights",
    "sigmoid",
    "softmax",
]

SUM_TOLERANCE = (
    1e-4  # float32 softmax over a handful of classes errs by 1e-6; rounding to four digits by 1e-4
)
ROUNDING = 1e-6  # how far one minus a float32 softmax may be below 0


def softmax(logits: Logits, *, temperature: float = 1.0) -> Probabilities:
    """Turn logits into probabilities, in float64.

        p_c = exp(z_c / T) / sum_k exp(z_k / T)

    logits       (n, c), finite
    temperature  > 0; above 1 flattens, 1 changes nothing
    returns      (n, c) float64 in 0..1, rows sum to 1
    raises       BadInput for logits that are not finite and for a temperature that is not above 0

    >>> softmax(np.array([[0.0, 0.0], [100.0, 0.0]])).round(3).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    if not temperature > 0:
        raise BadInput(f"temperature: expected a number above 0, got {temperature}")
    _refuse_not_finite(logits, "logits")
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    exact: Probabilities = powers / powers.sum(axis=1, keepdims=True)
    return exact


def sigmoid(logits: Logits) -> Float64[np.ndarray, "n c"]:
    """Each logit's own probability, 1 / (1 + exp(-z)), in float64, without overflow.

    >>> sigmoid(np.array([[-1000.0, 0.0, 1000.0]])).tolist()
    [[0.0, 0.5, 1.0]]
    """
    small = np.exp(-np.abs(logits.astype(np.float64)))  # in 0..1
    exact: Float64[np.ndarray, "n c"] = np.where(logits >= 0, 1.0, small) / (1 + small)
    return exact


def check_labels(labels: Labels, classes: int, *, where: str = "labels") -> None:
    """Refuse an empty list and class indices outside 0..classes-1."""
    if labels.size == 0:
        raise BadInput(f"{where}: expected at least one sheet, got none")
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        row = int(outside[0])
        raise BadInput(
            f"{where}: expected class indices from 0 to {classes - 1}, got {int(labels[row])} at row {row} "
            f"({outside.size} such rows); drop or relabel them"
        )


def check_probabilities(probabilities: Probabilities, rows: int, classes: int) -> None:
    """Refuse probabilities of another shape, outside 0..1, not finite, or in rows that do not sum to one."""
    if probabilities.shape != (rows, classes):
        raise BadInput(
            f"probabilities: expected {rows} rows of {classes}, one row a label and one column a class, "
            f"got {probabilities.shape[0]} rows of {probabilities.shape[1]}"
        )
    _refuse_not_finite(probabilities, "probabilities")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero((np.abs(sums - 1) > SUM_TOLERANCE) | (probabilities.min(axis=1) < 0))
    if wrong.size:
        row = int(wrong[0])
        raise BadInput(
            f"probabilities row {row}: expected shares of 0..1 that sum to 1, got a sum of {sums[row]:.6g} "
            f"and a smallest of {probabilities[row].min():.6g} ({wrong.size} such rows); "
            "these may be logits: apply softmax first"
        )


def check_scores(scores: Float[np.ndarray, " n"], rows: int) -> None:
    """Refuse scores of another length, and NaN."""
    if scores.shape != (rows,):
        raise BadInput(f"scores: expected {rows}, one a label, got {scores.shape[0]}")
    _refuse_not_finite(scores[:, None], "scores")


def check_unit_scores(scores: Float[np.ndarray, " n"], rows: int) -> None:
    """Refuse scores of another length, NaN, and scores outside 0..1."""
    check_scores(scores, rows)
    outside = np.flatnonzero((scores < -ROUNDING) | (scores > 1 + ROUNDING))
    if outside.size:
        row = int(outside[0])
        raise BadInput(
            f"scores row {row}: expected from 0 to 1, got {scores[row]:.6g} ({outside.size} such rows); "
            "turn them into probabilities first"
        )


def read_weights(weights: Float[np.ndarray, " w"] | None, rows: int) -> Float[np.ndarray, " n"]:
    """The weights of the sheets, in float64; None = equal.

    raises  BadInput unless there is one finite number of at least 0 a sheet, and one above 0
    """
    if weights is None or (not rows and not weights.size):
        return np.ones(rows)
    if weights.shape != (rows,) or not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise BadInput(
            f"weights: expected {rows} finite numbers of at least 0, not all 0; got {weights.shape[0]}"
        )
    return weights.astype(np.float64)


def _refuse_not_finite(values: Float[np.ndarray, "n c"], name: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if wrong.size:
        raise BadInput(
            f"{name} row {int(wrong[0])}: expected finite numbers, got {values[wrong[0]].tolist()} "
            f"({wrong.size} such rows); look for a diverged training or an unreadable image"
        )
