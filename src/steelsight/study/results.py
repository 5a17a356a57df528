"""Result types of the study: data, trained models with their predictions, costs, measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from steelsight.counterfactuals.proof import ShortcutProof
from steelsight.evaluation.classification import ClassificationReport
from steelsight.evaluation.timing import Timing
from steelsight.explanations.benchmark.results import EvaluationCase
from steelsight.explanations.benchmark.run import League
from steelsight.inspection.neurons.atlas import Atlas
from steelsight.inspection.probes.separability import Separability
from steelsight.models.summary import LayerRow
from steelsight.plain import plain
from steelsight.runs.opening.open import OpenRun
from steelsight.sheets.grouping.splits import Split
from steelsight.shortcuts.prove.examples import Example
from steelsight.study.contents import PublishedTable
from steelsight.study.options import StudyOptions
from steelsight.training.dataset import SheetData
from steelsight.types import Interval, Labels, Logits, Probabilities, SheetSet

__all__ = ["NO_MODEL", "LeagueResult", "ModelCost", "ModelResult", "StainEffect", "StudyResults"]

NO_MODEL = "no model was trained"


@dataclass(frozen=True)
class ModelCost:
    """Size and speed of a network; independent of its training."""

    title: str
    layers: tuple[LayerRow, ...]  # Fire modules as one row each
    timing: Timing  # of a batch of five

    @property
    def parameters(self) -> int:
        """Number of trainable parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations per image."""
        return sum(layer.macs for layer in self.layers)


@dataclass(frozen=True)
class ModelResult:
    """One trained model and its predictions on the test sheets."""

    name: str
    title: str
    folder: Path  # RUN
    remark: str  # how its training differed from the study's; "" = it did not
    training: Mapping[str, Any]  # metrics.json's: history, best_epoch, epochs, stopped_early
    balance: Mapping[str, Any]  # metrics.json's: training sheets a class, before and after
    started_from: str  # imagenet or none
    clean_logits: Logits  # of the test sheets
    clean: Probabilities  # of the same
    noisy: Probabilities  # of the same sheets at X + 0.15 Z, the same Z for every model
    clean_report: ClassificationReport
    noisy_report: ClassificationReport


@dataclass(frozen=True)
class LeagueResult:
    """The comparison of explanation methods on one model, and the sheets it was run on."""

    league: League
    cases: tuple[EvaluationCase, ...]


@dataclass(frozen=True)
class StainEffect:
    """The effect of white stains on one model."""

    proof: ShortcutProof
    examples: tuple[Example, ...]  # the sheet with the largest change, in pictures; empty without a paste
    without: UInt8[np.ndarray, "x h w"]  # some defect-free test sheets
    with_it: UInt8[np.ndarray, "y h w"]
    among_none: Interval  # share of the defect-free test sheets that have a stain
    among_defects: Interval  # share of the defective ones

    def as_dict(self) -> dict[str, Any]:
        """Every number as JSON, without pictures."""
        shares: dict[str, Any] = plain({"among_none": self.among_none, "among_defects": self.among_defects})
        return {**shares, "proof": self.proof.as_dict()}


@dataclass(frozen=True)
class StudyResults:
    """Results of the binary or of the multi-class models, as the chapters and claims use them."""

    options: StudyOptions
    sheets: SheetSet
    data: SheetData  # labelled for the task of these models
    sizes: tuple[tuple[int, int], ...]  # (height, width) of the image files
    split: Split
    leaks: int  # groups in more than one part of the split
    results: Mapping[str, ModelResult]
    skipped: Mapping[str, str]  # networks not trained, with the reason
    costs: Mapping[str, ModelCost]
    published: Mapping[str, PublishedTable]
    weights: Float[np.ndarray, " t"] | None = None  # one per test sheet; None = all count alike
    left_out: Mapping[str, str] = field(default_factory=dict)  # techniques not trained, with the reason
    techniques: Mapping[str, ModelResult] = field(default_factory=dict)  # against imbalance; multi-class only
    shown: OpenRun | None = None  # the model shown in detail, with the data and their parts
    neurons: Atlas | None = None  # of the model shown
    league_result: LeagueResult | None = None  # its explanations against masks; None = no test sheet has one
    layers: Separability | str = NO_MODEL  # linear separability by layer, or why it was not measured
    stains: StainEffect | str = NO_MODEL  # the effect of white stains, or why it was not measured

    @property
    def labels(self) -> Labels:
        """True classes of the test sheets; 0 is none."""
        labels: Labels = np.asarray(self.data.labelled.labels)[self.split.test]
        return labels

    @property
    def groups(self) -> list[str] | None:
        """Groups of the test sheets; None where no sheet has one."""
        names = [self.data.groups[position] for position in self.split.test.tolist()]
        return names if any(names) else None

    @property
    def chosen(self) -> ModelResult | None:
        """The model shown in detail: the study's choice, or the first trained one in a fixed order."""
        for name in ("squeezenet_reduced", "aug_reduced_squeeze", "squeezenet", "adhoc", *self.results):
            if name in self.results:
                return self.results[name]
        return None
