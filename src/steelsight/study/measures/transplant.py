"""Transplant of the binary model's weights into the multi-class model, on their common test sheets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from steelsight.errors import MissingWeights
from steelsight.models.card import Card
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.transplant.donors import Control, Donor, run_control, untrained_control
from steelsight.runs.transplant.run import TransplantResult, TransplantSheets, run_transplant
from steelsight.streams import stream
from steelsight.study.data import StudyData
from steelsight.study.options import VGG
from steelsight.study.recipes import slide_recipe
from steelsight.study.results import ModelResult, StudyResults
from steelsight.study.train import Trainer
from steelsight.study.trainings import ClusterTrainer
from steelsight.training.loop.progress import TrainingProgress
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import override
from steelsight.training.several import Training

__all__ = ["transplant_binary_model"]

SHEETS, QUICK_SHEETS = 500, 60  # at most: some fifty mixed models predict all of them


def transplant_binary_model(
    study_data: StudyData,
    study: StudyResults,
    binary: StudyResults,
    out: Path,
    *,
    train: Trainer,
    watcher: TrainingProgress,
) -> TransplantResult | str:
    """Replace parts of the chosen multi-class model by those of the binary model of the same network.

    study_data  of the multi-class models
    returns     the result, or why there is none
    """
    chosen = study.chosen
    if chosen is None:
        return "no multi-class model was trained"
    model, card = load_checkpoint(chosen.folder)
    partner = binary.results.get(card.model.name)
    if partner is None:
        return f"no binary model of {chosen.title}'s network was trained"
    donor, donor_card = load_checkpoint(partner.folder)
    options, test = study.options, study.split.test
    rng = stream(options.seed, "study-transplant")
    rows = np.sort(rng.permutation(test.size)[: QUICK_SHEETS if options.quick else SHEETS])
    controls, notes = _controls(study_data, chosen, card, out, train=train, watcher=watcher)
    result = run_transplant(
        chosen.title,
        (model, card),
        (Donor("binary model", "donor", donor, partner.title), donor_card),
        controls,
        TransplantSheets(
            np.asarray(study.data.images[test[rows]]),
            study.labels[rows],
            None if study.groups is None else [study.groups[i] for i in rows.tolist()],
            None if study.weights is None else study.weights[rows],
        ),
        seed=options.seed,
        resamples=options.resamples,
    )
    return replace(result, notes=(*notes, *result.notes))


def _controls(
    study_data: StudyData,
    chosen: ModelResult,
    card: Card,
    out: Path,
    *,
    train: Trainer,
    watcher: TrainingProgress,
) -> tuple[list[Donor], list[str]]:
    """Controls without training, and where requested those with; and notes on missing ones."""
    options = study_data.options
    start: Control = "imagenet" if card.model.pretrained == "imagenet" else "start"
    controls, notes = [], []
    try:
        controls.append(untrained_control(card, start, options.seed))
    except MissingWeights as error:
        notes.append(f"no control with the untrained starting weights: {error}")
    controls.append(untrained_control(card, "random", options.seed))
    if options.controls == "free":
        return controls, notes
    if card.model.name == VGG and options.vgg == "subset":
        return controls, [
            *notes,
            "no trained controls: the network itself was trained on a subset of the sheets",
        ]
    recipe = slide_recipe(chosen.name, options)
    shuffled = {"labels.shuffle_seed": options.seed + 1, "stop.max_epochs": chosen.training["epochs"]}
    trainings: dict[Control, tuple[Recipe, int]] = {
        "seed": (recipe, options.seed + 1),
        "shuffled": (override(recipe, shuffled), options.seed),
    }
    folders = {kind: out / "runs" / "controls" / kind for kind in trainings}
    data, split = study_data.data, study_data.split
    if isinstance(train, ClusterTrainer):
        both = [
            Training(f"control: {kind}", data, split, own, folders[kind], seed)
            for kind, (own, seed) in trainings.items()
        ]
        train.train_ahead(both, fresh=options.fresh)
    for kind, (own, seed) in trainings.items():
        train(data, split, own, folders[kind], seed=seed, fresh=options.fresh, progress=watcher)
        controls.append(run_control(kind, folders[kind], card))
    return controls, notes
