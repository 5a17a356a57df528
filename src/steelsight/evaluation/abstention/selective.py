"""Risk and coverage when only sheets with a high score are answered.

A score is any number that is higher where the model is more confident, on any scale. Sheets are answered from
the highest score down, those of equal score together: a curve has a point where a threshold is possible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import (
    CountMetric,
    Groups,
    PairedDifference,
    bootstrap,
    bootstrap_counts,
    group_index,
    paired_bootstrap,
)
from steelsight.evaluation.intervals.bounds import bounded_pair, wilson_at
from steelsight.evaluation.probabilities import check_scores, read_weights
from steelsight.types import Interval

__all__ = [
    "RiskCoverage",
    "augrc",
    "aurc",
    "aurc_difference",
    "coverage_at",
    "coverage_interval",
    "risk_coverage",
]

Right = Bool[np.ndarray, " n"]
Scores = Float[np.ndarray, " m"]
Weights = Float[np.ndarray, " w"]


@dataclass(frozen=True)
class RiskCoverage:
    """One point for each possible threshold, from the strictest to none."""

    thresholds: Float[np.ndarray, " t"]
    coverage: Float[np.ndarray, " t"]  # share of the sheets answered
    risk: Float[np.ndarray, " t"]  # share of wrong answers among those answered


def risk_coverage(right: Right, scores: Scores, weights: Weights | None = None) -> RiskCoverage:
    """The risk-coverage curve.

    right    (n,) whether each answer would be right
    scores   (n,) higher = more confident
    weights  (n,) >= 0 of the sheets, e.g. to weigh classes by a mill's own shares; None = equal
    raises   BadInput for no sheets, or a score that is not finite

    >>> curve = risk_coverage(np.array([True, False, True]), np.array([0.9, 0.5, 0.7]))
    >>> curve.coverage.round(2).tolist(), curve.risk.round(2).tolist()
    ([0.33, 0.67, 1.0], [0.0, 0.0, 0.33])
    """
    check_scores(scores, right.size)
    if not right.size:
        raise BadInput("risk and coverage: expected at least one sheet, got none")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # where a threshold is possible
    weight = read_weights(weights, right.size)[order]
    running = np.cumsum(weight)
    answered, wrong = running[last], np.cumsum(weight * ~right[order])[last]
    risk = np.divide(wrong, answered, out=np.zeros_like(wrong), where=answered > 0)
    return RiskCoverage(ranked[last], answered / running[-1], risk)


def aurc(right: Right, scores: Scores, weights: Weights | None = None) -> float:
    """Area under the risk-coverage curve: the mean risk over all coverages, 0..1; lower is better.

    Sheets of equal score are averaged over their order.
    source  Geifman and El-Yaniv 2017
    """
    return _area(right, scores, weights, selective=True)


def augrc(right: Right, scores: Scores, weights: Weights | None = None) -> float:
    """Area under the share of all sheets that are answered wrongly, over coverage, 0..1; lower is better.

    source  Traub et al. 2024
    """
    return _area(right, scores, weights, selective=False)


def _area(right: Right, scores: Scores, weights: Weights | None, *, selective: bool) -> float:
    curve = risk_coverage(right, scores, weights)
    order = np.argsort(-scores, kind="stable")
    weight = read_weights(weights, right.size)[order]
    steps = np.cumsum(weight) / weight.sum()  # the coverage after each sheet
    # Within a tie, errors are spread evenly, so the expected share of wrong answers grows linearly.
    wrong = np.interp(steps, np.append(0, curve.coverage), np.append(0, curve.risk * curve.coverage))
    risk = np.divide(wrong, steps, out=np.zeros_like(wrong), where=steps > 0) if selective else wrong
    return float(risk @ weight / weight.sum())


def coverage_at(right: Right, scores: Scores, accuracy: float, weights: Weights | None = None) -> float:
    """The largest coverage at which the answers reach an accuracy, 0..1; 0 if there is none.

    Chosen and measured on the same sheets, which is optimistic; see `guarantee`.
    raises  BadInput for an accuracy outside [0, 1]
    """
    if not 0 <= accuracy <= 1:
        raise BadInput(f"selective accuracy: expected from 0 to 1, got {accuracy}")
    curve = risk_coverage(right, scores, weights)
    enough = curve.risk <= 1 - accuracy + 1e-12
    return float(curve.coverage[enough].max()) if enough.any() else 0.0


def _coverages(right: Right, scores: Scores, accuracy: float) -> CountMetric:
    """`coverage_at` of many resamples at once; the sheets are ranked once.

    A threshold whose sheets were not drawn repeats the point before it, which changes no maximum. Sums of
    whole numbers are exact, so the figures are those of `coverage_at` to the last bit.
    """
    coverage_at(right, scores, accuracy)  # refuses what it refuses
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    wrong = ~right[order]

    def coverages(times: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        drawn = times[:, order]
        answered, failed = np.cumsum(drawn, axis=1)[:, last], np.cumsum(drawn * wrong, axis=1)[:, last]
        risk = np.divide(failed, answered, out=np.zeros_like(failed), where=answered > 0)
        enough = risk <= 1 - accuracy + 1e-12
        largest: Float[np.ndarray, " b"] = np.where(enough, answered / answered[:, -1:], 0.0).max(axis=1)
        return largest

    return coverages


def coverage_interval(
    right: Right,
    scores: Scores,
    accuracy: float,
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    resamples: int = 1000,
    weights: Weights | None = None,
) -> Interval:
    """`coverage_at` with its interval by bootstrap over groups; by Wilson's score where it has no spread."""
    counted = read_weights(weights, right.size) > 0

    def coverage(rows: Int[np.ndarray, " r"]) -> float:
        if not counted[rows].any():
            return float("nan")
        return coverage_at(right[rows], scores[rows], accuracy, _take(weights, rows))

    if weights is None and right.size:
        coverages = _coverages(right, scores, accuracy)
        interval = bootstrap_counts(coverages, right.size, groups, rng=rng, resamples=resamples)
    else:
        interval = bootstrap(coverage, right.size, groups, rng=rng, resamples=resamples)
    return wilson_at(interval, np.unique(group_index(groups, right.size)[counted]).size)


def aurc_difference(
    right: Right,
    first: Scores,
    second: Float[np.ndarray, " k"],
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    resamples: int = 1000,
    weights: Weights | None = None,
) -> PairedDifference:
    """AURC of the first score minus the second's, on the same resamples; below 0 = the first is better.

    Two scores that no resample tells apart have the exact bounds of `difference_bounds`, over groups.
    """
    check_scores(second, right.size)
    paired = paired_bootstrap(
        lambda rows: aurc(right[rows], first[rows], _take(weights, rows)),
        lambda rows: aurc(right[rows], second[rows], _take(weights, rows)),
        right.size,
        groups,
        rng=rng,
        resamples=resamples,
    )
    counted = read_weights(weights, right.size) > 0
    return bounded_pair(paired, np.unique(group_index(groups, right.size)[counted]).size)


def _take(weights: Weights | None, rows: Int[np.ndarray, " r"]) -> Float[np.ndarray, " r"] | None:
    return None if weights is None else weights[rows]
