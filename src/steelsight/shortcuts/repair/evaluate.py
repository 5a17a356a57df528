"""How a model stands before and after a cure: how right, how robust, how well its maps find the defect."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from steelsight.evaluation.heatmaps.localization import overlap_counts, overlap_scores
from steelsight.evaluation.intervals.bootstrap import bootstrap, paired_bootstrap, share_interval
from steelsight.explanations.benchmark.settings import load_league_recipe
from steelsight.explanations.gradcam import grad_cam_all, upsample
from steelsight.explanations.masks import make_masks
from steelsight.models.classifier import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.shortcuts.nuisances.nuisance import Nuisance, group_numbers
from steelsight.shortcuts.prove.prove import ShortcutProof, asked_once, prove
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.streams import stream
from steelsight.training.predict import predict_logits
from steelsight.types import Heatmaps, Interval, Task

__all__ = ["RepairEvaluation", "ScoreChange", "evaluate_repair", "robust_share"]

RESAMPLES = 1000
MAPPED = 300  # defective sheets whose maps are held against their masks
BATCH = 32

Right = Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class RepairEvaluation:
    """One model on the judging sheets."""

    right: Right  # of sheets with one label
    labels: Int[np.ndarray, " n"]
    stained: Right  # defective and with the nuisance
    groups: list[str] | None
    dice: Float[np.ndarray, " m"]  # Grad-CAM of the true class by the study's rule, on located defects
    dice_groups: list[str] | None
    proof: ShortcutProof

    def metrics(self, *, seed: int) -> dict[str, Interval]:
        """Accuracy over all sheets, mean over classes, over defective sheets with the nuisance; Dice."""
        rng = stream(seed, "repair-stamps")
        everyone = np.ones_like(self.right)
        return {
            "accuracy": share_interval(self.right, everyone, self.groups, rng=rng, resamples=RESAMPLES),
            "balanced_accuracy": bootstrap(
                self.balanced, self.right.size, self.groups, rng=rng, resamples=RESAMPLES
            ),
            "accuracy_defective_with": share_interval(
                self.right, self.stained, self.groups, rng=rng, resamples=RESAMPLES
            ),
            "dice": bootstrap(
                partial(_mean, self.dice), self.dice.size, self.dice_groups, rng=rng, resamples=RESAMPLES
            ),
        }

    def balanced(self, rows: Int[np.ndarray, " r"]) -> float:
        """Mean of the classes' recalls."""
        labels, right = self.labels[rows], self.right[rows]
        return float(np.mean([right[labels == label].mean() for label in np.unique(labels)]))

    def among_stained(self, rows: Int[np.ndarray, " r"]) -> float:
        """Accuracy over defective sheets with the nuisance."""
        return _mean(self.right.astype(np.float64), rows[self.stained[rows]])

    def accuracy(self, rows: Int[np.ndarray, " r"]) -> float:
        """Share of right verdicts."""
        return _mean(self.right.astype(np.float64), rows)


@dataclass(frozen=True)
class ScoreChange:
    """After minus before, on the same sheets."""

    accuracy: Interval
    balanced_accuracy: Interval
    accuracy_defective_with: Interval
    dice: Interval

    @classmethod
    def between(cls, before: RepairEvaluation, after: RepairEvaluation, *, seed: int) -> ScoreChange:
        """Paired intervals by group."""

        def pair(name: str) -> Interval:
            return paired_bootstrap(
                getattr(after, name),
                getattr(before, name),
                before.right.size,
                before.groups,
                rng=stream(seed, "repair-intervals"),
                resamples=RESAMPLES,
            ).difference

        return cls(
            pair("accuracy"),
            pair("balanced"),
            pair("among_stained"),
            paired_bootstrap(
                partial(_mean, after.dice),
                partial(_mean, before.dice),
                before.dice.size,
                before.dice_groups,
                rng=stream(seed, "repair-intervals"),
                resamples=RESAMPLES,
            ).difference,
        )


def evaluate_repair(
    model: SheetClassifier,
    sheets: ProofSheets,
    nuisance: Nuisance,
    *,
    task: Task,
    suspect: str,
    limit: int,
    material: str,
    seed: int,
) -> RepairEvaluation:
    """Judge one model; the same seed draws the same sheets, stamps and places for every model.

    raises  BadInput as `prove`
    """
    single = np.flatnonzero(sheets.labels >= 0)
    some, present = sheets.take(single), nuisance.take(single)
    predict = asked_once(model, some.images)
    proof = prove(
        predict,
        some,
        present,
        rng=stream(seed, "proof"),
        suspect=suspect,
        limit=limit,
        material=material,
        doses=(),
        take_away=False,
    )
    masked = _masked(some, stream(seed, "repair-dice"))
    groups = list(some.groups)
    return RepairEvaluation(
        right=predict(some.images).argmax(1) == some.labels,
        labels=some.labels,
        stained=(some.labels > 0) & present.present,
        groups=groups if any(groups) else None,
        dice=_dice(model, some, masked, task),
        dice_groups=[groups[row] for row in masked.tolist()] if any(groups) else None,
        proof=proof,
    )


def robust_share(
    model: SheetClassifier, sheets: ProofSheets, toggled: np.ndarray | None, nuisance: Nuisance
) -> float:
    """What cures are chosen by: how many sheets are told right whether they have the nuisance or not.

    toggled  (n, h, w) the sheets with the nuisance put on or taken off; None = cannot be done: then the mean
             accuracy over the groups of a class with and without it
    """
    right = predict_logits(model, sheets.images).argmax(1) == sheets.labels
    if toggled is not None:
        both = right & (predict_logits(model, toggled).argmax(1) == sheets.labels)
        return float(both.mean())
    groups = group_numbers(sheets.labels, nuisance.present)
    return float(np.mean([right[groups == group].mean() for group in np.unique(groups)]))


def _masked(sheets: ProofSheets, rng: np.random.Generator) -> Int[np.ndarray, " m"]:
    """At most MAPPED defective sheets with masks."""
    rows = np.flatnonzero((sheets.labels > 0) & sheets.located)
    rows = np.sort(rng.permutation(rows)[:MAPPED])
    kept = [row for row in rows.tolist() if sheets.defect(row).any()]
    return np.array(kept, dtype=np.int64)


def _dice(
    model: SheetClassifier, sheets: ProofSheets, rows: Int[np.ndarray, " m"], task: Task
) -> Float[np.ndarray, " m"]:
    if not rows.size:
        return np.zeros(0)
    rule = load_league_recipe([]).study_rules(task)[0]
    truths = np.stack([sheets.defect(row) for row in rows.tolist()])
    found = make_masks(_true_class_maps(model, sheets, rows), rule)
    dice: Float[np.ndarray, " m"] = overlap_scores(overlap_counts(found, truths))["dice"]
    return dice


def _true_class_maps(model: SheetClassifier, sheets: ProofSheets, rows: Int[np.ndarray, " m"]) -> Heatmaps:
    device = next(model.parameters()).device
    size = (sheets.images.shape[1], sheets.images.shape[2])
    maps = []
    for start in range(0, rows.size, BATCH):
        some = rows[start : start + BATCH]
        inputs = to_input(torch.from_numpy(np.array(sheets.images[some])).to(device))
        told = grad_cam_all(model, inputs).maps
        true = told[torch.arange(len(some)), torch.from_numpy(sheets.labels[some])]
        maps.append(upsample(true, size).float().cpu().numpy())
    return np.concatenate(maps)


def _mean(values: Float[np.ndarray, " n"], rows: Int[np.ndarray, " r"]) -> float:
    return float(values[rows].mean()) if rows.size else float("nan")
