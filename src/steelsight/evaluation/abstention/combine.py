"""Combine several confidence scores into the probability that the verdict is right, by logistic regression.

Fit it on calibration sheets that trained nothing else, and measure it on further sheets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import check_scores

__all__ = ["ConfidenceCombiner", "fit_combiner"]

TOLERANCE = 1e-9  # slope of the mean loss: less changes no digit that is printed, 1e-4 changes the fourth

Column = Float[np.ndarray, "_"]  # lengths are compared by hand, for a message that names the score


@dataclass(frozen=True, eq=False)
class ConfidenceCombiner:
    """A logistic regression on standardised scores: expit(weights · (x - centre) / scale + bias)."""

    names: tuple[str, ...]
    centre: Float[np.ndarray, " k"]
    scale: Float[np.ndarray, " k"]  # > 0
    weights: Float[np.ndarray, " k"]
    bias: float

    def score(self, columns: Mapping[str, Column]) -> Float[np.ndarray, " m"]:
        """The probability, in 0..1, that each sheet's verdict is right.

        columns  name -> (m,) score, with every score of the fit; others are ignored
        raises   BadInput for a score that is missing, NaN, or of another length
        """
        table = (_table(self.names, columns) - self.centre) / self.scale
        probability: Float[np.ndarray, " m"] = expit(table @ self.weights + self.bias)
        return probability

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for JSON."""
        return {
            "names": list(self.names),
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "weights": self.weights.tolist(),
            "bias": self.bias,
        }


def fit_combiner(
    columns: Mapping[str, Column], right: Bool[np.ndarray, " n"], *, penalty: float = 1.0
) -> ConfidenceCombiner:
    """Fit a logistic regression of "the verdict is right" on the scores of calibration sheets.

        min over w, b of  sum_i log(1 + exp(-y_i (w · x_i + b))) + penalty / 2 |w|^2,  y = ±1, x standardised

    columns  name -> (n,) score
    right    (n,) whether the verdict is right; where all are, or none is, the scores cannot be weighed and
             the result is the constant (right + 1) / (n + 2), Laplace's rule of succession
    penalty  > 0; a score without spread gets weight 0
    raises   BadInput for no sheets, no scores, a NaN, another length, or a penalty not above 0

    >>> right = np.array([False, False, True, True])
    >>> combiner = fit_combiner({"margin": np.array([0.1, 0.2, 0.8, 0.9])}, right)
    >>> combiner.score({"margin": np.array([0.0, 1.0])}).round(2).tolist()
    [0.19, 0.81]
    """
    if not columns:
        raise BadInput("combined score: expected at least one score, got none")
    if not right.size:
        raise BadInput("combined score: expected at least one calibration sheet, got none")
    if not 0 < penalty < np.inf:
        raise BadInput(f"combined score, penalty: expected a number above 0, got {penalty}")
    names = tuple(columns)
    for name in names:
        _check_column(name, columns[name], right.size)
    table = _table(names, columns)
    centre, scale = table.mean(axis=0), table.std(axis=0)
    # Rounding leaves a constant column a spread of 1e-17 of its size, which must not be blown up to 1.
    scale = np.where(scale > 1e-12 * np.abs(table).max(axis=0), scale, 1.0)
    right_count = int(right.sum())
    if right_count in (0, right.size):
        prior = (right_count + 1) / (right.size + 2)
        return ConfidenceCombiner(
            names, centre, scale, np.zeros(len(names)), float(np.log(prior / (1 - prior)))
        )
    weights, bias = _fit_logistic((table - centre) / scale, right, penalty)
    return ConfidenceCombiner(names, centre, scale, weights, bias)


def _fit_logistic(
    table: Float[np.ndarray, "n k"], right: Bool[np.ndarray, " n"], penalty: float
) -> tuple[Float[np.ndarray, " k"], float]:
    """Weights and the bias, which is not shrunk, where the mean loss has a slope of at most TOLERANCE."""
    model = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=TOLERANCE, max_iter=1000)
    model.fit(table, right)
    weights: Float[np.ndarray, " k"] = model.coef_[0]
    return weights, float(model.intercept_[0])


def _table(names: tuple[str, ...], columns: Mapping[str, np.ndarray]) -> Float[np.ndarray, "n k"]:
    missing = [name for name in names if name not in columns]
    if missing:
        raise BadInput(f"combined score: expected the scores {list(names)}, got none of {missing}")
    for name in names:
        _check_column(name, columns[name], columns[names[0]].size)
    return np.column_stack([columns[name].astype(np.float64) for name in names])


def _check_column(name: str, column: np.ndarray, rows: int) -> None:
    try:
        check_scores(column, rows)
    except BadInput as error:
        raise BadInput(f"combined score, {name}: {error}") from error
