"""Rejection of images that are not sheets: another material, a black frame, a screenshot.

Evaluate each kind of outsider apart; a mean over kinds depends on how many images each has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from steelsight.errors import BadInput
from steelsight.evaluation.curves.roc import weighted_auc
from steelsight.evaluation.intervals.bootstrap import draw_weights, interval_of, wilson
from steelsight.evaluation.probabilities import check_scores
from steelsight.types import Interval

__all__ = ["OutlierRejection", "evaluate_rejection"]


@dataclass(frozen=True)
class OutlierRejection:
    """How well a familiarity score rejects outsiders: images with a score below the threshold."""

    auroc: Interval  # probability that a sheet scores above an outsider; .5 for a random score
    threshold: float
    false_accept: Interval  # share of the outsiders that reach the threshold


def evaluate_rejection(
    inside: Float[np.ndarray, " n"],
    outside: Float[np.ndarray, " m"],
    *,
    rng: np.random.Generator,
    keep: float = 0.95,
    calibration: Float[np.ndarray, " k"] | None = None,
    resamples: int = 1000,
) -> OutlierRejection:
    """AUROC and false accepts at the highest threshold that keeps a share of the sheets.

    inside       (n,) scores of sheets, higher = more familiar
    outside      (m,) scores of outsiders
    keep         share of sheets that must reach the threshold, above 0 and at most 1
    calibration  scores of other sheets to choose the threshold on; None = on `inside`, which is optimistic
    returns      AUROC with bounds by resampling sheets and outsiders apart, or, where every pair is in order,
                 Wilson's over min(n, m) disjoint pairs; false accepts with Wilson's at the threshold
    raises       BadInput for an empty side, a score that is not finite, or `keep` outside its range

    >>> result = evaluate_rejection(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0.1, 0.75]), keep=0.75,
    ...     rng=np.random.default_rng(0))
    >>> result.threshold, result.false_accept.estimate, result.auroc.estimate
    (0.7, 0.5, 0.75)
    """
    chosen = inside if calibration is None else calibration
    for name, scores in (("inside", inside), ("outside", outside), ("calibration", chosen)):
        _check(name, scores)
    if not 0 < keep <= 1:
        raise BadInput(f"keep: expected a share above 0 and at most 1, got {keep}")
    threshold = _threshold(chosen, keep)
    accepted = int((outside >= threshold).sum())
    return OutlierRejection(
        _auroc(inside, outside, rng, resamples), threshold, wilson(accepted, outside.size)
    )


def _threshold(scores: Float[np.ndarray, " k"], keep: float) -> float:
    """The highest score that at least a share `keep` reaches."""
    # The products of shares like .95 * 20 carry an error of 1e-15, which must not cost a sheet.
    dropped = int(np.floor((1 - keep) * scores.size + 1e-9))
    return float(np.sort(scores)[min(dropped, scores.size - 1)])


def _auroc(
    inside: Float[np.ndarray, " n"],
    outside: Float[np.ndarray, " m"],
    rng: np.random.Generator,
    resamples: int,
) -> Interval:
    scores = np.concatenate([inside, outside]).astype(np.float64)
    truth = np.arange(scores.size) < inside.size
    estimate = float(weighted_auc(truth, scores, np.ones((1, scores.size)))[0])
    if estimate in (0.0, 1.0):
        pairs = min(inside.size, outside.size)
        return wilson(int(estimate) * pairs, pairs)
    sides = [draw_weights(np.arange(side.size), rng, resamples) for side in (inside, outside)]
    rows = zip(*((row for batch in side for row in batch) for side in sides), strict=True)
    draws = np.array([weighted_auc(truth, scores, np.concatenate(pair)[None])[0] for pair in rows])
    return interval_of(estimate, draws)[0]


def _check(name: str, scores: Float[np.ndarray, " n"]) -> None:
    if not scores.size:
        raise BadInput(f"rejection, {name}: expected at least one score, got none")
    try:
        check_scores(scores, scores.size)
    except BadInput as error:
        raise BadInput(f"rejection, {name}: {error}") from error
