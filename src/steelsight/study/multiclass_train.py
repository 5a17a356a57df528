"""Trains the study's six multi-class models, and its chosen network under each technique for rare types."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from steelsight.errors import BadRecipe
from steelsight.study.data import StudyData
from steelsight.study.options import TECHNIQUES, VGG, slide_recipe, technique_recipe
from steelsight.study.results import ModelResult
from steelsight.study.train import Trainer, TrainingJob, train_job
from steelsight.training.loop.progress import TrainingProgress

__all__ = ["CHOSEN", "SLIDE_TITLES", "train_slide_models", "train_techniques"]

SLIDE_TITLES: Final[dict[str, str]] = {  # recipe: the row of the study's table
    "aug_cnn": "Aug. CNN",
    "squeeze": "Squeeze",
    "weighted_squeeze": "Weighted Squeeze",
    "aug_reduced_squeeze": "Aug. Red. Squeeze",
    "vgg16": "VGG16",
    "aug_vgg16": "Aug. VGG16",
}
CHOSEN: Final = "aug_reduced_squeeze"  # the study's choice


def train_slide_models(
    material: StudyData, out: Path, *, train: Trainer, watcher: TrainingProgress
) -> tuple[dict[str, ModelResult], dict[str, str]]:
    """Each row of the study's table whose network was asked for, by recipe; the others with the reason."""
    options = material.options
    results, skipped = {}, {}
    for key, title in SLIDE_TITLES.items():
        recipe = slide_recipe(key, options)
        if recipe.model.name not in options.models:
            skipped[key] = "its network was not asked for"
        elif recipe.model.name == VGG and options.vgg == "skip":
            skipped[key] = "left out; --vgg subset or --vgg full trains it"
        else:
            pupil = TrainingJob(key, title, out / "runs" / "multiclass" / key, recipe)
            results[key] = train_job(pupil, material, train=train, watcher=watcher)
    return results, skipped


def train_techniques(
    material: StudyData,
    results: dict[str, ModelResult],
    out: Path,
    *,
    train: Trainer,
    watcher: TrainingProgress,
) -> tuple[dict[str, ModelResult], dict[str, str]]:
    """The study's chosen network under each technique, by technique; `flips` is the row of the table.

    returns  those trained, and those these data or their size rule out, with the reason
    """
    options = material.options
    if options.techniques == "none" or CHOSEN not in results:
        return {}, {}
    masked = any(item.evidence == "mask" and item.types for item in material.data.items)
    found, left_out = {}, {}
    for key, technique in TECHNIQUES.items():
        if not technique.study and options.techniques != "all":
            continue
        try:
            recipe = technique_recipe(key, options)
        except BadRecipe as error:  # six patches of a narrow sheet are too small for the network
            left_out[key] = str(error)
            continue
        if recipe.needs_masks and not masked:
            left_out[key] = "no sheet has a mask"
            continue
        if key == "flips":
            found[key] = results[CHOSEN]
            continue
        pupil = TrainingJob(key, technique.title, out / "runs" / "techniques" / key, recipe)
        found[key] = train_job(pupil, material, train=train, watcher=watcher)
    return found, left_out
