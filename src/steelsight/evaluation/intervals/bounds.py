"""Correct the bounds of a bootstrap without spread, or with a spread that is not meaningful.

Twelve sheets with right verdicts give twelve right ones in every resample, which would be an interval without
width. Wilson's score interval replaces it and counts groups, because groups are independent. Where every
verdict names one class, the balanced accuracy is one over the number of classes whatever the sheets are; it
estimates nothing, so it has no bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Bool, Int

from steelsight.evaluation.intervals.bootstrap import NO_SPREAD, PairedDifference, wilson
from steelsight.types import Interval, Labels

__all__ = [
    "FEWEST_GROUPS",
    "SAME_EVERYWHERE",
    "average_bounds",
    "bounded_pair",
    "difference_bounds",
    "is_constant",
    "lone_classes",
    "mean_bounds",
    "widen_certainties",
    "wilson_at",
    "withdraw_bounds",
]

Flags = Bool[np.ndarray, "n"]
GroupIndex = Int[np.ndarray, "n"]

FEWEST_GROUPS: Final = 10  # independent groups below which a difference is undecided
MEANS = {"balanced_accuracy": "recall", "f1_macro": "f1", "auc": "auc"}  # mean over classes of


def wilson_at(interval: Interval, units: int) -> Interval:
    """Wilson's bounds at the estimate where the interval has no width; else the interval unchanged.

    units   independent groups the figure rests on

    >>> wilson_at(Interval(1.0, 1.0, 1.0), 5).low.__round__(3)
    0.566
    """
    if not _spreadless(interval) or units <= 0:
        return interval
    share = min(1.0, max(0.0, interval.estimate))
    return replace(wilson(share * units, units, level=interval.level), estimate=interval.estimate)


def mean_bounds(interval: Interval, units: int) -> Interval:
    """Bounds of a mean of values from 0 to 1 that all groups share, where resamples cannot differ.

    Of `units` groups none has another value, so at most the share p of all groups has, p being the exact
    upper bound of 0 of `units`; their values may be 0 or 1. An interval with a width is returned unchanged.

    >>> mean_bounds(Interval(0.0, 0.0, 0.0), 6).high.__round__(3)
    0.459
    """
    if not _spreadless(interval) or units <= 0 or not 0 <= interval.estimate <= 1:
        return interval
    other = _unseen_share(units, interval.level)
    same = interval.estimate * (1 - other)
    return replace(interval, low=min(same, interval.estimate), high=max(same + other, interval.estimate))


def difference_bounds(interval: Interval, units: int) -> Interval:
    """Bounds of a difference of two shares that no resample changes; else the interval unchanged.

    units  groups on which both agree: of all groups, at most the exact upper bound of 0 of `units` differ

    >>> difference_bounds(Interval(0.0, 0.0, 0.0), 6).low.__round__(3)
    -0.459
    """
    if not _spreadless(interval) or units <= 0:
        return interval
    other = _unseen_share(units, interval.level)
    estimate = interval.estimate
    return replace(interval, low=max(estimate - other, -1.0), high=min(estimate + other, 1.0))


SAME_EVERYWHERE: Final = (
    "Two results that every group shares differ by 0; the bounds are then exact: with g groups, at most a "
    "share of 1 - .025^(1/g) of all groups tells them apart."
)


def bounded_pair(paired: PairedDifference, units: int) -> PairedDifference:
    """The same pair with the `difference_bounds` of its difference."""
    return replace(paired, difference=difference_bounds(paired.difference, units))


def _unseen_share(units: int, level: float) -> float:
    """The exact upper bound of a share of which none was seen (Clopper and Pearson 1934)."""
    return float(1 - ((1 - level) / 2) ** (1 / units))


def average_bounds(interval: Interval, parts: Sequence[Interval]) -> Interval:
    """For a mean over classes without width, the means of its classes' bounds; else the interval unchanged.

    parts   the classes' own intervals; those that are NaN are not in the mean
    """
    defined = [part for part in parts if not np.isnan(part.estimate)]
    if not _spreadless(interval) or not defined:
        return interval
    low, high = (float(np.mean([getattr(part, side) for part in defined])) for side in ("low", "high"))
    return Interval(
        interval.estimate, min(low, interval.estimate), max(high, interval.estimate), interval.level
    )


def widen_certainties(
    intervals: dict[str, Interval],
    labels: Labels,
    verdicts: Labels,
    single: Flags,
    group: GroupIndex,
    classes: int,
) -> None:
    """Give every metric without spread Wilson's bounds, by the number of groups it is computed on; in place.

    An AUC counts disjoint pairs, as many as the smaller side has groups. A mean over classes takes the mean
    of its classes' bounds.
    """
    units = {
        name: _groups(group, rows)
        for name, rows in _sheets_of_metrics(labels, verdicts, single, classes).items()
    }
    for c in range(classes):
        units[f"auc:{c}"] = min(
            _groups(group, single & (labels == c)), _groups(group, single & (labels != c))
        )
    for name, count in units.items():
        intervals[name] = wilson_at(intervals[name], count)
    for name, each in MEANS.items():
        ranked = [1] if name == "auc" and classes == 2 else range(classes)
        intervals[name] = average_bounds(intervals[name], [intervals[f"{each}:{c}"] for c in ranked])


def _sheets_of_metrics(labels: Labels, verdicts: Labels, single: Flags, classes: int) -> dict[str, Flags]:
    """The sheets that each metric is computed on."""
    about = {"accuracy": single, "f1_weighted": single, "all": np.ones_like(single), "multi": ~single}
    for c in range(classes):
        about |= {f"recall:{c}": single & (labels == c), f"precision:{c}": single & (verdicts == c)}
        about[f"f1:{c}"] = single & ((labels == c) | (verdicts == c))
    return about


def _groups(group: GroupIndex, rows: Flags) -> int:
    return int(np.unique(group[rows]).size)


def _spreadless(interval: Interval) -> bool:
    """Whether bounds are given and have no width."""
    return bool(interval.high - interval.low <= NO_SPREAD)


def lone_classes(labels: Labels, group: GroupIndex, classes: int) -> list[int]:
    """Classes whose sheets all belong to one group, so that the spread between groups is unknown."""
    return [c for c in range(classes) if np.unique(group[labels == c]).size == 1]


def is_constant(labels: Labels, verdicts: Labels) -> bool:
    """Whether every verdict names one class although the labels name several.

    >>> is_constant(np.array([0, 1]), np.array([1, 1])), is_constant(np.array([1, 1]), np.array([1, 1]))
    (True, False)
    """
    return bool(labels.size) and np.unique(verdicts).size == 1 and np.unique(labels).size > 1


def withdraw_bounds(intervals: dict[str, Interval], lone: Sequence[int], classes: int) -> None:
    """Remove bounds that involve a class with one group, whose spread is unknown; in place."""
    if not lone:
        return
    ranked = range(classes) if classes == 2 else lone  # of two classes, each is the other's rest
    for name in (*MEANS, *(f"auc:{c}" for c in ranked), *(f"f1:{c}" for c in lone)):
        interval = intervals[name]
        intervals[name] = Interval(interval.estimate, float("nan"), float("nan"), interval.level)
