"""The study's sweep over thresholds: coverage and accuracy as the threshold on confidence rises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from steelsight.evaluation.abstention.thresholds import answered, check_threshold
from steelsight.evaluation.balanced import balanced_interval
from steelsight.evaluation.confusion import accuracy, balanced_accuracy, weighted_margins
from steelsight.evaluation.intervals.bootstrap import Resampling, share_interval
from steelsight.evaluation.probabilities import check_labels, check_scores, read_weights
from steelsight.types import Interval, Labels

__all__ = ["SweepRow", "describe_classes", "sweep_thresholds"]


@dataclass(frozen=True)
class SweepRow:
    """One threshold of the study's sweep."""

    threshold: float
    coverage: float
    accuracy: float  # of the answered; NaN if none is
    balanced_accuracy: float  # mean recall over the classes with an answered sheet; NaN if none is answered
    classes_answered: int  # with an answered sheet; the mean is over these
    classes: int  # with a sheet
    coverage_bounds: Interval | None = None  # None without resampling
    accuracy_bounds: Interval | None = None
    balanced_bounds: Interval | None = None


def sweep_thresholds(
    labels: Labels,
    answers: Labels,
    scores: Float[np.ndarray, " m"],
    thresholds: Sequence[float],
    *,
    classes: int,
    weights: Float[np.ndarray, " w"] | None = None,
    resampling: Resampling | None = None,
) -> list[SweepRow]:
    """Coverage and accuracy of the sheets that each threshold answers, see `thresholds.answered`.

    labels      (n,) class index
    answers     (n,) class index
    scores      (n,) confidence
    thresholds  each in 0..1; 1 answers nothing
    weights     (n,) >= 0 of the sheets, e.g. to weigh classes by a mill's own shares; None = equal
    resampling  of groups, for intervals; None = no intervals
    raises      BadInput for a threshold outside [0, 1], or class indices outside 0..classes-1

    >>> labels, answers = np.array([0, 0, 1]), np.array([0, 1, 1])
    >>> row = sweep_thresholds(labels, answers, np.array([0.9, 0.8, 0.5]), [0.6], classes=2)[0]
    >>> row.accuracy, row.balanced_accuracy, row.classes_answered
    (0.5, 0.5, 1)
    """
    check_scores(scores, labels.size)
    if labels.size:
        check_labels(labels, classes)
        check_labels(answers, classes, where="answers")
    for threshold in thresholds:
        check_threshold(threshold)
    weight = read_weights(weights, labels.size)
    known = np.unique(labels[weight > 0]).size
    rows = []
    for threshold in thresholds:
        chosen = answered(scores, threshold)
        counts = weighted_margins(labels, answers, classes, (weight * chosen)[None])
        row = SweepRow(
            threshold,
            float(weight[chosen].sum() / weight.sum()) if labels.size else 0.0,
            float(accuracy(counts)[0]),
            float(balanced_accuracy(counts)[0]),
            int((counts.sheets[0] > 0).sum()),
            known,
        )
        if resampling is not None and labels.size:
            row = _with_bounds(row, _Sweep(labels, answers, classes, weights, resampling), chosen)
        rows.append(row)
    return rows


def describe_classes(rows: Sequence[SweepRow]) -> str:
    """A caption: over how many classes the balanced accuracy of a sweep is a mean.

    >>> describe_classes([SweepRow(0.0, 1.0, 0.9, 0.9, 5, 5), SweepRow(0.99, 0.2, 1.0, 1.0, 2, 5)])
    'Balanced accuracy is the mean over the classes with an answered sheet: 5 of 5 from 0, 2 of 5 from 0.99.'
    """
    steps: list[str] = []
    before = -1
    for row in sorted(rows, key=lambda row: row.threshold):
        if row.classes_answered != before:
            steps.append(f"{row.classes_answered} of {row.classes} from {row.threshold:g}")
        before = row.classes_answered
    return f"Balanced accuracy is the mean over the classes with an answered sheet: {', '.join(steps)}."


class _Sweep(NamedTuple):
    labels: Labels
    answers: Labels
    classes: int
    weights: Float[np.ndarray, " w"] | None
    resampling: Resampling


def _with_bounds(row: SweepRow, sweep: _Sweep, chosen: Bool[np.ndarray, " n"]) -> SweepRow:
    labels, answers, drawn = sweep.labels, sweep.answers, sweep.resampling
    common: dict[str, Any] = {"rng": drawn.rng, "resamples": drawn.resamples, "weights": sweep.weights}
    everyone = np.ones(labels.size, dtype=bool)
    return replace(
        row,
        coverage_bounds=share_interval(chosen, everyone, drawn.groups, **common),
        accuracy_bounds=share_interval(labels == answers, chosen, drawn.groups, **common),
        balanced_bounds=balanced_interval(
            labels, answers, sweep.classes, drawn.groups, among=chosen, **common
        ),
    )
