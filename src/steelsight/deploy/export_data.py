"""The sheets of an export by their use; no sheet that trained the model calibrates its bundle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadData
from steelsight.groups import group_keys
from steelsight.models.card import Card
from steelsight.runs.seen_sheets import SeenSheets, refuse_other_classes
from steelsight.training.dataset import SheetData, open_sheets
from steelsight.training.records import read_splits
from steelsight.types import GrayBatch

__all__ = ["ExportData", "open_export_data"]

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True, eq=False)
class ExportData:
    """Sheets of DATA by the part of the run's split; sheets of several types only in a multilabel task."""

    data: SheetData
    train: Positions
    validation: Positions
    unseen: Positions  # in no training or validation part, nor in the group of such a sheet

    def images(self, rows: Positions) -> GrayBatch:
        """Pixels of these sheets."""
        return np.asarray(self.data.images[rows])

    def labels(self, rows: Positions) -> Int[np.ndarray, " r"]:
        """Class indices of these sheets."""
        return np.asarray(self.data.keys[rows])

    def groups(self, rows: Positions) -> list[str]:
        """Groups of these sheets; a sheet without one is a group of its own."""
        return group_keys([self.data.groups[i] for i in rows.tolist()], rows.tolist())


def open_export_data(
    run: Path, data: Path, card: Card, *, groups: str | None = None, allow_bad: int = 0
) -> ExportData:
    """Open DATA for an export of RUN; raises BadData without training sheets, or without others."""
    sheets = open_sheets(data, card.task, card.input, groups=groups, allow_bad=allow_bad)
    refuse_other_classes(sheets, card, data)
    seen_sheets = SeenSheets(read_splits(run), sheets)
    usable = sheets.keys >= 0
    part = np.array(seen_sheets.part)
    train = np.flatnonzero((part == "train") & usable)
    validation = np.flatnonzero((part == "validation") & usable)
    used = np.zeros(len(part), dtype=bool)
    used[list(seen_sheets.seen)] = True
    unseen = np.flatnonzero(~used & usable)
    if not train.size or not (validation.size or unseen.size):
        raise BadData(
            f"{data}: expected training sheets of {run.name} and others it was not trained on, got "
            f"{train.size} and {validation.size + unseen.size} of {len(part)}; "
            "give the folder it was trained on"
        )
    return ExportData(sheets, train, validation, unseen)
