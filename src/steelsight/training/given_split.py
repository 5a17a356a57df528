"""The split that a data set brings: folders, annotation files, split.csv or lists name each sheet's part.

Its test part is never trained on. Sheets of one group or near-duplicates in two of its parts are reported,
not moved: the split is the data set's own.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadData, BadRecipe, SharedBackground
from steelsight.sheets.describe import find_duplicates
from steelsight.sheets.grouping.given_split import SPLIT_FILE, count_parts, find_part_leaks
from steelsight.sheets.grouping.splits import Split, group_split
from steelsight.sheets.images.pixels import read_sheet
from steelsight.streams import stream
from steelsight.training.coverage import class_members
from steelsight.training.dataset import SheetData
from steelsight.training.recipe import SplitRecipe
from steelsight.types import GrayBatch, InputSpec

__all__ = ["find_given_leaks", "given_split", "note_given"]

Positions = Int[np.ndarray, "_"]
ELSE = "or divide the sheets with --split groups"


def given_split(data: SheetData, recipe: SplitRecipe, *, seed: int) -> Split:
    """The data set's own parts; without a validation part, whole groups of the training part are taken.

    recipe  its ratio of validation to train divides the training part; validation 0 takes none
    raises  BadData where DATA brings no split, leaves sheets out of it, or trains on one class alone;
            BadRecipe where nothing is left for one of the two parts
    """
    _refuse_unparted(data)
    parts = np.array([item.part for item in data.items])
    usable = data.keys >= 0
    train, validation, test = (
        np.flatnonzero((parts == part) & usable) for part in ("train", "validation", "test")
    )
    if not train.size:
        raise BadData(f"{data.name}: expected training sheets in the given split, got none, {ELSE}")
    _refuse_single_class(data, train)
    if not validation.size and recipe.validation > 0:
        train, validation = _take_validation(data, train, recipe, seed)
        _refuse_single_class(data, train, taken=validation.size)
    return Split(train, validation, test)


def note_given(data: SheetData, split: Split) -> list[str]:
    """What a reader of figures on a given split must know."""
    counts = count_parts(data.items)
    listed = ", ".join(f"{count} {part}" for part, count in counts.items())
    notes = [f"the split is the given one: {listed}"]
    if "validation" not in counts and split.validation.size:
        notes.append(f"it has no validation part, so {split.validation.size} training sheets serve as one")
    if not split.test.size:
        notes.append("it has no test part, so there are no figures on test sheets")
    return notes


def find_given_leaks(data: SheetData) -> list[str]:
    """One line for each group in several given parts, and for each pair of near-duplicates in two.

    Near-duplicates are found at the usual input size, whatever the model's, so that `data` finds the same.
    """
    try:
        twins = find_duplicates(data.items, _usual_images(data))
    except SharedBackground:  # a common background makes all alike: groups alone can tell
        twins = []
    return find_part_leaks(data.items, [(twin.left, twin.right) for twin in twins])


def _usual_images(data: SheetData) -> GrayBatch:
    """The sheets at the usual input size, at which `data` compares them."""
    usual = InputSpec().at_bits(data.input.bits)
    if data.input == usual:
        return data.images
    return np.stack([read_sheet(item.path, usual) for item in data.items])


def _refuse_unparted(data: SheetData) -> None:
    outside = [item.id for item in data.items if not item.part]
    if len(outside) == len(data.items):
        raise BadData(
            f"{data.name}: expected a given split: folders train, val and test, annotation files or lists of "
            f"images of these names, or {SPLIT_FILE} with the columns ImageId and part; found none; add one, "
            f"{ELSE}"
        )
    if outside:
        raise BadData(
            f"{data.name}: {len(outside)} of {len(data.items)} sheets are in no part of the given split, "
            f"the first {outside[0]}; name their part in {SPLIT_FILE}, {ELSE}"
        )


def _take_validation(
    data: SheetData, train: Positions, recipe: SplitRecipe, seed: int
) -> tuple[Positions, Positions]:
    share = recipe.validation / (recipe.train + recipe.validation)
    groups = [data.groups[i] for i in train.tolist()]
    inner = group_split(data.keys[train], groups, (1 - share, share, 0.0), rng=stream(seed, "split"))
    if not inner.train.size or not inner.validation.size:
        raise BadRecipe(
            f"split: the given split has no validation part, and its {train.size} training sheets in "
            f"{np.unique(data.group_indices[train]).size} groups cannot be divided; add a validation part or "
            "set split.validation to 0 and split.train + split.test to 1"
        )
    return train[inner.train], train[inner.validation]


def _refuse_single_class(data: SheetData, train: Positions, *, taken: int = 0) -> None:
    """MVTec AD and its like train on defect-free sheets alone, from which no classifier can learn.

    taken  training sheets that serve as validation sheets
    """
    present = class_members(data)[train].any(axis=0)
    if data.task == "multilabel" or present.sum() > 1:
        return
    names = np.array(data.labelled.class_names)[present].tolist()
    found, advice = str(train.size), "it serves detectors trained on one class; divide the sheets"
    if taken:
        found = f"{train.size} of {train.size + taken}: {taken} serve as validation sheets"
        advice = "set split.validation to 0 and split.train + split.test to 1, or divide the sheets"
    raise BadData(
        f"{data.name}: expected training sheets of at least two classes in the given split, got only "
        f"{', '.join(names)} ({found}); {advice} with --split groups"
    )
