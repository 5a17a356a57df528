"""Evaluation of a model before and after a repair: accuracy, proof of the shortcut, quality of its maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from steelsight.counterfactuals.nuisances.nuisance import Nuisance, group_numbers
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.proof import ShortcutProof
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.evaluation.heatmaps.localization import overlap_counts, overlap_scores
from steelsight.evaluation.intervals.bootstrap import (
    bootstrap,
    group_index,
    paired_bootstrap,
    share_interval,
)
from steelsight.evaluation.intervals.bounds import difference_bounds, mean_bounds
from steelsight.explanations.benchmark.settings import load_league_recipe
from steelsight.explanations.gradcam import grad_cam_all, upsample
from steelsight.explanations.masks import make_masks
from steelsight.models.classifier import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.shortcuts.prove.prove import cache_predictions, prove
from steelsight.streams import stream
from steelsight.training.predict import predict_logits
from steelsight.types import Heatmaps, Interval, Task

__all__ = ["RepairEvaluation", "ScoreChange", "evaluate_repair", "robust_share"]

RESAMPLES = 1000
MAPPED = 300  # defective sheets whose maps are compared with their masks
BATCH = 32

Right = Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class RepairEvaluation:
    """Results of one model on the evaluation sheets."""

    right: Right  # whether the verdict is correct; of sheets with one label
    labels: Int[np.ndarray, " n"]
    defective_with: Right  # defective and with the nuisance
    groups: list[str] | None
    dice: Float[np.ndarray, " m"]  # Grad-CAM of the true class by the study's rule, on located defects
    dice_groups: list[str] | None
    proof: ShortcutProof

    def metrics(self, *, seed: int) -> dict[str, Interval]:
        """Compute each score with its interval, resampled by group.

        returns  accuracy over all sheets, mean over classes, over defective sheets with the nuisance; Dice
        """
        rng = stream(seed, "repair-stamps")
        every = np.ones_like(self.right)
        return {
            "accuracy": share_interval(self.right, every, self.groups, rng=rng, resamples=RESAMPLES),
            "balanced_accuracy": bootstrap(
                self.balanced_accuracy, self.right.size, self.groups, rng=rng, resamples=RESAMPLES
            ),
            "accuracy_defective_with": share_interval(
                self.right, self.defective_with, self.groups, rng=rng, resamples=RESAMPLES
            ),
            "dice": mean_bounds(
                bootstrap(self.mean_dice, self.dice.size, self.dice_groups, rng=rng, resamples=RESAMPLES),
                int(group_index(self.dice_groups, self.dice.size).max(initial=-1)) + 1,
            ),
        }

    def balanced_accuracy(self, rows: Int[np.ndarray, " r"]) -> float:
        """Mean of the classes' recalls on these sheets."""
        labels, right = self.labels[rows], self.right[rows]
        return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))

    def accuracy_defective_with(self, rows: Int[np.ndarray, " r"]) -> float:
        """Share of correct verdicts on the defective ones of these sheets with the nuisance."""
        return _mean(self.right.astype(np.float64), rows[self.defective_with[rows]])

    def accuracy(self, rows: Int[np.ndarray, " r"]) -> float:
        """Share of correct verdicts on these sheets."""
        return _mean(self.right.astype(np.float64), rows)

    def mean_dice(self, rows: Int[np.ndarray, " r"]) -> float:
        """Mean Dice of these maps."""
        return _mean(self.dice, rows)


Score = Callable[[RepairEvaluation, Int[np.ndarray, " r"]], float]


@dataclass(frozen=True)
class ScoreChange:
    """Score after a repair minus score before, on the same sheets."""

    accuracy: Interval
    balanced_accuracy: Interval
    accuracy_defective_with: Interval
    dice: Interval

    @classmethod
    def between(cls, before: RepairEvaluation, after: RepairEvaluation, *, seed: int) -> ScoreChange:
        """Compute paired intervals, resampled by group.

        before, after  evaluations on the same sheets
        """

        def change(score: Score, size: int, groups: list[str] | None) -> Interval:
            paired = paired_bootstrap(
                partial(score, after),
                partial(score, before),
                size,
                groups,
                rng=stream(seed, "repair-intervals"),
                resamples=RESAMPLES,
            )
            return difference_bounds(paired.difference, np.unique(group_index(groups, size)).size)

        sheets, groups = before.right.size, before.groups
        return cls(
            accuracy=change(RepairEvaluation.accuracy, sheets, groups),
            balanced_accuracy=change(RepairEvaluation.balanced_accuracy, sheets, groups),
            accuracy_defective_with=change(RepairEvaluation.accuracy_defective_with, sheets, groups),
            dice=change(RepairEvaluation.mean_dice, before.dice.size, before.dice_groups),
        )


