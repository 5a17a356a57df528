"""Balanced accuracy with its interval, for sweeps, which need no other metric."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from steelsight.evaluation.confusion import balanced_accuracy, weighted_margins
from steelsight.evaluation.intervals.bootstrap import Groups, draw_weights, group_index, interval_of, wilson
from steelsight.evaluation.intervals.bounds import average_bounds, is_constant, lone_classes
from steelsight.evaluation.probabilities import check_labels, read_weights
from steelsight.types import Interval, Labels

__all__ = ["balanced_interval"]


def balanced_interval(
    labels: Labels,
    verdicts: Labels,
    classes: int,
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    among: Bool[np.ndarray, " m"] | None = None,
    resamples: int = 200,
    weights: Float[np.ndarray, " w"] | None = None,
) -> Interval:
    """Mean recall over the classes that have sheets, by bootstrap over groups.

    labels    (n,) class index
    verdicts  (n,) class index
    among     (n,) the sheets counted; None = all
    weights   (n,) >= 0 of the sheets; None = equal
    returns   NaN without sheets; no bounds for a single group, where a class has one group only, or where
              every verdict names one class; the mean of Wilson's bounds of the recalls where resampling shows
              no spread
    raises    BadInput for class indices outside 0..classes-1, or lengths that differ

    >>> labels = np.array([0, 1] * 6)
    >>> interval = balanced_interval(labels, labels, 2, rng=np.random.default_rng(0))
    >>> interval.estimate, round(interval.low, 2), interval.high
    (1.0, 0.61, 1.0)
    """
    check_labels(labels, classes)
    check_labels(verdicts, classes, where="verdicts")
    group = group_index(groups, labels.size)
    weight = read_weights(weights, labels.size) * (np.ones(labels.size) if among is None else among)
    counted = weight > 0
    present = np.bincount(labels[counted], minlength=classes) > 0

    def score(rows: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        counts = weighted_margins(labels, verdicts, classes, rows)
        lost = (counts.sheets[:, present] == 0).any(axis=1)
        accuracy: Float[np.ndarray, " b"] = np.where(lost, np.nan, balanced_accuracy(counts))
        return accuracy

    estimate = float(score(weight[None])[0])
    unknown = lone_classes(labels[counted], group[counted], classes) or is_constant(
        labels[counted], verdicts[counted]
    )
    if group.max() == 0 or unknown:
        return Interval(estimate, float("nan"), float("nan"))
    draws = np.concatenate([score(times * weight) for times in draw_weights(group, rng, resamples)])
    interval = interval_of(estimate, draws)[0]
    recalls = []
    for c in np.flatnonzero(present).tolist():
        rows = counted & (labels == c)
        units = int(np.unique(group[rows]).size)
        recalls.append(wilson(units * float(np.average(verdicts[rows] == c, weights=weight[rows])), units))
    return average_bounds(interval, recalls)
