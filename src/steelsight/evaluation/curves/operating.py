"""The operating point of a defect score: escape (defective sheets pass) and overkill (good ones stop).

A test set rarely has the mill's share of defective sheets. Escape and overkill do not depend on it; the other
figures are computed for a stated prevalence. The threshold is on the probability of a defect and stops a
sheet from itself on, 1 included; thresholds on confidence are in `abstention.thresholds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import Groups, share_interval
from steelsight.evaluation.probabilities import check_unit_scores, read_weights
from steelsight.types import Interval

__all__ = ["ESCAPE", "OperatingPoint", "operating_point", "threshold_for_escape"]

ESCAPE = 0.05  # share of the defective validation sheets that may pass at the threshold of the reports

Positive = Bool[np.ndarray, " n"]
Scores = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class OperatingPoint:
    """One threshold: a sheet is stopped when its score reaches it."""

    threshold: float
    prevalence: float  # share of defective sheets the last four figures are stated for
    escape: Interval  # share of the defective sheets that pass
    overkill: Interval  # share of the good sheets that are stopped
    escaped_per_1000: float  # sheets of a thousand on the line that are defective and pass
    stopped_per_1000: float  # sheets of a thousand that are stopped, good or defective
    precision: float  # share of the stopped that are defective; NaN if none is stopped
    overkilled_per_1000: float  # sheets of a thousand on the line that are good and stopped


def operating_point(
    defective: Positive,
    scores: Scores,
    threshold: float,
    *,
    rng: np.random.Generator,
    prevalence: float | None = None,
    groups: Groups | None = None,
    resamples: int = 1000,
    weights: Float[np.ndarray, " w"] | None = None,
) -> OperatingPoint:
    """Escape and overkill at a threshold.

    defective   (n,) the truth
    scores      (n,) in 0..1, higher = more likely defective
    threshold   in 0..1; a sheet is stopped when its score reaches it
    prevalence  share of defective sheets on the line, in (0, 1); None = that of these sheets
    weights     (n,) >= 0 of the sheets, e.g. to weigh defect types by a mill's own shares; None = equal
    returns     intervals by bootstrap over groups, by Wilson's score where every sheet agrees
    raises      BadInput unless both sides have sheets, for a prevalence outside (0, 1), a score or threshold
                that is NaN or outside 0..1
    """
    weight = read_weights(weights, defective.size)
    counted = weight > 0
    check_unit_scores(scores, defective.size)
    _check_sides(defective[counted])
    if not 0 <= threshold <= 1:
        raise BadInput(f"operating point: expected a threshold from 0 to 1, got {threshold}")
    share = float(weight[defective].sum() / weight.sum()) if prevalence is None else prevalence
    if not 0 < share < 1:
        raise BadInput(f"prevalence: expected above 0 and below 1, got {prevalence}")
    stopped = np.clip(scores, 0, 1) >= threshold
    common: dict[str, Any] = {"rng": rng, "resamples": resamples, "weights": weights}
    escape = share_interval(~stopped, defective, groups, **common)
    overkill = share_interval(stopped, ~defective, groups, **common)
    passing = share * escape.estimate
    caught, alarms = share - passing, (1 - share) * overkill.estimate
    return OperatingPoint(
        threshold,
        share,
        escape,
        overkill,
        1000 * passing,
        1000 * (caught + alarms),
        caught / (caught + alarms) if caught + alarms > 0 else float("nan"),
        1000 * alarms,
    )


def threshold_for_escape(defective: Positive, scores: Scores, most: float) -> float:
    """The highest threshold at which at most a share `most` of the defective sheets passes.

    Choose it on validation sheets and measure it on others.
    raises  BadInput unless both sides have sheets, for a score that is NaN or outside 0..1, a share outside
            [0, 1)

    >>> threshold_for_escape(np.array([True] * 4 + [False]), np.array([0.9, 0.8, 0.7, 0.2, 0.1]), 0.25)
    0.7
    """
    check_unit_scores(scores, defective.size)
    _check_sides(defective)
    if not 0 <= most < 1:
        raise BadInput(f"escape: expected a share of at least 0 and below 1, got {most}")
    ranked = np.sort(np.clip(scores[defective], 0, 1))
    return float(ranked[int(np.floor(most * ranked.size + 1e-9))])


def _check_sides(defective: Positive) -> None:
    if not defective.any() or defective.all():
        side = "good" if defective.any() else "defective"
        raise BadInput(f"operating point: expected good and defective sheets, got no {side} one")
