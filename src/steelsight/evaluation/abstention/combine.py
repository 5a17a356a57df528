"""Several scores joined into one: the probability that the verdict is right, learnt on calibration sheets.

It is fitted on sheets that trained nothing else, and whatever is claimed of it belongs on yet other sheets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import expit

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import check_scores

__all__ = ["ConfidenceCombiner", "fit_combiner"]

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

        columns  the scores fitted on, by name; others are left aside
        raises   BadInput for a score that is missing, NaN, or of another length
        """
        table = (_table(self.names, columns) - self.centre) / self.scale
        found: Float[np.ndarray, " m"] = expit(table @ self.weights + self.bias)
        return found

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for JSON."""
        return {
            "names": list(self.names),
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "weights": self.weights.tolist(),
            "bias": self.bias,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ConfidenceCombiner:
        """What `as_dict` wrote; BadInput for anything else."""
        try:
            names = tuple(map(str, stored["names"]))
            centre, scale, weights = (
                np.array(stored[part], dtype=np.float64) for part in ("centre", "scale", "weights")
            )
            bias = float(stored["bias"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"trust: expected names, centre, scale, weights and bias, got {stored!r:.200}; "
                "calibrate the run again"
            ) from error
        parts = (centre, scale, weights)
        whole = all(part.shape == (len(names),) and np.isfinite(part).all() for part in parts)
        if not names or not whole or not np.isfinite(bias) or not (scale > 0).all():
            raise BadInput(
                f"trust: expected one finite number a score, scales above 0, for {list(names)}; "
                "calibrate the run again"
            )
        return cls(names, centre, scale, weights, bias)


def fit_combiner(
    columns: Mapping[str, Column], right: Bool[np.ndarray, " n"], *, penalty: float = 1.0
) -> ConfidenceCombiner:
    """Learn from calibration sheets how the scores together foretell a right verdict.

        min over w, b of  sum_i log(1 + exp(-y_i (w · x_i + b))) + penalty / 2 |w|^2,  y = ±1, x standardised

    columns  name -> (n,) score
    right    (n,) whether the verdict is right; where all are, or none is, nothing tells scores apart and the
             answer is the constant (right + 1) / (n + 2), Laplace's rule of succession
    penalty  > 0; a score without spread gets weight 0
    raises   BadInput for no sheets, no scores, a NaN, another length, or a penalty not above 0

    >>> trust = fit_trust({"margin": np.array([0.1, 0.2, 0.8, 0.9])}, np.array([False, False, True, True]))
    >>> trust.score({"margin": np.array([0.0, 1.0])}).round(2).tolist()
    [0.19, 0.81]
    """
    if not columns:
        raise BadInput("trust: expected at least one score, got none")
    if not right.size:
        raise BadInput("trust: expected at least one calibration sheet, got none")
    if not 0 < penalty < np.inf:
        raise BadInput(f"trust penalty: expected a number above 0, got {penalty}")
    names = tuple(columns)
    for name in names:
        _check_column(name, columns[name], right.size)
    table = _table(names, columns)
    centre, scale = table.mean(axis=0), table.std(axis=0)
    # Rounding leaves a constant column a spread of 1e-17 of its size, which must not be blown up to 1.
    scale = np.where(scale > 1e-12 * np.abs(table).max(axis=0), scale, 1.0)
    hits = int(right.sum())
    if hits in (0, right.size):
        prior = (hits + 1) / (right.size + 2)
        return ConfidenceCombiner(
            names, centre, scale, np.zeros(len(names)), float(np.log(prior / (1 - prior)))
        )
    weights = _fit_logistic((table - centre) / scale, right, penalty)
    return ConfidenceCombiner(names, centre, scale, weights[:-1], float(weights[-1]))


def _fit_logistic(
    table: Float[np.ndarray, "n k"], right: Bool[np.ndarray, " n"], penalty: float
) -> Float[np.ndarray, " k1"]:
    """Weights, then the bias, which is not shrunk."""
    design = np.column_stack([table, np.ones(len(table))])
    sign = np.where(right, 1.0, -1.0)
    ridge = np.append(np.full(table.shape[1], penalty), 0.0) / len(table)

    def loss(w: np.ndarray) -> float:
        return float(np.logaddexp(0, -sign * (design @ w)).mean() + (ridge * w**2).sum() / 2)

    def slope(w: np.ndarray) -> np.ndarray:
        pull: np.ndarray = design.T @ (-sign * expit(-sign * (design @ w))) / len(design) + ridge * w
        return pull

    def bend(w: np.ndarray) -> np.ndarray:
        chance = expit(design @ w)
        curve: np.ndarray = (design.T * (chance * (1 - chance))) @ design / len(design) + np.diag(ridge)
        return curve

    start = np.zeros(design.shape[1])
    found = minimize(loss, start, jac=slope, hess=bend, method="trust-exact", options={"gtol": 1e-7})
    best: Float[np.ndarray, " k1"] = found.x
    return best


def _table(names: tuple[str, ...], columns: Mapping[str, np.ndarray]) -> Float[np.ndarray, "n k"]:
    missing = [name for name in names if name not in columns]
    if missing:
        raise BadInput(f"trust: expected the scores {list(names)}, got none of {missing}")
    for name in names:
        _check_column(name, columns[name], columns[names[0]].size)
    return np.column_stack([columns[name].astype(np.float64) for name in names])


def _check_column(name: str, column: np.ndarray, rows: int) -> None:
    try:
        check_scores(column, rows)
    except BadInput as error:
        raise BadInput(f"trust, {name}: {error}") from error
