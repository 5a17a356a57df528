"""Opens a RUN folder against a DATA folder: the model, its card, the sheets, and the part each sheet is in.

Everything that applies a trained run to sheets starts here, so classes are compared in one place. Nothing is
predicted here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.checksums import UNCHECKED, is_checked
from steelsight.errors import BadCheckpoint, BadInput, BadRecipe
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier
from steelsight.models.checkpoint import WEIGHTS_FILE, load_checkpoint, refuse_bundle
from steelsight.runs.opening.classes import match_classes
from steelsight.runs.opening.reading import open_as_run, read_as_run
from steelsight.runs.opening.seen_sheets import SeenSheets
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.training.dataset import GIVEN, SheetData
from steelsight.training.earlier import read_earlier
from steelsight.training.records import PARTS, SPLITS_FILE, SplitRow, read_splits
from steelsight.training.sketches import read_sketches

__all__ = ["OpenRun", "find_runs", "open_run", "open_runs", "refuse_multilabel"]

Positions = Int[np.ndarray, "_"]  # parts differ in length
FOLDS = "fold-*-*"


@dataclass(frozen=True)
class OpenRun:
    """One run with the sheets of a DATA folder."""

    folder: Path
    model: SheetClassifier
    card: Card
    data: SheetData
    splits: tuple[SplitRow, ...]  # the run's splits.csv
    earlier: tuple[SplitRow, ...] = ()  # sheets that the runs it started from learnt from

    @cached_property
    def seen(self) -> SeenSheets:
        """Which sheets of DATA the run has seen, recognised by their pixels."""
        shape = (self.data.input.height, self.data.input.width)
        sketches = read_sketches(self.folder, shape)
        return SeenSheets(
            self.splits, self.data, rule=self.card.groups, sketches=sketches, earlier=self.earlier
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The part of each sheet, by name and pixels: train, validation, test, apart; "" = not in the run."""
        return self.seen.parts

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The group of each sheet as the run grouped it; sheets not in the run as DATA groups them."""
        return tuple(
            item.group if row is None else row.group
            for row, item in zip(self.seen.rows, self.data.items, strict=True)
        )

    def positions(self, part: str) -> Positions:
        """The sheets of one part, recognised by name and pixels; may be empty.

        part    train, validation, test, or `unseen`: all but train and validation
        raises  BadRecipe for another part
        """
        if part not in (*PARTS, "unseen"):
            raise BadRecipe(f"split: expected one of {', '.join(PARTS)} or unseen, got {part!r}")
        names = {part} if part != "unseen" else {"", "test", "apart"}
        return np.array([i for i, name in enumerate(self.parts) if name in names], dtype=np.int64)

    def choose(self, part: str) -> Positions:
        """The sheets of one part on which metrics are unbiased; stricter than `positions`, never empty.

        `unseen` also leaves out copies of the run's training and validation sheets and their groups.

        part    test, validation, train, unseen or all
        raises  BadInput for another part; BadData where it is empty, or `all` holds training sheets
        """
        return self.seen.choose(part, self.folder)

    def notes(self, part: str) -> list[str]:
        """What a reader of figures on a part must know: how DATA was read, and what training has seen."""
        data = self.data
        grouped = data.group_rule is not None or data.group_source != GIVEN
        read = any(data.read_as.reading()) or data.read_source != GIVEN
        said = [f"read as: {data.reading}"] * read + [f"groups: {data.grouping}"] * grouped
        unchecked = not is_checked(self.folder, SPLITS_FILE)
        return said + self.seen.notes(part) + [UNCHECKED] * unchecked


def find_runs(run: Path) -> list[Path]:
    """The RUN folders of a folder: itself, or the folds of a cross-validation in order.

    raises  BadCheckpoint where it is neither
    """
    if (run / WEIGHTS_FILE).exists():
        return [run]
    folds = sorted(folder for folder in run.glob(FOLDS) if (folder / WEIGHTS_FILE).exists())
    if not folds:
        refuse_bundle(run)
        raise BadCheckpoint(
            f"{run}: expected a RUN folder with {WEIGHTS_FILE}, or {FOLDS} folders of a cross-validation, "
            "found neither; train first"
        )
    return folds


def open_run(
    folder: Path,
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    allow_patches: bool = False,
    check: Callable[[Card], None] | None = None,
    sheets: SheetData | None = None,
) -> OpenRun:
    """Open a RUN folder and a DATA folder together.

    options        how DATA is opened; what they leave open is as in the run's training, see opening.reading
    allow_patches  accept a model that classifies sheets by patches
    check          called with the card before DATA is read; raises for a run that the caller cannot use
    sheets         DATA as already opened; used where its task and input are those of the run
    raises         BadCheckpoint; BadData where DATA has a class that the run lacks, or is unusable; BadInput
                   for a model of patches
    """
    model, card = load_checkpoint(folder)
    if not allow_patches:
        model.refuse_patches(str(folder))
    if check is not None:
        check(card)
    splits = tuple(read_splits(folder))
    if sheets is None or not _opened_alike(sheets, card, read_as_run(card, options)):
        sheets = open_as_run(data, card, options, splits)
    sheets = match_classes(sheets, card, data)
    return OpenRun(folder, model, card, sheets, splits, read_earlier(folder) if card.history else ())


def _opened_alike(sheets: SheetData, card: Card, wanted: DataOptions) -> bool:
    """Whether DATA as already opened is what the run would open."""
    return (sheets.task, sheets.input) == (card.task, card.input) and (
        (sheets.group_rule, sheets.read_as.reading()) == (wanted.groups, wanted.reading())
    )


def open_runs(run: Path, data: Path, options: DataOptions = AUTOMATIC) -> list[OpenRun]:
    """Every run of a folder, as `find_runs`; DATA is read once for runs of one recipe."""
    runs: list[OpenRun] = []
    for folder in find_runs(run):
        runs.append(open_run(folder, data, options, sheets=runs[0].data if runs else None))
    return runs


def refuse_multilabel(folder: Path, card: Card) -> None:
    """Raise BadInput for a multilabel run: its sheets have no single class."""
    if card.task == "multilabel":
        raise BadInput(
            f"{folder}: expected a binary or multiclass run, got multilabel, whose sheets "
            "have no single class; train with task = binary or multiclass"
        )
