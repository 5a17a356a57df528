"""The sheets that shortcuts are searched and proven on: pixels, labels and defect masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from steelsight.sheets.images.pixels import fit_mask, place, read_size
from steelsight.sheets.labels import Labelled
from steelsight.sheets.masks import mask_fractions
from steelsight.sheets.rle import decode_runs
from steelsight.types import GrayBatch, InputSpec, Labels, Mask, SheetItem

__all__ = ["ProofSheets", "gather_sheets"]

NO_CLASS = -2  # a label that no sheet has
HALF = 0.5  # share of a model pixel from which it is marked
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
    pixel_aspect: Callable[[int], float] = lambda _: 1.0  # of a row, as in `Placement`; read on demand
    clean: int | None = 0  # the class of defect-free sheets; None = the model has no such class
    # (h, w) pixels of a row that run lengths on its image file cover at least half; None = no image files.
    read_runs: Callable[[int, str], Mask] | None = None
    spec: InputSpec | None = None  # at which image files were read; None = no image files

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
        read_runs = self.read_runs
        return replace(
            self,
            ids=tuple(self.ids[i] for i in chosen),
            images=np.asarray(self.images[rows]),
            labels=self.labels[rows],
            located=self.located[rows],
            defect=lambda row: self.defect(chosen[row]),
            groups=tuple(self.groups[i] for i in chosen),
            pixel_aspect=lambda row: self.pixel_aspect(chosen[row]),
            read_runs=None if read_runs is None else lambda row, runs: read_runs(chosen[row], runs),
        )


def gather_sheets(
    name: str,
    items: Sequence[SheetItem],
    images: GrayBatch,
    labelled: Labelled,
    spec: InputSpec,
    *,
    rows: Int[np.ndarray, " m"] | None = None,
    root: Path | None = None,
) -> ProofSheets:
    """Select sheets of a folder, with their masks where they are known.

    items     of all sheets of the folder
    images    (n, h, w) gray uint8 of all of them, at the input of the model
    labelled  their labels in the classes of the model, of a binary or multiclass task
    spec      the input of the model, to which masks are scaled
    rows      (m,) positions of the selected ones; None = all
    root      the DATA folder, where `truth.csv` may lie
    """
    chosen = np.arange(len(items)) if rows is None else rows
    picked = [items[i] for i in chosen.tolist()]

    @lru_cache(maxsize=KEPT_MASKS)
    def defect(row: int) -> Mask:
        item = picked[row]
        if not item.types or item.evidence == "class":
            return np.zeros((spec.height, spec.width), dtype=bool)
        mask: Mask = mask_fractions(item, spec) > 0
        return mask

    def read_runs(row: int, runs: str) -> Mask:
        item = picked[row]
        covered: Mask = fit_mask(decode_runs(runs, read_size(item.path), where=item.id), spec) >= HALF
        return covered

    return ProofSheets(
        name=name,
        ids=tuple(item.id for item in picked),
        class_names=tuple(labelled.class_names),
        images=np.asarray(images[chosen]),
        labels=np.asarray(labelled.labels)[chosen].astype(np.int64),
        located=np.array([not item.types or item.evidence == "mask" for item in picked], dtype=bool),
        defect=defect,
        groups=tuple(item.group for item in picked),
        root=root,
        pixel_aspect=lambda row: place(read_size(picked[row].path), spec).pixel_aspect,
        clean=labelled.clean,
        read_runs=read_runs,
        spec=spec,
    )
