"""Train the study's six multi-class models, and its chosen network with each technique for rare types."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from steelsight.errors import BadRecipe
from steelsight.study.data import StudyData
from steelsight.study.options import VGG, StudyOptions
from steelsight.study.recipes import TECHNIQUES, slide_recipe, technique_recipe
from steelsight.study.results import ModelResult
from steelsight.study.train import Trainer, TrainingJob, train_job
from steelsight.training.loop.progress import TrainingProgress

__all__ = [
    "CHOSEN",
    "SLIDE_TITLES",
    "slide_jobs",
    "technique_jobs",
    "train_slide_models",
    "train_techniques",
]

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
    jobs, skipped = slide_jobs(study_data.options, out)
    return {job.key: train_job(job, study_data, train=train, watcher=watcher) for job in jobs}, skipped


def slide_jobs(options: StudyOptions, out: Path) -> tuple[list[TrainingJob], dict[str, str]]:
    """The trained rows of the study's table, and the rows left out with the reason."""
    jobs, skipped = [], {}
    for key, title in SLIDE_TITLES.items():
        recipe = slide_recipe(key, options)
        if recipe.model.name not in options.models:
            skipped[key] = "its network was not requested"
        elif recipe.model.name == VGG and options.vgg == "skip":
            skipped[key] = "left out; --vgg subset or --vgg full trains it"
        else:
            jobs.append(TrainingJob(key, title, out / "runs" / "multiclass" / key, recipe))
    return jobs, skipped


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
    if CHOSEN not in results:
        return {}, {}
    jobs, left_out = technique_jobs(study_data, out)
    trained = {
        key: results[CHOSEN] if job is None else train_job(job, study_data, train=train, watcher=watcher)
        for key, job in jobs.items()
    }
    return trained, left_out


def technique_jobs(study_data: StudyData, out: Path) -> tuple[dict[str, TrainingJob | None], dict[str, str]]:
    """The trainings with each technique, and the techniques that these data do not allow, with the reason.

    returns  None for `flips`, which is already a row of the study's table
    """
    options = study_data.options
    masked = any(item.evidence == "mask" and item.types for item in study_data.data.items)
    jobs: dict[str, TrainingJob | None] = {}
    left_out: dict[str, str] = {}
    for key, technique in TECHNIQUES.items():
        if options.techniques == "none" or not (technique.study or options.techniques == "all"):
            continue
        try:
            recipe = technique_recipe(key, options)
        except BadRecipe as error:  # six patches of a narrow sheet are too small for the network
            left_out[key] = str(error)
            continue
        if recipe.needs_masks and not masked:
            left_out[key] = "no sheet has a mask"
            continue
        folder = out / "runs" / "techniques" / key
        jobs[key] = None if key == "flips" else TrainingJob(key, technique.title, folder, recipe)
    return jobs, left_out
