"""Shuffled training labels: a control that shows the effect of training without information in the labels.

The predictions of such a run mean nothing. Its card, metrics and model card say so, and it is never exported.
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
    "a control: its training labels were shuffled among the training sheets (labels.shuffle_seed), "
    "so its verdicts mean nothing"
)


@dataclass(frozen=True)
class ShuffledLabels:
    """The seed of the shuffling and its effect."""

    seed: int
    kept: float  # share of the training sheets whose label is unchanged

    def as_dict(self) -> dict[str, Any]:
        """For metrics.json."""
        return asdict(self)


def shuffle_labels(data: TrainingData, seed: int) -> tuple[TrainingData, ShuffledLabels]:
    """Shuffle the labels of the training sheets among them.

    Validation sheets are removed: early stopping on true labels would end the training at once, on shuffled
    labels at random. The control trains for all epochs and keeps the last. All other labels stay true.
    """
    rows = data.train
    group = np.arange(len(data.targets)) if data.groups is None else data.groups
    targets = data.targets.copy()
    targets[rows] = swap_labels(data.targets[rows], group[rows], stream(seed, "shuffled-labels"))
    same = (targets[rows] == data.targets[rows]).reshape(rows.size, -1).all(1)
    shuffled = replace(data, targets=targets, validation=np.zeros(0, dtype=np.int64))
    return shuffled, ShuffledLabels(seed, float(same.mean()))


def swap_labels(targets: Targets, group: Int[np.ndarray, " n"], rng: np.random.Generator) -> Targets:
    """Give each group the labels of another group, drawn without replacement; repeated where it is larger.

    Without groups this is a permutation, and every class keeps its count.

    >>> swap_labels(np.array([5, 5, 7, 7]), np.array([0, 0, 1, 1]), np.random.default_rng(3)).tolist()
    [7, 7, 5, 5]
    """
    members = [np.flatnonzero(group == name) for name in np.unique(group)]
    swapped = targets.copy()
    for rows, source in zip(members, rng.permutation(len(members)).tolist(), strict=True):
        swapped[rows] = targets[np.resize(members[source], rows.size)]
    return swapped
