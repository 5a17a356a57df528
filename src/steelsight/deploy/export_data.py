"""The sheets an export needs, by what each may be used for; no sheet the model learnt from calibrates it."""

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

__all__ = ["ExportData", "open_material"]

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True, eq=False)
class ExportData:
    """Sheets of DATA by what the run did with them; those of several types only for multilabel."""

    data: SheetData
    train: Positions
    validation: Positions
    unseen: Positions  # neither trained on nor stopped by, nor of such a sheet's group

    def images(self, rows: Positions) -> GrayBatch:
        """Their pixels."""
        return np.asarray(self.data.images[rows])

    def labels(self, rows: Positions) -> Int[np.ndarray, " r"]:
        """Their classes."""
        return np.asarray(self.data.keys[rows])

    def groups(self, rows: Positions) -> list[str]:
        """Their groups; a sheet without one is its own."""
        return group_keys([self.data.groups[i] for i in rows.tolist()], rows.tolist())


def open_material(
    run: Path, data: Path, card: Card, *, groups: str | None = None, allow_bad: int = 0
) -> ExportData:
    """Open DATA for an export of RUN; raises BadData without training sheets, or without others."""
    sheets = open_sheets(data, card.task, card.input, groups=groups, allow_bad=allow_bad)
    refuse_other_classes(sheets, card, data)
    memory = SeenSheets(read_splits(run), sheets)
    usable = sheets.keys >= 0
    part = np.array(memory.part)
    train = np.flatnonzero((part == "train") & usable)
    validation = np.flatnonzero((part == "validation") & usable)
    seen = np.zeros(len(part), dtype=bool)
    seen[list(memory.seen)] = True
    unseen = np.flatnonzero(~seen & usable)
    if not train.size or not (validation.size or unseen.size):
        raise BadData(
            f"{data}: expected training sheets of {run.name} and others it did not learn from, got "
            f"{train.size} and {validation.size + unseen.size} of {len(part)}; "
            "give the folder it was trained on"
        )
    return ExportData(sheets, train, validation, unseen)
