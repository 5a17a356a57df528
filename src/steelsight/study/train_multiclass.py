"""Train the study's six multi-class models, and its chosen network with each technique for rare types."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from steelsight.errors import BadRecipe
from steelsight.study.data import StudyData
from steelsight.study.options import VGG
from steelsight.study.recipes import TECHNIQUES, slide_recipe, technique_recipe
from steelsight.study.results import ModelResult
from steelsight.study.train import Trainer, TrainingJob, train_job
from steelsight.training.loop.progress import TrainingProgress

__all__ = ["CHOSEN", "SLIDE_TITLES", "train_slide_models", "train_techniques"]

SLIDE_TITLES: Final[dict[str, str]] = {  # recipe: row of the study's table
    "aug_cnn": "Aug. CNN",
    "squeeze": "Squeeze",
    "weighted_squeeze": "Weighted Squeeze",
    "aug_reduced_squeeze": "Aug. Red. Squeeze",
    "vgg16": "VGG16",
    "aug_vgg16": "Aug. VGG16",
}
CHOSEN: Final = "aug_reduced_squeeze"  # the study's choice


def train_slide_models(
    study_data: StudyData, out: Path, *, train: Trainer, watcher: TrainingProgress
) -> tuple[dict[str, ModelResult], dict[str, str]]:
    """Train the rows of the study's table.

    returns  results by recipe, and the rows left out with the reason
    """
    options = study_data.options
    results, skipped = {}, {}
    for key, title in SLIDE_TITLES.items():
        recipe = slide_recipe(key, options)
        if recipe.model.name not in options.models:
            skipped[key] = "its network was not requested"
        elif recipe.model.name == VGG and options.vgg == "skip":
            skipped[key] = "left out; --vgg subset or --vgg full trains it"
        else:
            job = TrainingJob(key, title, out / "runs" / "multiclass" / key, recipe)
            results[key] = train_job(job, study_data, train=train, watcher=watcher)
    return results, skipped


def train_techniques(
    study_data: StudyData,
    results: dict[str, ModelResult],
    out: Path,
    *,
    train: Trainer,
    watcher: TrainingProgress,
) -> tuple[dict[str, ModelResult], dict[str, str]]:
    """Train the study's chosen network with each technique; `flips` is already a row of the table.

    returns  results by technique, and the techniques that these data do not allow, with the reason
    """
    options = study_data.options
    if options.techniques == "none" or CHOSEN not in results:
        return {}, {}
    masked = any(item.evidence == "mask" and item.types for item in study_data.data.items)
    trained: dict[str, ModelResult] = {}
    left_out: dict[str, str] = {}
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
            trained[key] = results[CHOSEN]
            continue
        job = TrainingJob(key, technique.title, out / "runs" / "techniques" / key, recipe)
        trained[key] = train_job(job, study_data, train=train, watcher=watcher)
    return trained, left_out
