"""Where a bootstrap shows no spread, or the spread of the wrong thing: wider bounds, or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from steelsight.evaluation.bootstrap import wilson
from steelsight.types import Interval, Labels

__all__ = ["lone_classes", "widen_certainties", "withdraw_bounds"]

Flags = Bool[np.ndarray, "n"]
GroupIndex = Int[np.ndarray, "n"]


def widen_certainties(
    intervals: dict[str, Interval],
    labels: Labels,
    verdicts: Labels,
    single: Flags,
    group: GroupIndex,
    classes: int,
) -> None:
    """Where all sheets are right, or none is, resampling has no spread: Wilson's bounds, counting groups."""
    about = {"accuracy": single, "all": np.ones_like(single), "multi": ~single}
    for c in range(classes):
        about |= {f"recall:{c}": single & (labels == c), f"precision:{c}": single & (verdicts == c)}
    for name, rows in about.items():
        found = intervals[name]
        if found.estimate in (0.0, 1.0) and found.low == found.high:
            groups = np.unique(group[rows]).size
            intervals[name] = wilson(int(found.estimate) * groups, groups, level=found.level)


def lone_classes(labels: Labels, group: GroupIndex, classes: int) -> list[int]:
    """Classes whose sheets all belong to one group: nothing says how another group would have fared."""
    return [c for c in range(classes) if np.unique(group[labels == c]).size == 1]


def withdraw_bounds(intervals: dict[str, Interval], lone: Sequence[int], classes: int) -> None:
    """Give no bounds where a class has one group: resampling would show the spread of the others alone."""
    if not lone:
        return
    ranked = range(classes) if classes == 2 else lone  # of two classes, each is the other's rest
    means = ("balanced_accuracy", "f1_macro", "auc")
    for name in (*means, *(f"auc:{c}" for c in ranked), *(f"f1:{c}" for c in lone)):
        found = intervals[name]
        intervals[name] = Interval(found.estimate, float("nan"), float("nan"), found.level)