def evaluate_repair(
    model: SheetClassifier,
    sheets: ProofSheets,
    nuisance: Nuisance,
    settings: ProofSettings,
    *,
    task: Task,
    seed: int,
) -> RepairEvaluation:
    """Evaluate one model; the same seed draws the same sheets, stamps and places for every model.

    sheets    those with several labels are left out
    settings  of the proof
    raises    BadInput as `prove`
    """
    single = np.flatnonzero(sheets.labels >= 0)
    some, present = sheets.take(single), nuisance.take(single)
    predict = cache_predictions(model, some.images)
    proof = prove(predict, some, present, settings, rng=stream(seed, "proof"))
    masked = _masked(some, stream(seed, "repair-dice"))
    groups = list(some.groups)
    return RepairEvaluation(
        right=predict(some.images).argmax(1) == some.labels,
        labels=some.labels,
        defective_with=some.defective & present.present,
        groups=groups if any(groups) else None,
        dice=_dice(model, some, masked, task),
        dice_groups=[groups[row] for row in masked.tolist()] if any(groups) else None,
        proof=proof,
    )


def robust_share(
    model: SheetClassifier, sheets: ProofSheets, toggled: np.ndarray | None, nuisance: Nuisance
) -> float:
    """Compute the share of sheets with correct verdicts both with and without the nuisance.

    Repair methods are chosen by it.

    toggled  (n, h, w) the sheets with the nuisance pasted or removed; None = impossible
    returns  0..1; without `toggled`, the mean accuracy over the groups of class and presence
    """
    right = predict_logits(model, sheets.images).argmax(1) == sheets.labels
    if toggled is not None:
        both = right & (predict_logits(model, toggled).argmax(1) == sheets.labels)
        return float(both.mean())
    groups = group_numbers(sheets.labels, nuisance.present)
    return float(np.mean([right[groups == group].mean() for group in np.unique(groups)]))


def _masked(sheets: ProofSheets, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
    """At most MAPPED defective sheets with masks."""
    rows = np.flatnonzero(sheets.defective & sheets.located)
    rows = np.sort(rng.permutation(rows)[:MAPPED])
    kept = [row for row in rows.tolist() if sheets.defect(row).any()]
    return np.array(kept, dtype=np.int64)


def _dice(
    model: SheetClassifier, sheets: ProofSheets, rows: Int[np.ndarray, " m"], task: Task
) -> Float[np.ndarray, " m"]:
    """Dice of the maps of the true class with the masks of these sheets."""
    if not rows.size:
        return np.zeros(0)
    rule = load_league_recipe([]).study_rules(task)[0]
    truths = np.stack([sheets.defect(row) for row in rows.tolist()])
    masks = make_masks(_true_class_maps(model, sheets, rows), rule)
    dice: Float[np.ndarray, " m"] = overlap_scores(overlap_counts(masks, truths))["dice"]
    return dice


def _true_class_maps(model: SheetClassifier, sheets: ProofSheets, rows: Int[np.ndarray, " m"]) -> Heatmaps:
    device = next(model.parameters()).device
    size = (sheets.images.shape[1], sheets.images.shape[2])
    maps = []
    for start in range(0, rows.size, BATCH):
        some = rows[start : start + BATCH]
        inputs = to_input(torch.from_numpy(np.array(sheets.images[some])).to(device))
        every = grad_cam_all(model, inputs).maps
        true = every[torch.arange(len(some)), torch.from_numpy(sheets.labels[some])]
        maps.append(upsample(true, size).float().cpu().numpy())
    return np.concatenate(maps)


def _mean(values: Float[np.ndarray, " n"], rows: Int[np.ndarray, " r"]) -> float:
    return float(values[rows].mean()) if rows.size else float("nan")
