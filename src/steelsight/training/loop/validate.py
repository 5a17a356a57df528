"""Metrics on the validation sheets, and the comparison of epochs by them."""

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
    """Metrics on clean validation sheets; the loss is plain cross entropy; None without validation sheets."""

    loss: float | None = None
    accuracy: float | None = None
    balanced_accuracy: float | None = None


def validate(model: SheetClassifier, data: TrainingData) -> Validation:
    """Evaluate a model on the validation sheets."""
    if data.validation.size == 0:
        return Validation()
    targets = data.targets[data.validation]
    logits = predict_logits(model, data.images[data.validation], batch=BATCH)
    loss = sheet_loss(torch.from_numpy(logits), torch.from_numpy(targets))
    accuracy, balanced = _accuracies(logits, targets)
    return Validation(float(loss), accuracy, balanced)


def is_better(monitor: Literal["loss", "balanced_accuracy"], new: EpochRow, old: EpochRow) -> bool:
    """Whether an epoch is better than an earlier one; without validation sheets the latest is the best."""
    if monitor == "loss":
        loss, before = new.validation_loss, old.validation_loss
        return loss is None or before is None or loss < before
    accuracy, earlier = new.validation_balanced_accuracy, old.validation_balanced_accuracy
    return accuracy is None or earlier is None or accuracy > earlier


def _accuracies(logits: Logits, targets: Targets) -> tuple[float, float]:
    """Accuracy, and the mean of the classes' recalls; multilabel: both over all binary answers."""
    if targets.ndim == 1:
        right, truth = logits.argmax(1) == targets, targets
    else:
        right, truth = ((logits > 0) == (targets > 0)).reshape(-1), targets.reshape(-1)
    recalls = [right[truth == kind].mean() for kind in np.unique(truth)]
    return float(right.mean()), float(np.mean(recalls))
