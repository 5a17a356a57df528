"""What the chapters write about: the data, the trained models and their answers, the costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from steelsight.evaluation.classification import ClassificationReport
from steelsight.evaluation.timing import Timing
from steelsight.inspection.neurons.atlas import Atlas
from steelsight.inspection.probes.separability import Separability
from steelsight.models.summary import LayerRow
from steelsight.runs.open import OpenRun
from steelsight.sheets.grouping.splits import Split
from steelsight.study.contents import PublishedTable
from steelsight.study.league import LeagueResult
from steelsight.study.options import StudyOptions
from steelsight.study.stains import NO_MODEL, StainEffect
from steelsight.training.dataset import SheetData
from steelsight.types import Labels, Logits, Probabilities, SheetSet

__all__ = ["ModelCost", "ModelResult", "StudyResults"]


@dataclass(frozen=True)
class ModelCost:
    """What a network takes, whether it was trained or not."""

    title: str
    layers: tuple[LayerRow, ...]  # Fire modules as one row each
    timing: Timing  # of a batch of five

    @property
    def parameters(self) -> int:
        """Numbers the network learns."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates an image."""
        return sum(layer.macs for layer in self.layers)


@dataclass(frozen=True)
class ModelResult:
    """One trained model on the test part."""

    name: str
    title: str
    folder: Path  # RUN
    remark: str  # how it was trained otherwise than the others; "" = as the study did
    training: Mapping[str, Any]  # metrics.json's: history, best_epoch, epochs, stopped_early
    balance: Mapping[str, Any]  # metrics.json's: training sheets a class, before and after
    started_from: str  # imagenet or none
    clean_logits: Logits  # of the test sheets
    clean: Probabilities  # of the same
    noisy: Probabilities  # of the same sheets at X + 0.15 Z, the same Z for every model
    clean_report: ClassificationReport
    noisy_report: ClassificationReport


@dataclass(frozen=True)
class StudyResults:
    """Everything a chapter may use."""

    options: StudyOptions
    sheets: SheetSet
    data: SheetData  # binary
    sizes: tuple[tuple[int, int], ...]  # (height, width) of the image files
    split: Split
    leaks: int  # groups in more than one part
    results: Mapping[str, ModelResult]
    skipped: Mapping[str, str]  # networks not trained, with the reason
    costs: Mapping[str, ModelCost]
    published: Mapping[str, PublishedTable]
    weights: Float[np.ndarray, " t"] | None = None  # a test sheet each; None = they count alike
    left_out: Mapping[str, str] = field(default_factory=dict)  # techniques not tried, with the reason
    techniques: Mapping[str, ModelResult] = field(default_factory=dict)  # against imbalance; multi-class only
    shown: OpenRun | None = None  # the model shown in detail, with the data and their parts
    neurons: Atlas | None = None  # of the model shown
    judgement: LeagueResult | None = None  # its explanations against masks; None = no test sheet has one
    layers: Separability | str = NO_MODEL  # what its layers separate, or why nobody knows
    stains: StainEffect | str = NO_MODEL  # what white stains do to it

    @property
    def labels(self) -> Labels:
        """The right answers of the test sheets: 0 none, 1 defect."""
        labels: Labels = np.asarray(self.data.labelled.labels)[self.split.test]
        return labels

    @property
    def groups(self) -> list[str] | None:
        """The groups of the test sheets; None where no sheet has one."""
        names = [self.data.groups[position] for position in self.split.test.tolist()]
        return names if any(names) else None

    @property
    def chosen(self) -> ModelResult | None:
        """The model shown in detail: the study's choice where it was trained."""
        for name in ("squeezenet_reduced", "aug_reduced_squeeze", "squeezenet", "adhoc", *self.results):
            if name in self.results:
                return self.results[name]
        return None
