"""How good a model is on the validation sheets, and whether that is the best so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from steelsight.models.catalog import SheetClassifier
from steelsight.training.dataset import Targets, TrainingData
from steelsight.training.loop.losses import sheet_loss
from steelsight.training.loop.state import EpochRow
from steelsight.training.predict import predict_logits
from steelsight.types import Logits

__all__ = ["Validation", "is_better", "validate"]

BATCH = 64


@dataclass(frozen=True)
class Validation:
    """Figures on clean validation sheets, plain cross entropy; None without validation sheets."""

    loss: float | None = None
    accuracy: float | None = None
    balanced_accuracy: float | None = None


def validate(model: SheetClassifier, lesson: TrainingData) -> Validation:
    """Judge a model on the lesson's validation sheets."""
    if lesson.validation.size == 0:
        return Validation()
    targets = lesson.targets[lesson.validation]
    logits = predict_logits(model, lesson.images[lesson.validation], batch=BATCH)
    loss = sheet_loss(torch.from_numpy(logits), torch.from_numpy(targets))
    accuracy, balanced = _accuracies(logits, targets)
    return Validation(float(loss), accuracy, balanced)


def is_better(monitor: Literal["loss", "balanced_accuracy"], new: EpochRow, old: EpochRow) -> bool:
    """Whether an epoch beats an earlier one; without validation sheets the latest is the best."""
    if monitor == "loss":
        lost, best = new.validation_loss, old.validation_loss
        return lost is None or best is None or lost < best
    ours, theirs = new.validation_balanced_accuracy, old.validation_balanced_accuracy
    return ours is None or theirs is None or ours > theirs


def _accuracies(logits: Logits, targets: Targets) -> tuple[float, float]:
    """Accuracy, and the mean of the classes' recalls; multilabel: both over all yes-or-no answers."""
    if targets.ndim == 1:
        right, truth = logits.argmax(1) == targets, targets
    else:
        right, truth = ((logits > 0) == (targets > 0)).reshape(-1), targets.reshape(-1)
    recalls = [right[truth == kind].mean() for kind in np.unique(truth)]
    return float(right.mean()), float(np.mean(recalls))
