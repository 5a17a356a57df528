"""Transplants the weights of a donor run, and of controls, into a receiver run and evaluates all models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from steelsight.errors import BadData, MissingWeights
from steelsight.evaluation.intervals.bootstrap import Groups
from steelsight.inspection.transplant.cka import FEWEST, Similarity, compare_layers
from steelsight.inspection.transplant.replace import TransplantScores, transplant
from steelsight.inspection.transplant.weight_change import PartChange, compare_weights
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.opening.open import OpenRun, open_run, refuse_multilabel
from steelsight.runs.opening.seen_sheets import SeenSheets
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
from steelsight.runs.transplant.options import TransplantOptions
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.streams import stream
from steelsight.training.dataset import SheetData
from steelsight.training.earlier import read_earlier
from steelsight.training.records import read_splits
from steelsight.types import GrayBatch, Labels

__all__ = ["TransplantResult", "TransplantSheets", "open_transplant", "run_transplant"]

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True, eq=False)
class TransplantSheets:
    """The sheets on which all models are evaluated."""

    images: GrayBatch  # (n, h, w) uint8
    labels: Labels  # (n,) class index
    groups: Groups | None = None  # for intervals; None = every sheet is a group
    weights: Float[np.ndarray, " n"] | None = None  # None = all alike


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
        """The first control of one of these kinds, in their order."""
        return next((each for kind in kinds for each in self.donors if each.kind == kind), None)


def open_transplant(
    run: Path,
    donor: Path,
    data: Path,
    options: TransplantOptions = TransplantOptions(),
    data_options: DataOptions = AUTOMATIC,
) -> tuple[TransplantResult, SheetData]:
    """Transplant one RUN's weights into another, evaluated on sheets of DATA that no RUN was trained on.

    run, donor  the receiver's RUN folder and the donor's
    raises      BadInput for an unknown control or split, models of different architecture or input, a
                multilabel receiver; BadData where classes differ, or too few sheets or one class alone is
                left; BadCheckpoint; MissingWeights
    """
    card = load_checkpoint(run)[1]
    refuse_multilabel(run, card)
    given, donor_card = load_donor(donor, card)
    others, folders, notes = _controls(card, options)
    receiver = open_run(run, data, data_options, allow_patches=True)
    sheets = receiver.data
    rows = _fair_sheets(receiver, [donor, *folders], options.split)
    rows = np.sort(stream(options.seed, "transplant-sheets").permutation(rows)[: options.limit])
    _refuse_one_class(receiver, rows, options.split)
    units = [sheets.groups[i] for i in rows.tolist()]
    result = run_transplant(
        run.name,
        (receiver.model, card),
        (Donor(_donor_name(card, donor_card), "donor", given, f"run {donor.name}"), donor_card),
        others,
        TransplantSheets(np.asarray(sheets.images[rows]), sheets.keys[rows], units if any(units) else None),
        seed=options.seed,
        resamples=options.resamples,
    )
    return replace(result, notes=(*notes, *result.notes)), sheets


def run_transplant(
    receiver: str,
    own: tuple[SheetClassifier, Card],
    donor: tuple[Donor, Card],
    controls: Sequence[Donor],
    sheets: TransplantSheets,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> TransplantResult:
    """Scores of all mixed models, changes of weights, similarity of layers, on the same sheets.

    receiver  its name
    own       the receiver's model and card
    raises    BadInput as `transplant`
    """
    donors = name_apart([donor[0], *controls])
    models = {each.name: each.model for each in donors}
    model, card = own
    scores = transplant(
        model,
        models,
        sheets.images,
        sheets.labels,
        rng=stream(seed, "transplant-intervals"),
        groups=sheets.groups,
        weights=sheets.weights,
        resamples=resamples,
    )
    starts = [_start_or_none(each) for each in (card, donor[1])]
    notes = [
        f"the weights that {name} started from are not available here, so its change is not measured"
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
        scores,
        compare_weights(model, donors[0].model, starts[0], starts[1]),
        compare_layers(model, models, sheets.images, rng=rng),
        tuple(notes),
    )


def _controls(card: Card, options: TransplantOptions) -> tuple[list[Donor], list[Path], list[str]]:
    """The controls, the RUN folders of those that were trained, and notes on those that are missing.

    raises  MissingWeights for a control that was asked for by name
    """
    start = "imagenet" if card.model.pretrained == "imagenet" else "start"
    wanted = (start, "random") if options.controls is None else options.controls
    donors, folders, notes = [], [], []
    for text in wanted:
        kind, folder = read_control(text)
        try:
            donors.append(_control(kind, folder, card, options.seed))
        except MissingWeights as error:
            if options.controls is not None:
                raise
            notes.append(f"no control of untrained weights: {error}")
        folders += [] if folder is None else [folder]
    return donors, folders, notes


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
        card = load_checkpoint(folder)[1]
        earlier = read_earlier(folder) if card.history else ()
        chosen -= SeenSheets(read_splits(folder), sheets, rule=card.groups, earlier=earlier).seen
    rows = np.array([i for i in sorted(chosen) if sheets.keys[i] >= 0], dtype=np.int64)
    if rows.size < FEWEST:
        raise BadData(
            f"{sheets.name}: expected at least {FEWEST} {split} sheets of {receiver.folder.name} unseen by "
            f"{', '.join(folder.name for folder in donors)}, found {rows.size}; "
            "bring sheets that none of them was trained on, or train them on one split"
        )
    return rows


def _refuse_one_class(receiver: OpenRun, rows: Positions, split: str) -> None:
    present = np.unique(receiver.data.keys[rows])
    if present.size < 2:
        only = receiver.card.class_names[int(present[0])]
        raise BadData(
            f"{receiver.data.name}: expected {split} sheets of at least two classes that no run was "
            f"trained on, got {rows.size} sheets, all of {only}; bring sheets of other classes, train the "
            "runs on one split, or raise --limit where it leaves some out"
        )


def _donor_name(card: Card, donor: Card) -> str:
    return "donor" if donor.task == card.task else f"{donor.task} model"
