"""The sheets of an export by their use; no sheet that trained the model calibrates its bundle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadData, BadInput
from steelsight.groups import group_keys
from steelsight.models.card import Card
from steelsight.runs.opening.open import OpenRun, open_run
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.training.dataset import SheetData
from steelsight.types import GrayBatch

__all__ = ["ExportData", "open_export_data"]

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True, eq=False)
class ExportData:
    """Sheets of DATA by the part of the run's split; sheets of several types only in a multilabel task."""

    run: OpenRun
    train: Positions
    validation: Positions
    unseen: Positions  # in no training or validation part, nor in the group of such a sheet

    @property
    def data(self) -> SheetData:
        """All sheets of DATA."""
        return self.run.data

    def images(self, rows: Positions) -> GrayBatch:
        """Pixels of these sheets."""
        return np.asarray(self.data.images[rows])

    def labels(self, rows: Positions) -> Int[np.ndarray, " r"]:
        """Class indices of these sheets."""
        return np.asarray(self.data.keys[rows])

    def groups(self, rows: Positions) -> list[str]:
        """Groups of these sheets; a sheet without one is a group of its own."""
        return group_keys([self.data.groups[i] for i in rows.tolist()], rows.tolist())


def open_export_data(run: Path, data: Path, options: DataOptions = AUTOMATIC) -> ExportData:
    """Open a RUN and its DATA for an export.

    raises  BadInput for a model of patches, or one trained on shuffled labels; BadData without training
            sheets, or without others
    """
    check = partial(_refuse_shuffled_labels, run)
    opened = open_run(run, data, options, check=check)
    usable = opened.data.keys >= 0
    part = np.array(opened.parts)
    train = np.flatnonzero((part == "train") & usable)
    validation = np.flatnonzero((part == "validation") & usable)
    seen = np.zeros(len(part), dtype=bool)
    seen[list(opened.seen.seen)] = True
    unseen = np.flatnonzero(~seen & usable)
    if not train.size or not (validation.size or unseen.size):
        raise BadData(
            f"{data}: expected training sheets of {run.name} and others it was not trained on, got "
            f"{train.size} and {validation.size + unseen.size} of {len(part)}; "
            "give the folder it was trained on"
        )
    return ExportData(opened, train, validation, unseen)


def _refuse_shuffled_labels(run: Path, card: Card) -> None:
    if card.shuffled_labels:
        raise BadInput(
            f"{run}: expected a model trained on its sheets' own labels, got a control with shuffled labels; "
            "train without labels.shuffle_seed"
        )
