"""Accuracy against coverage: what is gained by answering only where a score is high enough.

A score is any number that is higher where the model is surer; answers are given from the highest down.
Sheets of equal score are answered together: a curve has a point only where a threshold can be put.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from steelsight.errors import BadInput
from steelsight.evaluation.bootstrap import (
    Groups,
    PairedDifference,
    bootstrap,
    paired_bootstrap,
)
from steelsight.evaluation.confusion import balanced_accuracy, confusion
from steelsight.evaluation.probabilities import check_scores
from steelsight.types import Interval, Labels

__all__ = [
    "RiskCoverage",
    "SweepRow",
    "augrc",
    "aurc",
    "aurc_difference",
    "coverage_at",
    "coverage_interval",
    "risk_coverage",
    "sweep_thresholds",
]

Right = Bool[np.ndarray, " n"]
Scores = Float[np.ndarray, " m"]


@dataclass(frozen=True)
class RiskCoverage:
    """One point a threshold that can be put, from the strictest to none."""

    thresholds: Float[np.ndarray, " t"]
    coverage: Float[np.ndarray, " t"]  # share of the sheets answered
    risk: Float[np.ndarray, " t"]  # share of wrong answers among those answered


@dataclass(frozen=True)
class SweepRow:
    """One threshold of the study's sweep."""

    threshold: float
    coverage: float
    accuracy: float  # of the answered; NaN if none is
    balanced_accuracy: float


def risk_coverage(right: Right, scores: Scores) -> RiskCoverage:
    """The curve.

    right   (n,) whether each answer would be right
    scores  (n,) higher = surer
    raises  BadInput for no sheets, or a score that is not finite

    >>> curve = risk_coverage(np.array([True, False, True]), np.array([0.9, 0.5, 0.7]))
    >>> curve.coverage.round(2).tolist(), curve.risk.round(2).tolist()
    ([0.33, 0.67, 1.0], [0.0, 0.0, 0.33])
    """
    check_scores(scores, right.size)
    if not right.size:
        raise BadInput("risk and coverage: expected at least one sheet, got none")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # where a threshold fits
    answered = last + 1
    wrong = np.cumsum(~right[order])[last]
    return RiskCoverage(ranked[last], answered / right.size, wrong / answered)


def aurc(right: Right, scores: Scores) -> float:
    """Area under the risk-coverage curve: the mean risk when every coverage is as likely; lower is better.

    Ties share: sheets of one score are averaged over their order.
    source  Geifman and El-Yaniv 2017
    """
    return _area(right, scores, selective=True)


def augrc(right: Right, scores: Scores) -> float:
    """Area under the share of all sheets wrongly answered, by coverage; lower is better.

    source  Traub et al. 2024
    """
    return _area(right, scores, selective=False)


def _area(right: Right, scores: Scores, *, selective: bool) -> float:
    curve = risk_coverage(right, scores)
    answered = np.rint(curve.coverage * right.size)
    wrong = curve.risk * answered
    counts = np.arange(1, right.size + 1)
    # Within a tie errors come evenly, so the expected number of wrong answers grows linearly.
    expected = np.interp(counts, np.append(0, answered), np.append(0, wrong))
    return float((expected / counts if selective else expected / right.size).mean())


def coverage_at(right: Right, scores: Scores, accuracy: float) -> float:
    """The largest coverage at which the answered are right at least so often; 0 if there is none.

    Read off the sheets it is asked of, so it flatters a threshold chosen on them; see guarantee.
    raises  BadInput for an accuracy outside [0, 1]
    """
    if not 0 <= accuracy <= 1:
        raise BadInput(f"selective accuracy: expected from 0 to 1, got {accuracy}")
    curve = risk_coverage(right, scores)
    enough = curve.risk <= 1 - accuracy + 1e-12
    return float(curve.coverage[enough].max()) if enough.any() else 0.0


def coverage_interval(
    right: Right,
    scores: Scores,
    accuracy: float,
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    resamples: int = 1000,
) -> Interval:
    """`coverage_at` with its interval by bootstrap over groups."""
    return bootstrap(
        lambda rows: coverage_at(right[rows], scores[rows], accuracy),
        right.size,
        groups,
        rng=rng,
        resamples=resamples,
    )


def aurc_difference(
    right: Right,
    first: Scores,
    second: Float[np.ndarray, " k"],
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    resamples: int = 1000,
) -> PairedDifference:
    """AURC of the first score minus the second's, on the same resamples; below 0 = the first is better."""
    check_scores(second, right.size)
    return paired_bootstrap(
        lambda rows: aurc(right[rows], first[rows]),
        lambda rows: aurc(right[rows], second[rows]),
        right.size,
        groups,
        rng=rng,
        resamples=resamples,
    )


def sweep_thresholds(
    labels: Labels,
    answers: Labels,
    scores: Scores,
    thresholds: Sequence[float],
    *,
    classes: int,
) -> list[SweepRow]:
    """The study's sweep: a sheet is answered when its confidence reaches the threshold.

    raises  BadInput for a threshold outside [0, 1]
    """
    check_scores(scores, labels.size)
    rows = []
    for threshold in thresholds:
        if not 0 <= threshold <= 1:
            raise BadInput(f"threshold: expected from 0 to 1, got {threshold}")
        told = scores >= threshold
        if not told.any():
            rows.append(SweepRow(threshold, 0.0, float("nan"), float("nan")))
            continue
        matrix = confusion(labels[told], answers[told], classes)
        rows.append(
            SweepRow(
                threshold,
                float(told.mean()),
                float((labels[told] == answers[told]).mean()),
                float(balanced_accuracy(matrix[None].astype(np.float64))[0]),
            )
        )
    return rows
