"""Applies a recipe's pasting, flipped copies and patches to the training data."""

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
    """The training data after these changes."""

    data: TrainingData
    facts: dict[str, Any]  # for metrics.json: training items a class before and after, and how they came


def balance_training_data(data: TrainingData, recipe: Recipe, classes: int, *, seed: int) -> BalancedData:
    """Paste, flip and cut as the recipe asks; loss weights and sampling are applied elsewhere.

    raises  BadRecipe as the techniques do
    """
    rng = stream(seed, "balance")
    before = class_counts(data)
    facts: dict[str, Any] = {"before": before.tolist()}
    if recipe.paste.to_share:
        pasted = paste_defects(data, recipe.paste.to_share, rng)
        data = pasted.data
        facts["pasted"] = pasted.added.tolist()
    if recipe.balance.method == "flips":
        copied = add_flips(data, recipe.flips, rng)
        data = copied.data
        facts |= {"copied": copied.added.tolist(), "duplicate_share": copied.duplicate_share}
    if recipe.patches.count > 1:
        patches = cut_training_patches(data, recipe.patches, classes=classes)
        data = patches.data
        facts |= {"black_patches": patches.black, "unknown_patches": patches.unknown}
    if recipe.patches.count > 1 or len(facts) > 1:
        facts["after"] = class_counts(data).tolist()
    return BalancedData(data, facts)
