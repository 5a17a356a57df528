"""What a recipe does to the training sheets themselves, and what a reader of the figures is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from steelsight.training.dataset import Lesson
from steelsight.training.imbalance.copies import add_flips, class_counts
from steelsight.training.imbalance.paste import paste_defects
from steelsight.training.imbalance.patches import cut_lesson
from steelsight.training.recipe import Recipe

__all__ = ["Balanced", "balance_lesson"]


@dataclass(frozen=True)
class Balanced:
    """The lesson to train on."""

    lesson: Lesson
    told: dict[str, Any]  # for metrics.json: training items a class before and after, and how they came


def balance_lesson(lesson: Lesson, recipe: Recipe, classes: int, *, seed: int) -> Balanced:
    """Paste, flip, and cut, as far as the recipe asks for; weights and draws are not its business.

    raises  BadRecipe as the techniques do
    """
    rng = np.random.default_rng([seed, 2])  # 0 is the probe's and the report's, 1 the split's
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
        patches = cut_lesson(lesson, recipe.patches, classes=classes)
        lesson = patches.lesson
        told |= {"black_patches": patches.black, "unknown_patches": patches.unknown}
    if recipe.patches.count > 1 or len(told) > 1:
        told["after"] = class_counts(lesson).tolist()
    return Balanced(lesson, told)
