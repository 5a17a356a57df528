"""The sheets a shortcut is looked for on: pixels, right answers, and where defects lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from steelsight.errors import BadInput
from steelsight.sheets.catalog import mask_fractions
from steelsight.training.lesson import SheetData
from steelsight.types import GrayBatch, Labels, SheetItem

__all__ = ["ProofSheets", "proof_sheets"]


@dataclass(frozen=True)
class ProofSheets:
    """Sheets of one folder, one entry a sheet, all in one order."""

    name: str
    ids: tuple[str, ...]
    class_names: tuple[str, ...]  # of the model; index 0 = "none"
    images: GrayBatch  # (n, h, w) uint8 at model size
    labels: Labels  # class index; -1 = several types in a multi-class task
    defects: Bool[np.ndarray, "n h w"]  # pixels a defect covers, even in part
    located: Bool[np.ndarray, " n"]  # False: defective, and where is not known
    groups: tuple[str, ...]  # "" = a group of its own
    root: Path | None = None  # the DATA folder, where truth.csv may lie

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Int[np.ndarray, " m"]) -> ProofSheets:
        """Some of the sheets."""
        return replace(
            self,
            ids=tuple(self.ids[i] for i in rows.tolist()),
            images=np.asarray(self.images[rows]),
            labels=self.labels[rows],
            defects=self.defects[rows],
            located=self.located[rows],
            groups=tuple(self.groups[i] for i in rows.tolist()),
        )


def proof_sheets(data: SheetData, rows: Int[np.ndarray, " m"], *, root: Path | None = None) -> ProofSheets:
    """Some sheets of a folder, with their masks where they are known.

    raises  BadInput for multilabel data, which have no class "none"
    """
    if data.task == "multilabel":
        raise BadInput(f"{data.name}: expected a binary or multiclass task, got multilabel")
    items = [data.items[i] for i in rows.tolist()]
    defects, located = _read_defects(items, data)
    return ProofSheets(
        name=data.name,
        ids=tuple(item.id for item in items),
        class_names=tuple(data.labelled.class_names),
        images=np.asarray(data.images[rows]),
        labels=np.asarray(data.labelled.labels)[rows].astype(np.int64),
        defects=defects,
        located=located,
        groups=tuple(item.group for item in items),
        root=root,
    )


def _read_defects(
    items: Sequence[SheetItem], data: SheetData
) -> tuple[Bool[np.ndarray, "n h w"], Bool[np.ndarray, " n"]]:
    defects = np.zeros((len(items), data.input.height, data.input.width), dtype=bool)
    located = np.zeros(len(items), dtype=bool)
    for row, item in enumerate(items):
        if not item.types:
            located[row] = True
        elif item.evidence == "mask":
            defects[row] = mask_fractions(item, data.input) > 0
            located[row] = bool(defects[row].any())
    return defects, located
