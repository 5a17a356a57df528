"""Train the study's binary models, or reuse finished trainings, and predict the test sheets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from steelsight.evaluation.classification import ClassificationReport, classification_report
from steelsight.evaluation.probabilities import softmax
from steelsight.evaluation.robustness.noise import STUDY_SIGMA
from steelsight.models.catalog import SheetClassifier, find_model
from steelsight.models.checkpoint import load_checkpoint
from steelsight.sheets.grouping.splits import Split
from steelsight.streams import stream
from steelsight.study.data import StudyData, keep_sheets
from steelsight.study.options import SLIDE_ORDER, VGG, StudyOptions
from steelsight.study.recipes import recipe_for
from steelsight.study.results import ModelResult
from steelsight.training.dataset import SheetData
from steelsight.training.loop.progress import NoProgress, TrainingProgress
from steelsight.training.predict import predict_logits
from steelsight.training.recipe import Recipe
from steelsight.training.run import RunResult, train_data
from steelsight.types import Logits

__all__ = [
    "Trainer",
    "TrainingJob",
    "binary_jobs",
    "job_data",
    "train_job",
    "train_models",
    "training_difference",
]

STUDY_EPOCHS = 60  # the limit in the study

Trainer = Callable[..., RunResult]


def train_models(
    study_data: StudyData,
    options: StudyOptions,
    out: Path,
    *,
    train: Trainer = train_data,
    watcher: TrainingProgress | None = None,
) -> tuple[dict[str, ModelResult], dict[str, str]]:
    """Train every requested model, in order; a finished RUN of the same recipe, data and split is reused.

    returns  results by network, and the networks left out with the reason
    raises   BadCheckpoint when OUT/runs holds another training and `fresh` is not set
    """
    jobs, skipped = binary_jobs(options, out)
    watcher = watcher or NoProgress()
    return {job.key: train_job(job, study_data, train=train, watcher=watcher) for job in jobs}, skipped


def binary_jobs(options: StudyOptions, out: Path) -> tuple[list[TrainingJob], dict[str, str]]:
    """The requested binary models in their order, and the networks left out with the reason."""
    jobs, skipped = [], {}
    for name in SLIDE_ORDER:
        if name not in options.models:
            skipped[name] = "not requested"
        elif name == VGG and options.vgg == "skip":
            skipped[name] = "left out; --vgg subset or --vgg full trains it"
    for name in options.models:
        if name not in skipped:
            title = find_model(name).title
            jobs.append(TrainingJob(name, title, out / "runs" / name, recipe_for(name, options)))
    return jobs, skipped


@dataclass(frozen=True)
class TrainingJob:
    """One model to train."""

    key: str  # in the results
    title: str  # in the report
    folder: Path  # RUN
    recipe: Recipe


def train_job(
    job: TrainingJob, study_data: StudyData, *, train: Trainer, watcher: TrainingProgress
) -> ModelResult:
    """Train one model, or reuse its finished training, and predict the test sheets."""
    options = study_data.options
    data, split = job_data(job, study_data)
    run = train(
        data,
        split,
        job.recipe,
        job.folder,
        seed=options.seed,
        fresh=options.fresh,
        progress=watcher,
    )
    model, card = load_checkpoint(run.folder)
    clean, noisy = _predict(model, study_data, options.seed)
    remark = ""
    if job.recipe.model.name == VGG:
        cut_at = None if run.metrics["training"]["stopped_early"] else job.recipe.stop.max_epochs
        remark = training_difference(
            split.train.size, study_data.split.train.size, epochs=cut_at, pretrained=card.model.pretrained
        )
    return ModelResult(
        name=job.key,
        title=job.title,
        folder=run.folder,
        remark=remark,
        training=run.metrics["training"],
        balance=run.metrics.get("balance", {}),
        started_from=card.model.pretrained,
        clean_logits=clean,
        clean=softmax(clean.astype(np.float64)),
        noisy=softmax(noisy.astype(np.float64)),
        clean_report=_report(clean, study_data, options),
        noisy_report=_report(noisy, study_data, options),
    )


def job_data(job: TrainingJob, study_data: StudyData) -> tuple[SheetData, Split]:
    """The sheets that a model is trained on, and their split."""
    options = study_data.options
    if job.recipe.model.name == VGG and options.vgg == "subset":
        return _smaller(study_data, options)
    return study_data.data, study_data.split


def training_difference(sheets: int, of: int, *, epochs: int | None, pretrained: str) -> str:
    """Describe how a network's training differed from the study's; "" where it did not.

    sheets      number of training sheets used, out of `of`
    epochs      limit at which the training was cut; None = it stopped early by itself
    pretrained  starting weights: imagenet, or none for random ones

    >>> training_difference(400, 400, epochs=5, pretrained="imagenet")
    'trained for at most 5 epochs, where the study allowed 60'
    """
    ours, theirs = [], []
    if sheets < of:
        ours.append(f"on {sheets} of {of} sheets")
        theirs.append("used all")
    if epochs is not None and epochs < STUDY_EPOCHS:
        ours.append(f"for at most {epochs} epoch{'s' * (epochs != 1)}")
        theirs.append(f"allowed {STUDY_EPOCHS}")
    if pretrained == "none":
        ours.append("from a random start")
        theirs.append("started from ImageNet")
    if not ours:
        return ""
    listed = " and ".join(filter(None, (", ".join(theirs[:-1]), theirs[-1])))
    return f"trained {' '.join(ours)}, where the study {listed}"


def _smaller(study_data: StudyData, options: StudyOptions) -> tuple[SheetData, Split]:
    """The data with fewer training sheets (`vgg_sheets`), and their split."""
    whole = study_data.split
    rng = stream(options.seed, "study-noise")
    train = np.sort(rng.permutation(whole.train)[: options.vgg_sheets])
    kept = np.sort(np.concatenate([train, whole.validation, whole.test]))
    parts = (np.searchsorted(kept, part) for part in (train, whole.validation, whole.test))
    return keep_sheets(study_data.data, kept.tolist()), Split(*parts)


def _predict(model: SheetClassifier, study_data: StudyData, seed: int) -> tuple[Logits, Logits]:
    images = np.asarray(study_data.data.images[study_data.split.test])
    noise = torch.Generator().manual_seed(seed)  # restarted for each model: all get the same noisy sheets
    clean = predict_logits(model, images)
    noisy = predict_logits(model, images, noise_sigma=STUDY_SIGMA, generator=noise)
    return clean, noisy


def _report(logits: Logits, study_data: StudyData, options: StudyOptions) -> ClassificationReport:
    test = study_data.split.test
    groups = [study_data.data.groups[position] for position in test.tolist()]
    return classification_report(
        np.asarray(study_data.data.labelled.labels)[test],
        softmax(logits.astype(np.float64)),
        study_data.data.labelled.class_names,
        groups=groups if any(groups) else None,
        rng=stream(options.seed, "study-intervals"),
        resamples=options.resamples,
        weights=study_data.weights,
    )
