"""The sheets that shortcuts are searched and proven on: pixels, labels and defect masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from steelsight.errors import BadInput
from steelsight.sheets.catalog import mask_fractions
from steelsight.training.dataset import SheetData
from steelsight.types import GrayBatch, Labels, Mask

__all__ = ["ProofSheets", "proof_sheets"]

NO_CLASS = -2  # a label that no sheet has
NO_CLASS = -2  # a label that no sheet has
KEPT_MASKS = 2048  # 50 MB at the study's size


@dataclass(frozen=True)
class ProofSheets:
    """Sheets of one folder; every field has one entry per sheet, in one order."""

    name: str
    ids: tuple[str, ...]
    class_names: tuple[str, ...]  # of the model
    images: GrayBatch  # (n, h, w) uint8 at model size
    labels: Labels  # class index; -1 = several defect types in a multiclass task
    located: Bool[np.ndarray, " n"]  # False: defective without a mask
    defect: Callable[[int], Mask]  # (h, w) pixels a row's defect covers, even in part; read on demand
    groups: tuple[str, ...]  # "" = the sheet is its own group
    root: Path | None = None  # the DATA folder, which may hold truth.csv
    clean: int | None = 0  # the class of defect-free sheets; None = the model has no such class

    @property
    def defect_free(self) -> Bool[np.ndarray, " n"]:
        """Which sheets have no defect."""
        free: Bool[np.ndarray, " n"] = self.labels == (NO_CLASS if self.clean is None else self.clean)
        return free

    @property
    def defective(self) -> Bool[np.ndarray, " n"]:
        """Which sheets have a defect of one type."""
        bad: Bool[np.ndarray, " n"] = (self.labels >= 0) & ~self.defect_free
        return bad

    def __len__(self) -> int:
        return len(self.ids)

    def defects(self) -> Iterator[Mask]:
        """The defect mask of every sheet in turn, (h, w) bool."""
        return map(self.defect, range(len(self)))

    def take(self, rows: Int[np.ndarray, " m"]) -> ProofSheets:
        """The sheets at these positions."""
        chosen = rows.tolist()
        return replace(
            self,
            ids=tuple(self.ids[i] for i in chosen),
            images=np.asarray(self.images[rows]),
            labels=self.labels[rows],
            located=self.located[rows],
            defect=lambda row: self.defect(chosen[row]),
            groups=tuple(self.groups[i] for i in chosen),
        )


def proof_sheets(data: SheetData, rows: Int[np.ndarray, " m"], *, root: Path | None = None) -> ProofSheets:
    """Select sheets of a folder, with their masks where they are known.

    rows    (m,) positions in `data`
    root    the DATA folder, where `truth.csv` may lie
    raises  BadInput for multilabel data, which have no single class
    """
    if data.task == "multilabel":
        raise BadInput(f"{data.name}: expected a binary or multiclass task, got multilabel")
    items = [data.items[i] for i in rows.tolist()]

    @lru_cache(maxsize=KEPT_MASKS)
    def defect(row: int) -> Mask:
        item = items[row]
        if not item.types or item.evidence == "class":
            return np.zeros((data.input.height, data.input.width), dtype=bool)
        mask: Mask = mask_fractions(item, data.input) > 0
        return mask

    return ProofSheets(
        name=data.name,
        ids=tuple(item.id for item in items),
        class_names=tuple(data.labelled.class_names),
        images=np.asarray(data.images[rows]),
        labels=np.asarray(data.labelled.labels)[rows].astype(np.int64),
        located=np.array([not item.types or item.evidence == "mask" for item in items], dtype=bool),
        defect=defect,
        groups=tuple(item.group for item in items),
        root=root,
        clean=data.labelled.clean,
    )
