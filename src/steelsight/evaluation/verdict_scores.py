"""Score several sets of verdicts on the same resamples of sheets, so that any two can be compared.

The scores need verdicts alone, no probabilities: accuracy, weighted F1, balanced accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadInput
from steelsight.evaluation import confusion as counted
from steelsight.evaluation.confusion import Margins, weighted_margins
from steelsight.evaluation.intervals.bootstrap import (
    Groups,
    PairedDifference,
    draw_weights,
    group_index,
    interval_of,
)
from steelsight.evaluation.intervals.bounds import (
    average_bounds,
    bounded_pair,
    is_constant,
    lone_classes,
    wilson_at,
)
from steelsight.evaluation.probabilities import check_labels, read_weights
from steelsight.types import Interval, Labels

__all__ = ["SCORES", "VerdictScores", "score_verdicts"]

SCORES: dict[str, str] = {
    "accuracy": "accuracy",
    "f1_weighted": "F1, weighted",
    "balanced_accuracy": "balanced accuracy",
}

Draws = Float[np.ndarray, "v b"]


@dataclass(frozen=True, eq=False)
class VerdictScores:
    """Scores of every set of verdicts; column b of all draws is the same resample."""

    estimates: Mapping[str, Float[np.ndarray, " v"]]
    draws: Mapping[str, Draws]  # without columns where there is one group only
    recalls: Float[np.ndarray, "v k"]  # NaN for a class without sheets
    class_groups: Int[np.ndarray, " k"]  # independent groups of each class
    groups: int
    lone: bool  # whether a class has one group only; then means over classes have no bounds
    constant: Bool[np.ndarray, " v"]  # whether a row names one class only; then its mean recall has no bounds

    def interval(self, row: int, score: str) -> Interval:
        """One score of one set of verdicts, with Wilson's bounds over groups where resampling has no spread.

        score  a key of SCORES
        """
        interval = self._bounds(score, float(self.estimates[score][row]), self.draws[score][row])
        if score != "balanced_accuracy":
            return wilson_at(interval, self.groups)
        if self.lone or self.constant[row]:
            return Interval(interval.estimate, float("nan"), float("nan"), interval.level)
        classes = [
            wilson_at(Interval(recall, recall, recall), units)
            for recall, units in zip(self.recalls[row].tolist(), self.class_groups.tolist(), strict=True)
        ]
        return average_bounds(interval, classes)

    def difference(self, row: int, other: int, score: str) -> PairedDifference:
        """One row minus another, on the same resamples."""
        estimate = float(self.estimates[score][row] - self.estimates[score][other])
        draws = self.draws[score][row] - self.draws[score][other]
        defined = draws[~np.isnan(draws)]
        above = float(((defined > 0) + 0.5 * (defined == 0)).mean()) if defined.size else float("nan")
        found = PairedDifference(self._bounds(score, estimate, draws), above, draws.size - defined.size)
        return found if row == other else bounded_pair(found, self.groups)

    def _bounds(self, score: str, estimate: float, draws: Float[np.ndarray, " b"]) -> Interval:
        if not draws.size or (score == "balanced_accuracy" and self.lone):
            return Interval(estimate, float("nan"), float("nan"))
        return interval_of(estimate, draws)[0]


def score_verdicts(
    labels: Labels,
    verdicts: Int[np.ndarray, "v m"],
    classes: int,
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    weights: Float[np.ndarray, " n"] | None = None,
    resamples: int = 1000,
) -> VerdictScores:
    """Score sets of verdicts by bootstrap over groups, a resample's sheets the same for all sets.

    labels    (n,) class index
    weights   (n,) >= 0 of the sheets; None = equal
    returns   balanced accuracy is undefined for a resample without a sheet of a class that the labels have,
              and where the labels have one class only: the recall of one class is no mean over classes
    raises    BadInput for class indices out of range, and for lengths that differ

    >>> labels = np.array([0, 0, 1, 1])
    >>> scores = score_verdicts(labels, np.array([labels, [0, 0, 0, 1]]), 2, rng=np.random.default_rng(0))
    >>> scores.estimates["accuracy"].tolist(), scores.difference(1, 0, "accuracy").difference.estimate
    ([1.0, 0.75], -0.25)
    """
    check_labels(labels, classes)
    if verdicts.shape[1] != labels.size or not len(verdicts):
        raise BadInput(
            f"verdicts: expected rows of {labels.size}, one a label, "
            f"got {len(verdicts)} of {verdicts.shape[1]}"
        )
    check_labels(verdicts.ravel(), classes, where="verdicts")
    group, importance = group_index(groups, labels.size), read_weights(weights, labels.size)
    plain = _counts(labels, verdicts, classes, importance[None])
    drawn = draw_weights(group, rng, resamples) if group.max() > 0 else iter(())
    chunks = [_score(_counts(labels, verdicts, classes, times * importance), labels) for times in drawn]
    return VerdictScores(
        {name: values[:, 0] for name, values in _score(plain, labels).items()},
        {
            name: np.concatenate([np.zeros((len(verdicts), 0)), *(chunk[name] for chunk in chunks)], axis=1)
            for name in SCORES
        },
        counted.recall(plain)[:, 0],
        np.array([np.unique(group[labels == c]).size for c in range(classes)], dtype=np.int64),
        int(group.max()) + 1,
        bool(lone_classes(labels, group, classes)),
        np.array([is_constant(labels, row) for row in verdicts], dtype=bool),
    )


def _counts(
    labels: Labels, verdicts: Int[np.ndarray, "v n"], classes: int, weights: Float[np.ndarray, "b n"]
) -> Margins:
    """Margins (v, b, k) of every set of verdicts."""
    sets = [weighted_margins(labels, row, classes, weights) for row in verdicts]
    return Margins(*(np.stack(parts) for parts in zip(*sets, strict=True)))


def _score(counts: Margins, labels: Labels) -> dict[str, Draws]:
    present = np.bincount(labels, minlength=counts.sheets.shape[-1]) > 0
    lost = (counts.sheets[..., present] == 0).any(axis=2) | (present.sum() < 2)
    return {
        "accuracy": counted.accuracy(counts),
        "f1_weighted": counted.f1(counts, "weighted"),
        "balanced_accuracy": np.where(lost, np.nan, counted.balanced_accuracy(counts)),
    }
