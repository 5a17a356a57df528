"""Labels that mean nothing: a control shows what a training does that has nothing to learn from its labels.

Such a run answers no question about sheets. Its card, its metrics and its model card say what it is, and it
is never exported.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int

from steelsight.streams import stream
from steelsight.training.dataset import Targets, TrainingData

__all__ = ["SHUFFLED_NOTE", "ShuffledLabels", "shuffle_labels", "swap_labels"]

SHUFFLED_NOTE = (
    "a control: its training labels were drawn among the training sheets (labels.shuffle_seed), "
    "so its verdicts mean nothing"
)


@dataclass(frozen=True)
class ShuffledLabels:
    """What was drawn."""

    seed: int
    kept: float  # share of the training sheets whose label came out as it was

    def as_dict(self) -> dict[str, Any]:
        """For metrics.json."""
        return asdict(self)


def shuffle_labels(lesson: TrainingData, seed: int) -> tuple[TrainingData, ShuffledLabels]:
    """The lesson with its training labels drawn anew among its training sheets.

    Validation sheets leave it: true labels would stop the control at its start, drawn ones at random. So it
    trains for all its epochs and keeps the last. Their labels, and those of the test, stay true.
    """
    rows = lesson.train
    group = np.arange(len(lesson.targets)) if lesson.groups is None else lesson.groups
    targets = lesson.targets.copy()
    targets[rows] = swap_labels(lesson.targets[rows], group[rows], stream(seed, "shuffled-labels"))
    same = (targets[rows] == lesson.targets[rows]).reshape(rows.size, -1).all(1)
    shuffled = replace(lesson, targets=targets, validation=np.zeros(0, dtype=np.int64))
    return shuffled, ShuffledLabels(seed, float(same.mean()))


def swap_labels(targets: Targets, group: Int[np.ndarray, " n"], rng: np.random.Generator) -> Targets:
    """Give each group the labels of another, drawn without replacement; a larger one repeats them.

    Where every sheet is a group of its own, that is a permutation and every class keeps its count.

    >>> swap_labels(np.array([5, 5, 7, 7]), np.array([0, 0, 1, 1]), np.random.default_rng(3)).tolist()
    [7, 7, 5, 5]
    """
    members = [np.flatnonzero(group == name) for name in np.unique(group)]
    swapped = targets.copy()
    for rows, source in zip(members, rng.permutation(len(members)).tolist(), strict=True):
        swapped[rows] = targets[np.resize(members[source], rows.size)]
    return swapped
