"""From RUN folders to a transplant: who gives, what stands beside it as a control, on which sheets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from steelsight.errors import BadData, BadInput, MissingWeights
from steelsight.evaluation.intervals.bootstrap import Groups
from steelsight.inspection.transplant.cka import FEWEST, Similarity, compare_layers
from steelsight.inspection.transplant.replace import TransplantScores, transplant
from steelsight.inspection.transplant.weight_change import PartChange, compare_weights
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.open import OpenRun, open_run, refuse_multilabel
from steelsight.runs.seen_sheets import SeenSheets
from steelsight.runs.transplant.donors import (
    Control,
    Donor,
    load_donor,
    name_apart,
    read_control,
    run_control,
    untrained,
    untrained_control,
)
from steelsight.streams import stream
from steelsight.training.dataset import SheetData
from steelsight.training.records import read_splits
from steelsight.types import GrayBatch, Labels

__all__ = ["TransplantResult", "open_transplant", "run_transplant"]

SPLITS: Final = ("unseen", "test")

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True)
class TransplantResult:
    """Everything measured between one receiver, one donor, and controls."""

    receiver: str
    donors: tuple[Donor, ...]  # the donor first
    found: TransplantScores
    changes: tuple[PartChange, ...]  # between receiver and donor
    similar: Mapping[str, Similarity]  # by donor, all of them
    notes: tuple[str, ...]  # what a reader of the figures must know

    @property
    def donor(self) -> str:
        """The name of the donor that is no control."""
        return self.donors[0].name

    def control(self, *kinds: str) -> Donor | None:
        """The first control of one of these kinds, sought in their order."""
        return next((each for kind in kinds for each in self.donors if each.kind == kind), None)


def open_transplant(
    run: Path,
    donor: Path,
    data: Path,
    *,
    controls: Sequence[str] | None = None,
    split: str = "unseen",
    limit: int = 2000,
    groups: str | None = None,
    allow_bad: int = 0,
    seed: int = 0,
    resamples: int = 1000,
) -> tuple[TransplantResult, SheetData]:
    """Transplant one RUN's weights into another, judged on sheets of DATA that no RUN has learnt from.

    controls  as `read_control`; None = the untrained start and random weights
    split     part of the receiver's sheets; of them those no donor trained on or stopped by
    limit     at most so many sheets, drawn at random
    raises    BadInput for an unknown control or split, models of different architecture or input, a
              multilabel receiver; BadData where classes differ or no sheet is left; BadCheckpoint;
              MissingWeights
    """
    if split not in SPLITS:
        raise BadInput(
            f"--split: expected unseen or test, got {split!r}; sheets a model learnt from flatter it"
        )
    card = load_checkpoint(run)[1]
    refuse_multilabel(run, card)
    given, donor_card = load_donor(donor, card)
    start = "imagenet" if card.model.pretrained == "imagenet" else "start"
    asked = [start, "random"] if controls is None else controls
    others, folders, notes = [], [donor], []
    for text in asked:
        kind, folder = read_control(text)
        try:
            others.append(_control(kind, folder, card, seed))
        except MissingWeights as error:
            if controls is not None:
                raise
            notes.append(f"no control of untrained weights: {error}")
        folders += [] if folder is None else [folder]
    receiver = open_run(run, data, groups=groups, allow_bad=allow_bad, allow_patches=True)
    sheets = receiver.data
    rows = _fair_sheets(receiver, folders, split)
    rows = np.sort(stream(seed, "transplant-sheets").permutation(rows)[:limit])
    units = [sheets.groups[i] for i in rows.tolist()]
    done = run_transplant(
        run.name,
        (receiver.model, card),
        (Donor(_donor_name(card, donor_card), "donor", given, f"run {donor.name}"), donor_card),
        others,
        np.asarray(sheets.images[rows]),
        sheets.keys[rows],
        groups=units if any(units) else None,
        seed=seed,
        resamples=resamples,
    )
    return replace(done, notes=(*notes, *done.notes)), sheets


def run_transplant(
    receiver: str,
    own: tuple[SheetClassifier, Card],
    donor: tuple[Donor, Card],
    controls: Sequence[Donor],
    images: GrayBatch,
    labels: Labels,
    *,
    groups: Groups | None = None,
    weights: Float[np.ndarray, " n"] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> TransplantResult:
    """Scores of all mixed models, changes of weights, similarity of layers, on the same sheets.

    receiver  its name
    raises    BadInput as `transplant`
    """
    donors = name_apart([donor[0], *controls])
    models = {each.name: each.model for each in donors}
    model, card = own
    found = transplant(
        model,
        models,
        images,
        labels,
        rng=stream(seed, "transplant-intervals"),
        groups=groups,
        weights=weights,
        resamples=resamples,
    )
    starts = [_start_or_none(each) for each in (card, donor[1])]
    notes = [
        f"what {name} started from is not to be had here, so how far it moved is not told"
        for name, start in zip((receiver, donors[0].name), starts, strict=True)
        if start is None
    ]
    notes += [
        f"{name} was trained on shuffled labels: it is a control itself"
        for name, each in ((receiver, card), (donors[0].name, donor[1]))
        if each.shuffled_labels
    ]
    rng = stream(seed, "transplant-cka")
    return TransplantResult(
        receiver,
        tuple(donors),
        found,
        compare_weights(model, donors[0].model, starts[0], starts[1]),
        compare_layers(model, models, images, rng=rng),
        tuple(notes),
    )


def _control(kind: Control, folder: Path | None, card: Card, seed: int) -> Donor:
    return untrained_control(card, kind, seed) if folder is None else run_control(kind, folder, card)


def _start_or_none(card: Card) -> SheetClassifier | None:
    try:
        return untrained(card)
    except MissingWeights:
        return None


def _fair_sheets(receiver: OpenRun, donors: Sequence[Path], split: str) -> Positions:
    """Sheets of one class in the receiver's part that no donor has seen."""
    sheets = receiver.data
    chosen = set(receiver.choose(split).tolist())
    for folder in donors:
        chosen -= SeenSheets(read_splits(folder), sheets).seen
    rows = np.array([i for i in sorted(chosen) if sheets.keys[i] >= 0], dtype=np.int64)
    if rows.size < FEWEST:
        raise BadData(
            f"{sheets.name}: expected at least {FEWEST} {split} sheets of {receiver.folder.name} unseen by "
            f"{', '.join(folder.name for folder in donors)}, found {rows.size}; "
            "bring sheets none of them has learnt from, or train them on one split"
        )
    return rows


def _donor_name(card: Card, donor: Card) -> str:
    return "donor" if donor.task == card.task else f"{donor.task} model"
