"""What a recipe does to the training sheets themselves, and what a reader of the figures is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from steelsight.streams import stream
from steelsight.training.dataset import TrainingData
from steelsight.training.imbalance.copies import add_flips, class_counts
from steelsight.training.imbalance.paste import paste_defects
from steelsight.training.imbalance.patches import cut_training_patches
from steelsight.training.recipe import Recipe

__all__ = ["BalancedData", "balance_training_data"]


@dataclass(frozen=True)
class BalancedData:
    """The lesson to train on."""

    lesson: TrainingData
    told: dict[str, Any]  # for metrics.json: training items a class before and after, and how they came


def balance_training_data(lesson: TrainingData, recipe: Recipe, classes: int, *, seed: int) -> BalancedData:
    """Paste, flip, and cut, as far as the recipe asks for; weights and draws are not its business.

    raises  BadRecipe as the techniques do
    """
    rng = stream(seed, "balance")  # 0 is the probe's and the report's, 1 the split's
    before = class_counts(lesson)
    told: dict[str, Any] = {"before": before.tolist()}
    if recipe.paste.to_share:
        pasted = paste_defects(lesson, recipe.paste.to_share, rng)
        lesson = pasted.lesson
        told["pasted"] = pasted.added.tolist()
    if recipe.balance.method == "flips":
        copied = add_flips(lesson, recipe.flips, rng)
        lesson = copied.lesson
        told |= {"copied": copied.added.tolist(), "duplicate_share": copied.duplicate_share}
    if recipe.patches.count > 1:
        patches = cut_training_patches(lesson, recipe.patches, classes=classes)
        lesson = patches.lesson
        told |= {"black_patches": patches.black, "unknown_patches": patches.unknown}
    if recipe.patches.count > 1 or len(told) > 1:
        told["after"] = class_counts(lesson).tolist()
    return BalancedData(lesson, told)
