"""The ROC curve and the area under it, for one sample or many resamples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import check_scores

__all__ = ["RocCurve", "roc_auc", "roc_curve", "weighted_auc"]

Positive = Bool[np.ndarray, "n"]
Scores = Float[np.ndarray, "n"]


@dataclass(frozen=True)
class RocCurve:
    """A ROC curve from (0, 0) to (1, 1), corners only, and its area."""

    false_positive_rate: Float[np.ndarray, " m"]
    true_positive_rate: Float[np.ndarray, " m"]
    # a sheet is called positive at this score and above; the first is infinite
    thresholds: Float[np.ndarray, " m"]
    auc: float


def roc_auc(positive: Positive, scores: Float[np.ndarray, " m"]) -> float:
    """Probability that a positive sheet scores above a negative one, ties counting half.

        AUC = P(s+ > s-) + P(s+ = s-) / 2 = (R+ - n+ (n+ + 1) / 2) / (n+ n-),  R+ = rank sum of positives

    returns  0..1; .5 for a random score; NaN when all sheets are positive or none is
    raises   BadInput for scores that are not finite or not one a sheet
    source   Mann and Whitney 1947; Hanley and McNeil 1982

    >>> roc_auc(np.array([False, False, True, True]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    check_scores(scores, positive.size)
    return float(weighted_auc(positive, scores, np.ones((1, positive.size)))[0])


def weighted_auc(
    positive: Positive, scores: Scores, weights: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, " b"]:
    """The AUC under each row of weights, sorting once.

        AUC = sum_i w_i [i positive] (W-(s < s_i) + W-(s = s_i) / 2) / (W+ W-)

    weights  (b, n), >= 0: multiplicities of a resample, or weights of sheets
    returns  (b,); NaN where one side has no weight
    """
    order = np.argsort(scores, kind="stable")
    ranked, truth = scores[order], positive[order]
    steps = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])  # first sheet of each distinct score
    weights = weights[:, order]
    good = np.add.reduceat(weights * truth, steps, axis=1)  # (b, distinct scores)
    poor = np.add.reduceat(weights * ~truth, steps, axis=1)
    below = np.cumsum(poor, axis=1) - poor / 2
    pairs = good.sum(axis=1) * poor.sum(axis=1)
    area = np.full(len(weights), np.nan)
    np.divide((good * below).sum(axis=1), pairs, out=area, where=pairs > 0)
    return area


def roc_curve(positive: Positive, scores: Float[np.ndarray, " m"]) -> RocCurve:
    """The ROC curve; points inside a straight stretch are left out.

    raises  BadInput when all sheets are positive or none is: such a curve has no second axis
    """
    check_scores(scores, positive.size)
    total, positives = positive.size, int(positive.sum())
    if positives in (0, total):
        raise BadInput(f"ROC curve: expected sheets of both kinds, got {positives} positive among {total}")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(positive[order])
    ends = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])  # last sheet of each distinct score
    true = np.r_[0, hits[ends]] / positives
    false = np.r_[0, ends + 1 - hits[ends]] / (total - positives)
    keep = _corners(false, true)
    return RocCurve(false[keep], true[keep], np.r_[np.inf, ranked[ends]][keep], roc_auc(positive, scores))


def _corners(x: Float[np.ndarray, " m"], y: Float[np.ndarray, " m"]) -> Bool[np.ndarray, " m"]:
    """Which points are corners of the line; the first and the last are."""
    keep = np.ones(x.size, dtype=bool)
    keep[1:-1] = (np.diff(x, 2) != 0) | (np.diff(y, 2) != 0)
    return keep
