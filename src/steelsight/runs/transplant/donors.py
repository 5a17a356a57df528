"""Donors of a transplant: trained runs, and controls that were never trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import torch

from steelsight.errors import BadInput
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier, build_model
from steelsight.models.checkpoint import load_checkpoint
from steelsight.models.starts import read_steel

__all__ = [
    "CONTROLS",
    "Control",
    "Donor",
    "load_donor",
    "name_apart",
    "read_control",
    "run_control",
    "untrained",
    "untrained_control",
]

Control = Literal["imagenet", "start", "random", "seed", "shuffled"]
CONTROLS: Final[tuple[Control, ...]] = get_args(Control)
TITLES: Final[dict[Control, str]] = {
    "imagenet": "ImageNet, not fine-tuned",
    "start": "its start, not trained",
    "random": "random weights",
    "seed": "another seed",
    "shuffled": "shuffled labels",
}


@dataclass(frozen=True)
class Donor:
    """A model whose weights are put into the receiver."""

    name: str  # in tables and figures
    kind: Control | Literal["donor"]
    model: SheetClassifier
    description: str


def read_control(text: str) -> tuple[Control, Path | None]:
    """Parse a control: imagenet, start, random, seed:RUN, shuffled:RUN; raises BadInput for others."""
    kind, colon, folder = text.strip().partition(":")
    needs = kind in ("seed", "shuffled")
    for known in CONTROLS:
        if kind == known and needs == bool(colon and folder):
            return known, Path(folder) if needs else None
    raise BadInput(
        f"--controls: expected some of imagenet, start, random, seed:RUN, shuffled:RUN joined by commas, "
        f"got {text.strip()!r}"
    )


def untrained(card: Card) -> SheetClassifier:
    """The model at the start of its training; raises MissingWeights where its weights are not available."""
    model = build_model(card.model, generator=torch.Generator().manual_seed(card.seed))
    if card.model.pretrained == "steel":  # with the head, where it was kept
        model.pretrained = read_steel(card.model.name).fill(model, card.head_facts)
    return model


def untrained_control(card: Card, kind: Control, seed: int) -> Donor:
    """A control that needs no RUN: imagenet, start, or random weights drawn apart from the receiver's.

    raises  BadRecipe where the network has no ImageNet weights, MissingWeights where they are not available
    """
    if kind == "random":
        draw = int(np.random.SeedSequence([seed, 31]).generate_state(1)[0])
        spec = card.model.model_copy(update={"pretrained": "none"})
        model = build_model(spec, generator=torch.Generator().manual_seed(draw))
        return Donor(TITLES[kind], kind, model, "every weight drawn anew, never trained")
    spec = card.model.model_copy(update={"pretrained": "imagenet"}) if kind == "imagenet" else card.model
    model = untrained(card.model_copy(update={"model": spec}))
    origin = "weights learnt on generated sheets" if spec.pretrained == "steel" else "ImageNet's weights"
    drawn = "" if not model.pretrained else f"{origin} in {' and '.join(model.pretrained)}, "
    description = f"{drawn}the rest as at the start of the receiver's training; never trained on sheets"
    return Donor(TITLES[kind], kind, model, description)


def run_control(kind: Control, folder: Path, card: Card) -> Donor:
    """A trained control; raises BadInput where it does not match its kind, or has another input."""
    model, own = load_donor(folder, card)
    if (kind == "shuffled") != own.shuffled_labels:
        came = "a run trained on shuffled labels" if own.shuffled_labels else "one trained on its own labels"
        wanted = "labels.shuffle_seed above 0" if kind == "shuffled" else "its sheets' own labels"
        raise BadInput(f"--controls {kind}:{folder}: expected a run trained with {wanted}, got {came}")
    if kind == "seed" and (
        own.seed == card.seed or (own.task, own.class_names) != (card.task, card.class_names)
    ):
        raise BadInput(
            f"--controls seed:{folder}: expected a {card.task} run of the receiver's classes with another "
            f"seed than {card.seed}, got {own.task}, seed {own.seed}; train it with another --seed"
        )
    description = f"run {folder.name}, {own.task}, seed {own.seed}, {_describe_labels(own)}"
    return Donor(TITLES[kind], kind, model, description)


def load_donor(folder: Path, card: Card) -> tuple[SheetClassifier, Card]:
    """A RUN's model and card; raises BadInput for another input than the receiver's, BadCheckpoint."""
    model, own = load_checkpoint(folder)
    ours, theirs = (f"{c.input.height}x{c.input.width} ({c.input.fit})" for c in (card, own))
    if ours != theirs:
        raise BadInput(
            f"{folder}: expected the receiver's input {ours}, got {theirs}; train both on one input"
        )
    return model, own


def name_apart(donors: Sequence[Donor]) -> list[Donor]:
    """Number the donors that have the same name."""
    names = [donor.name for donor in donors]
    return [
        donor
        if names.count(donor.name) == 1
        else replace(donor, name=f"{donor.name} {names[: i + 1].count(donor.name)}")
        for i, donor in enumerate(donors)
    ]


def _describe_labels(card: Card) -> str:
    return "trained on shuffled labels" if card.shuffled_labels else "trained on true labels"
