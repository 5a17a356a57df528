"""Recipes of the study's trainings, and the techniques against class imbalance it compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steelsight.study.options import VGG, StudyOptions
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import load_recipe, override

__all__ = ["TECHNIQUES", "Technique", "recipe_for", "slide_recipe", "technique_recipe"]


@dataclass(frozen=True)
class Technique:
    """One technique against class imbalance."""

    title: str
    settings: Mapping[str, Any]
    study: bool = False  # whether the study compared it


TECHNIQUES: dict[str, Technique] = {
    "none": Technique("no technique", {}, study=True),
    "patches": Technique("six patches a sheet", {"patches.count": 6}, study=True),
    "weighted": Technique("loss by inverse frequency", {"balance.method": "loss"}, study=True),
    "flips": Technique("flipped copies of rare types", {"balance.method": "flips"}, study=True),
    "exact_flips": Technique(
        "flipped copies, each flip once", {"balance.method": "flips", "flips.exact": True}
    ),
    "effective": Technique(
        "loss by effective number", {"balance.method": "loss", "balance.weighting": "effective"}
    ),
    "sampling": Technique(
        "sampling by the root of inverse frequency", {"balance.method": "sampling", "balance.power": 0.5}
    ),
    "focal": Technique("focal loss, gamma 2", {"loss.focal": 2.0}),
    "logit_adjust": Technique("logits adjusted by class shares", {"loss.logit_adjust": 1.0}),
    "paste": Technique("pasted defects, to a tenth per type", {"paste.to_share": 0.1}),
}


def recipe_for(name: str, options: StudyOptions) -> Recipe:
    """The study's recipe for one binary network, changed by these options."""
    return _adapt(load_recipe("study", options.settings), options, {"task": "binary", "model.name": name})


def slide_recipe(key: str, options: StudyOptions) -> Recipe:
    """The recipe of one row of the study's multi-class table; keys are those of recipe_files.SLIDE_MODELS."""
    return _adapt(load_recipe(key, options.settings), options, {})


def technique_recipe(key: str, options: StudyOptions) -> Recipe:
    """The recipe of the study's chosen network with one technique against imbalance."""
    base = slide_recipe("aug_reduced_squeeze", options)
    return override(base, {"balance.method": "none", **TECHNIQUES[key].settings})


def _adapt(recipe: Recipe, options: StudyOptions, changes: dict[str, Any]) -> Recipe:
    changes |= {"model.pretrained": options.pretrained}
    if options.groups is not None:
        changes["split.method"] = "groups"
    elif options.stratify:
        changes["split.method"] = "stratified"
    if options.test is not None:
        whole = recipe.split.train + recipe.split.validation
        parts = {"train": recipe.split.train / whole, "validation": recipe.split.validation / whole}
        changes |= {f"split.{part}": share for part, share in (parts | {"test": 0.0}).items()}
    changes |= _epochs(changes.get("model.name", recipe.model.name), options)
    return override(recipe, changes)


def _epochs(name: str, options: StudyOptions) -> Mapping[str, Any]:
    if name == VGG and options.vgg == "subset":
        return {"stop.max_epochs": options.vgg_epochs, "model.pretrained": "none"}
    return {} if options.epochs is None else {"stop.max_epochs": options.epochs}
