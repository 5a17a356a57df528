"""The study's transplant: the binary half's network into the multi-class half's, on sheets of both tests."""

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
from steelsight.study.options import VGG, slide_recipe
from steelsight.study.results import ModelResult, StudyResults
from steelsight.study.train import Trainer
from steelsight.training.loop.progress import TrainingProgress
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import override

__all__ = ["transplant_halves"]

SHEETS, QUICK_SHEETS = 500, 60  # at most: some fifty mixed models answer all of them


def transplant_halves(
    material: StudyData,
    found: StudyResults,
    binary: StudyResults,
    out: Path,
    *,
    train: Trainer,
    watcher: TrainingProgress,
) -> TransplantResult | str:
    """The chosen multi-class model with the parts of the binary model of its network; or why there is none.

    material  of the multi-class half
    """
    chosen = found.chosen
    if chosen is None:
        return "no multi-class model was trained"
    model, card = load_checkpoint(chosen.folder)
    partner = binary.results.get(card.model.name)
    if partner is None:
        return f"no binary model of {chosen.title}'s network was trained"
    given, donor_card = load_checkpoint(partner.folder)
    options, test = found.options, found.split.test
    rng = stream(options.seed, "study-transplant")
    rows = np.sort(rng.permutation(test.size)[: QUICK_SHEETS if options.quick else SHEETS])
    controls, notes = _controls(material, chosen, card, out, train=train, watcher=watcher)
    done = run_transplant(
        chosen.title,
        (model, card),
        (Donor("binary model", "donor", given, partner.title), donor_card),
        controls,
        TransplantSheets(
            np.asarray(found.data.images[test[rows]]),
            found.labels[rows],
            None if found.groups is None else [found.groups[i] for i in rows.tolist()],
            None if found.weights is None else found.weights[rows],
        ),
        seed=options.seed,
        resamples=options.resamples,
    )
    return replace(done, notes=(*notes, *done.notes))


def _controls(
    material: StudyData,
    chosen: ModelResult,
    card: Card,
    out: Path,
    *,
    train: Trainer,
    watcher: TrainingProgress,
) -> tuple[list[Donor], list[str]]:
    """Those that cost nothing, where asked for those that take a training each; and which are missing."""
    options = material.options
    start: Control = "imagenet" if card.model.pretrained == "imagenet" else "start"
    controls, notes = [], []
    try:
        controls.append(untrained_control(card, start, options.seed))
    except MissingWeights as error:
        notes.append(f"no control of untrained weights: {error}")
    controls.append(untrained_control(card, "random", options.seed))
    if options.controls == "free":
        return controls, notes
    if card.model.name == VGG and options.vgg == "subset":
        return controls, [*notes, "no trained controls of a network that was itself trained on few sheets"]
    recipe = slide_recipe(chosen.name, options)
    drawn = {"labels.shuffle_seed": options.seed + 1, "stop.max_epochs": chosen.training["epochs"]}
    asked: dict[Control, tuple[Recipe, int]] = {
        "seed": (recipe, options.seed + 1),
        "shuffled": (override(recipe, drawn), options.seed),
    }
    for kind, (own, seed) in asked.items():
        folder = out / "runs" / "controls" / kind
        train(material.data, material.split, own, folder, seed=seed, fresh=options.fresh, progress=watcher)
        controls.append(run_control(kind, folder, card))
    return controls, notes
