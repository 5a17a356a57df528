"""Trains the study's binary models, or takes those already trained, and asks them about the test sheets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steelsight.evaluation.classification import ClassificationReport, classification_report
from steelsight.evaluation.probabilities import softmax
from steelsight.evaluation.robustness.noise import STUDY_SIGMA
from steelsight.evaluation.timing import STUDY_BATCH, time_interleaved
from steelsight.models.catalog import MODELS, SheetClassifier, build_model
from steelsight.models.checkpoint import load_checkpoint
from steelsight.models.inputs import to_input
from steelsight.models.summary import summarise
from steelsight.sheets.grouping.splits import Split
from steelsight.streams import stream
from steelsight.study.data import StudyData, keep_sheets
from steelsight.study.options import VGG, StudyOptions, recipe_for
from steelsight.study.results import ModelCost, ModelResult
from steelsight.training.dataset import SheetData
from steelsight.training.loop.progress import NoProgress, TrainingProgress
from steelsight.training.predict import predict_logits
from steelsight.training.recipe import Recipe
from steelsight.training.run import RunResult, train_data
from steelsight.types import Logits

__all__ = ["Trainer", "TrainingJob", "handicap", "measure_costs", "train_job", "train_models"]

STUDY_EPOCHS = 60  # at most; what it allowed every network

Trainer = Callable[..., RunResult]


def train_models(
    material: StudyData,
    options: StudyOptions,
    out: Path,
    *,
    train: Trainer = train_data,
    watcher: TrainingProgress | None = None,
) -> tuple[dict[str, ModelResult], dict[str, str]]:
    """Every model asked for, in order; a finished RUN of the same recipe, data and split is taken as it is.

    returns  results by network, and the networks left out with the reason
    raises   BadCheckpoint when OUT/runs holds another training and `fresh` is not set
    """
    results, skipped = {}, {}
    for name in MODELS:
        if name not in options.models:
            skipped[name] = "not asked for"
        elif name == VGG and options.vgg == "skip":
            skipped[name] = "left out; --vgg subset or --vgg full trains it"
    for name in options.models:
        if name not in skipped:
            pupil = TrainingJob(name, MODELS[name].title, out / "runs" / name, recipe_for(name, options))
            results[name] = train_job(pupil, material, train=train, watcher=watcher or NoProgress())
    return results, skipped


def measure_costs(options: StudyOptions) -> dict[str, ModelCost]:
    """Layers, and the time of a batch of five, of all four networks; trained or not makes no difference."""
    networks = {name: _network(name, options) for name in MODELS}
    size = {name: (model_spec.height, model_spec.width) for name, (_, model_spec) in networks.items()}
    rng = np.random.default_rng(options.seed)

    def forward(name: str) -> Callable[[], object]:
        model = networks[name][0].eval()
        gray = torch.from_numpy(rng.integers(0, 256, (STUDY_BATCH, *size[name]), dtype=np.uint8))
        batch = to_input(gray)

        def run() -> object:
            with torch.inference_mode():
                return model(batch)

        return run

    timings = time_interleaved({name: forward(name) for name in networks}, options.repeats)
    return {
        name: ModelCost(
            MODELS[name].title, tuple(summarise(model, *size[name], whole_fires=True)), timings[name]
        )
        for name, (model, _) in networks.items()
    }


def _network(name: str, options: StudyOptions) -> tuple[SheetClassifier, Any]:
    spec = recipe_for(name, replace(options, pretrained="none")).model_spec(2)
    return build_model(spec), spec


@dataclass(frozen=True)
class TrainingJob:
    """One model to train: its key in the results, what it is called, where it goes, how it learns."""

    key: str
    title: str
    folder: Path
    recipe: Recipe


def train_job(
    pupil: TrainingJob, material: StudyData, *, train: Trainer, watcher: TrainingProgress
) -> ModelResult:
    """Train it, or take it as it is, and ask it about the test sheets."""
    options = material.options
    data, split = material.data, material.split
    if pupil.recipe.model.name == VGG and options.vgg == "subset":
        data, split = _smaller(material, options)
    run = train(
        data,
        split,
        pupil.recipe,
        pupil.folder,
        seed=options.seed,
        fresh=options.fresh,
        watcher=watcher,
    )
    model, card = load_checkpoint(run.folder)
    clean, noisy = _answers(model, material, options.seed)
    remark = ""
    if pupil.recipe.model.name == VGG:
        cut_at = None if run.metrics["training"]["stopped_early"] else pupil.recipe.stop.max_epochs
        remark = handicap(
            split.train.size, material.split.train.size, epochs=cut_at, pretrained=card.model.pretrained
        )
    return ModelResult(
        name=pupil.key,
        title=pupil.title,
        folder=run.folder,
        remark=remark,
        training=run.metrics["training"],
        balance=run.metrics.get("balance", {}),
        started_from=card.model.pretrained,
        clean_logits=clean,
        clean=softmax(clean.astype(np.float64)),
        noisy=softmax(noisy.astype(np.float64)),
        clean_report=_report(clean, material, options),
        noisy_report=_report(noisy, material, options),
    )


def handicap(sheets: int, of: int, *, epochs: int | None, pretrained: str) -> str:
    """How a network was held back against the study's training of it, in words; "" where it was not.

    sheets      it trained on, out of `of`
    epochs      at which its training was cut; None = it stopped by itself
    pretrained  what it started from: imagenet, or none for random weights

    >>> handicap(400, 400, epochs=5, pretrained="imagenet")
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


def _smaller(material: StudyData, options: StudyOptions) -> tuple[SheetData, Split]:
    """The data without most training sheets, and their split."""
    whole = material.split
    rng = stream(options.seed, "study-noise")
    train = np.sort(rng.permutation(whole.train)[: options.vgg_sheets])
    kept = np.sort(np.concatenate([train, whole.validation, whole.test]))
    parts = (np.searchsorted(kept, part) for part in (train, whole.validation, whole.test))
    return keep_sheets(material.data, kept.tolist()), Split(*parts)


def _answers(model: SheetClassifier, material: StudyData, seed: int) -> tuple[Logits, Logits]:
    images = np.asarray(material.data.images[material.split.test])
    noise = torch.Generator().manual_seed(seed)  # anew for each model: all see the same noisy sheets
    clean = predict_logits(model, images)
    noisy = predict_logits(model, images, noise_sigma=STUDY_SIGMA, generator=noise)
    return clean, noisy


def _report(logits: Logits, material: StudyData, options: StudyOptions) -> ClassificationReport:
    test = material.split.test
    groups = [material.data.groups[position] for position in test.tolist()]
    return classification_report(
        np.asarray(material.data.labelled.labels)[test],
        softmax(logits.astype(np.float64)),
        material.data.labelled.class_names,
        groups=groups if any(groups) else None,
        rng=stream(options.seed, "study-intervals"),
        resamples=options.resamples,
        weights=material.weights,
    )
