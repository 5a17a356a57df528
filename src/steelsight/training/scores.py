"""From logits to the figures of a run: reports of a part with intervals, answers in words, sheets of several types."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int

from steelsight.evaluation.classification import classification_report, softmax
from steelsight.training.lesson import SheetData
from steelsight.types import Logits, Probabilities, Task

__all__ = ["answers_in_words", "probabilities_of", "report_apart", "report_part"]

RESAMPLES = 1000

Positions = Int[np.ndarray, "p"]


def probabilities_of(logits: Logits, task: Task) -> Probabilities:
    """Softmax over classes, or for multilabel a sigmoid a type."""
    wide = logits.astype(np.float64)
    if task != "multilabel":
        return softmax(wide)
    return 1 / (1 + np.exp(-np.clip(wide, -700, 700)))


def answers_in_words(logits: Logits, data: SheetData) -> list[str]:
    """The verdict on each sheet; a multilabel sheet's types are joined by "+"."""
    names = data.labelled.class_names
    if data.task == "multilabel":
        return ["+".join(np.array(names)[row > 0]) for row in logits]
    return [names[answer] for answer in logits.argmax(1)]


def report_part(
    data: SheetData, logits: Logits, positions: Positions, *, seed: int, resamples: int = RESAMPLES
) -> dict[str, Any] | None:
    """The classification report of some sheets, intervals by group; None for no sheets.

    logits  of all the data's sheets
    """
    if positions.size == 0:
        return None
    probabilities = probabilities_of(logits[positions], data.task)
    groups = [data.groups[i] for i in positions.tolist()]
    report = classification_report(
        data.labelled.labels[positions],
        probabilities,
        data.labelled.class_names,
        groups=groups if any(groups) else None,
        rng=np.random.default_rng([seed, 0]),
        resamples=resamples,
    )
    found: dict[str, Any] = report.as_dict()
    return found


def report_apart(data: SheetData, logits: Logits, positions: Positions, trained: Positions) -> dict[str, Any]:
    """Sheets of several types, dropped from training: how often the verdict is any of their types.

    Those that share a group with a training sheet do not count.
    """
    seen = {data.groups[i] for i in trained.tolist()} - {""}
    fair = [i for i in positions.tolist() if data.groups[i] not in seen]
    right = sum(int(logits[i].argmax()) in data.labelled.alternatives[i] for i in fair)
    return {"sheets": len(fair), "right": right, "beside_training_groups": positions.size - len(fair)}
