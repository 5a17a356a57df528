"""The study's sweep over thresholds: what is answered, and how well, as the confidence asked for rises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from steelsight.errors import BadInput
from steelsight.evaluation.balanced import balanced_interval
from steelsight.evaluation.confusion import accuracy, balanced_accuracy, weighted_confusion
from steelsight.evaluation.intervals.bootstrap import Groups, share_interval
from steelsight.evaluation.probabilities import check_labels, check_scores, read_weights
from steelsight.types import Interval, Labels

__all__ = ["SweepRow", "sweep_thresholds", "tell_classes"]


@dataclass(frozen=True)
class SweepRow:
    """One threshold of the study's sweep."""

    threshold: float
    coverage: float
    accuracy: float  # of the answered; NaN if none is
    balanced_accuracy: float  # mean recall over the classes with an answered sheet; NaN if none is answered
    classes_answered: int  # with an answered sheet; a class that lost its last drops out of the mean
    classes: int  # with a sheet
    coverage_bounds: Interval | None = None  # None where no intervals were asked for
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
    rng: np.random.Generator | None = None,
    groups: Groups | None = None,
    resamples: int = 200,
) -> list[SweepRow]:
    """Answer a sheet when its confidence reaches the threshold, threshold by threshold.

    labels   (n,) class index
    answers  (n,) class index
    scores   (n,) confidence
    weights  (n,) >= 0, what each sheet counts, e.g. to bring a test to a mill's own shares; None = alike
    rng      draws resamples of groups for intervals; None = none are given
    raises   BadInput for a threshold outside [0, 1], or class indices outside 0..classes-1

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
        if not 0 <= threshold <= 1:
            raise BadInput(f"threshold: expected from 0 to 1, got {threshold}")
    weight = read_weights(weights, labels.size)
    known = np.unique(labels[weight > 0]).size
    rows = []
    for threshold in thresholds:
        told = scores >= threshold
        matrix = weighted_confusion(labels, answers, classes, (weight * told)[None])
        row = SweepRow(
            threshold,
            float(weight[told].sum() / weight.sum()) if labels.size else 0.0,
            float(accuracy(matrix)[0]),
            float(balanced_accuracy(matrix)[0]),
            int((matrix[0].sum(axis=1) > 0).sum()),
            known,
        )
        if rng is not None and labels.size:
            row = _bound(row, labels, answers, told, classes, weights, rng, groups, resamples)
        rows.append(row)
    return rows


def tell_classes(rows: Sequence[SweepRow]) -> str:
    """Over how many classes the balanced accuracy of a sweep is a mean, in words to stand under its figure.

    >>> tell_classes([SweepRow(0.0, 1.0, 0.9, 0.9, 5, 5), SweepRow(0.99, 0.2, 1.0, 1.0, 2, 5)])
    'Balanced accuracy is the mean over the classes with an answered sheet: 5 of 5 from 0, 2 of 5 from 0.99.'
    """
    steps: list[str] = []
    before = -1
    for row in sorted(rows, key=lambda row: row.threshold):
        if row.classes_answered != before:
            steps.append(f"{row.classes_answered} of {row.classes} from {row.threshold:g}")
        before = row.classes_answered
    return f"Balanced accuracy is the mean over the classes with an answered sheet: {', '.join(steps)}."


def _bound(
    row: SweepRow,
    labels: Labels,
    answers: Labels,
    told: Bool[np.ndarray, " n"],
    classes: int,
    weights: Float[np.ndarray, " w"] | None,
    rng: np.random.Generator,
    groups: Groups | None,
    resamples: int,
) -> SweepRow:
    everyone = np.ones(labels.size, dtype=bool)
    return replace(
        row,
        coverage_bounds=share_interval(told, everyone, groups, rng=rng, resamples=resamples, weights=weights),
        accuracy_bounds=share_interval(
            labels == answers, told, groups, rng=rng, resamples=resamples, weights=weights
        ),
        balanced_bounds=balanced_interval(
            labels, answers, classes, groups, rng=rng, among=told, resamples=resamples, weights=weights
        ),
    )
