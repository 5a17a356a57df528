"""Images, labels and the train/validation split.

`open_training_sheets` turns a DATA folder into arrays, and refuses bad items beyond those allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import JsonValue
from torch import Tensor

from steelsight.groups import group_keys
from steelsight.names import shown_name
from steelsight.sheets.catalog import PixelCache, load_pixels, mask_fractions, open_data
from steelsight.sheets.labels import Labelled, label_sheets
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.sheets.refusals import at_bits_of, refuse_rejected
from steelsight.training.intervention import NO_INTERVENTION, Intervention
from steelsight.training.recipe import Recipe
from steelsight.types import GrayBatch, InputSpec, Rejection, SheetItem, SheetSet, Task

__all__ = [
    "InterventionPlan",
    "Masks",
    "SheetData",
    "TrainingData",
    "label_sheet_set",
    "open_sheets",
    "open_training_sheets",
    "read_masks",
]

GIVEN = "as given"
Targets = Int[np.ndarray, " n"] | Float[np.ndarray, "n k"]


@dataclass(frozen=True)
class Masks:
    """Defect masks at model size, for the sheets of which they are known."""

    shares: GrayBatch  # (n, h, w) uint8, covered share of each pixel times 255
    known: Bool[np.ndarray, " n"]  # False: complete masks are missing, or the sheet has several types


@dataclass(frozen=True)
class TrainingData:
    """The images and labels that `fit` trains on."""

    images: GrayBatch  # (n, h, w) uint8, may be a memory-mapped file
    targets: Targets  # class index, or for multilabel zeros and ones
    train: Int[np.ndarray, " p"]  # positions
    validation: Int[np.ndarray, " q"]  # may be empty: the last epoch is then kept
    masks: Masks | None = None
    groups: Int[np.ndarray, " n"] | None = None  # an index a group; None: every sheet is its own
    intervention: Intervention = NO_INTERVENTION  # against a shortcut
    clean: int | None = 0  # class of the defect-free sheets; None = there is no such class


@dataclass(frozen=True)
class InterventionPlan:
    """An intervention that is built for the training data, and the weights that training starts from."""

    description: Mapping[str, JsonValue]  # for the card, metrics.json and the fingerprint
    apply: Callable[[TrainingData], TrainingData]  # adds the intervention; may add validation sheets
    start: Mapping[str, Tensor] | None = None  # weights; None = as the recipe starts


@dataclass(frozen=True)
class SheetData:
    """A DATA folder as arrays, one entry a sheet, all in one order."""

    name: str
    items: tuple[SheetItem, ...]
    images: GrayBatch
    labelled: Labelled
    task: Task
    input: InputSpec
    data_hash: str
    rejections: tuple[Rejection, ...]
    type_names: tuple[str, ...]  # name of the defect-free class, then the defect types
    group_rule: str | None = None  # that grouped the sheets, as --groups takes it
    group_source: str = GIVEN  # where the rule is from, or why none could be applied
    layout: str = ""  # a name of sheets.catalog.LAYOUTS; "" = not opened from a folder
    read_as: DataOptions = AUTOMATIC  # the options it was opened with
    read_source: str = GIVEN  # where they are from, or why those of the run could not be applied

    @property
    def ids(self) -> tuple[str, ...]:
        """The sheets' names."""
        return tuple(item.id for item in self.items)

    @property
    def groups(self) -> tuple[str, ...]:
        """The sheets' groups; "" = a group of its own."""
        return tuple(item.group for item in self.items)

    @property
    def grouping(self) -> str:
        """The rule of the groups and its source, as pages and JSON files state them."""
        if self.group_rule is not None:
            return f"{self.group_rule}, {self.group_source}"
        return "none, every sheet counts on its own" if self.group_source == GIVEN else self.group_source

    @property
    def reading(self) -> str:
        """The layout, and the options that say how DATA was read, as pages and JSON files state them."""
        words = self.read_as.reading_words()
        layout = f"layout {self.layout}" if self.layout else ""
        if not words:
            source = "" if self.read_source == GIVEN else f"; {self.read_source}"
            return f"{layout}, recognised{source}".strip(", ")
        return f"{', '.join(filter(None, (layout, *words)))}; {self.read_source}"

    @property
    def group_indices(self) -> Int[np.ndarray, " n"]:
        """One index a group; a sheet without one is its own."""
        return np.unique(group_keys(self.groups), return_inverse=True)[1].reshape(-1).astype(np.int64)

    @property
    def keys(self) -> Int[np.ndarray, " n"]:
        """One class index a sheet for splits, -1 = dropped; multilabel: one index a combination of types."""
        labels = self.labelled.labels
        if self.task != "multilabel":
            return labels.astype(np.int64)
        combinations = np.unique(labels, axis=0, return_inverse=True)[1]
        return combinations.reshape(-1).astype(np.int64)


def open_training_sheets(data: Path, recipe: Recipe, options: DataOptions = AUTOMATIC) -> SheetData:
    """Open a DATA folder for a recipe's task and input.

    raises  UnusableItems as `refuse_rejected`, and whatever opening raises
    """
    return open_sheets(
        data,
        recipe.task,
        recipe.input_spec(options.bits),
        options,
        keep_multi_type=recipe.labels.multi_type == "first",
    )


def open_sheets(
    data: Path,
    task: Task,
    spec: InputSpec,
    options: DataOptions = AUTOMATIC,
    *,
    keep_multi_type: bool = False,
) -> SheetData:
    """Open a DATA folder for a task and an input.

    keep_multi_type  multiclass: label sheets of several types by the first instead of dropping them
    raises           UnusableItems as `refuse_rejected`, whatever opening raises, and BadRecipe where the
                     options ask for other bits than the input has
    """
    options = at_bits_of(spec, options)
    cache: PixelCache = load_pixels(open_data(data, groups=options.groups, options=options), spec)
    refuse_rejected(cache.sheets, options.allow_bad)
    sheets = cache.sheets
    labelled = label_sheet_set(sheets, task, keep_multi_type=keep_multi_type)
    return SheetData(
        name=shown_name(data.resolve().name),
        items=sheets.items,
        images=cache.images,
        labelled=labelled,
        task=task,
        input=spec,
        data_hash=cache.data_hash,
        rejections=sheets.rejections,
        type_names=(sheets.clean_name, *sheets.type_names[1:]),
        group_rule=options.groups,
        layout=sheets.layout,
        read_as=options,
    )


def label_sheet_set(sheets: SheetSet, task: Task, *, keep_multi_type: bool) -> Labelled:
    """Label the sheets of a folder by its own names; multiclass without defect-free sheets has no such class.

    others  as label_sheets
    """
    absent = task == "multiclass" and all(item.types for item in sheets.items)
    return label_sheets(
        sheets.items,
        task,
        sheets.type_names,
        keep_multi_type=keep_multi_type,
        clean_name=None if absent else sheets.clean_name,
    )


def read_masks(items: Sequence[SheetItem], spec: InputSpec) -> Masks:
    """Masks at model size.

    returns  known: defect-free sheets, and sheets of one type whose mask covers at least a part of a pixel
    """
    shares = np.zeros((len(items), spec.height, spec.width), dtype=np.uint8)
    known = np.zeros(len(items), dtype=bool)
    for row, item in enumerate(items):
        if not item.types:
            known[row] = True
        elif item.evidence == "mask" and len(item.types) == 1:
            shares[row] = np.rint(mask_fractions(item, spec) * 255).astype(np.uint8)
            known[row] = bool(shares[row].any())
    return Masks(shares, known)
