"""The sheets that a bundle is tested on: in its classes, with masks, and none that it has learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from steelsight.adaptation.gate.options import BundleGateOptions
from steelsight.counterfactuals.sheets import ProofSheets, gather_sheets
from steelsight.errors import BadData
from steelsight.groups import group_keys
from steelsight.names import shown_name
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.seen import picture_marks
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.sheets.formats.tables import read_table
from steelsight.sheets.grouping.duplicates import pixel_hashes
from steelsight.sheets.labels import Labelled, label_sheets, renumber_types
from steelsight.sheets.refusals import at_bits_of, refuse_rejected
from steelsight.types import GrayBatch, SheetItem, SheetSet

__all__ = ["GateSheets", "open_gate_sheets"]

LEARNT = ("train", "validation")
COLUMNS = ("id", "split", "group", "pixels")  # of splits.csv
DUPLICATE = "duplicate/"  # start of names that hold positions, which mean nothing in another folder


@dataclass(frozen=True)
class GateSheets:
    """The sheets of a DATA folder that a bundle is tested on."""

    name: str  # of the folder
    data_hash: str  # of the whole folder
    proof: ProofSheets
    answers: tuple[tuple[int, ...], ...]  # every right class of each sheet
    known: tuple[str, ...]  # names of all sheets of the folder
    notes: tuple[str, ...]

    @property
    def groups(self) -> int:
        """How many independent groups they are of."""
        return len(set(group_keys(self.proof.groups)))


def open_gate_sheets(data: Path, card: BundleCard, options: BundleGateOptions) -> GateSheets:
    """Open a DATA folder at the input and in the classes of a bundle.

    Left out: the training and validation part of the folder's own split, and what `options.splits` names.

    raises  BadData for sheets of classes that the bundle does not have, sheets that it has learnt from,
            defective sheets of which none has a mask, or where no sheet is left; UnusableItems
    """
    reading = at_bits_of(card.input, options)
    cache = load_pixels(open_data(data, groups=options.groups, options=reading), card.input)
    refuse_rejected(cache.sheets, options.allow_bad)
    images = np.asarray(cache.images)
    items, labelled = label_for_card(cache.sheets, card, data)
    rows, notes = _unseen(data, items, images, card, cache.data_hash, options)
    proof = gather_sheets(data.name, items, images, labelled, card.input, rows=rows, root=data)
    _refuse_without_masks(data, proof)
    return GateSheets(
        shown_name(data.resolve().name),
        cache.data_hash,
        proof,
        tuple(labelled.alternatives[i] for i in rows.tolist()),
        tuple(item.id for item in items),
        notes,
    )


def label_for_card(sheets: SheetSet, card: BundleCard, data: Path) -> tuple[tuple[SheetItem, ...], Labelled]:
    """The sheets with the class indices of a binary or multiclass bundle; DATA may lack some classes.

    The defect-free class is matched by its role, so a folder may call it otherwise.
    raises  BadData, naming the classes that the bundle does not have
    """
    if card.task == "binary":
        found = label_sheets(sheets.items, "binary", sheets.type_names, keep_multi_type=False)
        return sheets.items, Labelled(
            card.class_names, found.labels, found.alternatives, 0, card.class_names[0]
        )
    clean = None if card.clean is None else card.class_names[card.clean]
    types = card.class_names if clean is None else card.class_names[1:]
    unknown = [name for name in sheets.type_names[1:] if name not in types]
    if clean is None and any(not item.types for item in sheets.items):
        unknown.insert(0, f"defect-free sheets ({sheets.clean_name})")
    if unknown:
        raise BadData(
            f"{data}: expected only classes of the bundle ({', '.join(card.class_names)}), got "
            f"{', '.join(unknown)}; leave these sheets out, or name their folders as the bundle does"
        )
    index_of = {old: types.index(name) + 1 for old, name in enumerate(sheets.type_names[1:], 1)}
    items = tuple(renumber_types(item, index_of) for item in sheets.items)
    names = (clean or "none", *types)
    return items, label_sheets(items, "multiclass", names, keep_multi_type=False, clean_name=clean)


def _unseen(
    data: Path,
    items: tuple[SheetItem, ...],
    images: GrayBatch,
    card: BundleCard,
    data_hash: str,
    options: BundleGateOptions,
) -> tuple[Int[np.ndarray, " m"], tuple[str, ...]]:
    """Positions of the sheets that the bundle has not learnt from, and notes on the others."""
    own = np.array([item.part in LEARNT for item in items], dtype=bool)
    notes = (
        [f"{own.sum()} sheets of the training and validation part of {data.name} left out"]
        if own.any()
        else []
    )
    learnt = np.zeros(len(items), dtype=bool)
    if options.splits is not None:
        learnt = _learnt_by_run(options.splits, items, images)
        notes.append(f"{learnt.sum()} sheets that the run has learnt from, or of their groups, left out")
    elif card.source.get("data_hash") == data_hash and not own.any():
        raise BadData(
            f"{data}: the bundle was trained on sheets of this folder; bring other sheets, or name the "
            "splits.csv of its run with --splits, which leaves out those that it has learnt from"
        )
    rows = np.flatnonzero(~(own | learnt))
    if not rows.size:
        raise BadData(
            f"{data}: all {len(items)} sheets are of its training and validation part, or the bundle has "
            "learnt from them or from others of their groups; bring other sheets"
        )
    _refuse_fitted(images[rows], card, data)
    return rows, tuple(notes)


def _learnt_by_run(path: Path, items: tuple[SheetItem, ...], images: GrayBatch) -> Bool[np.ndarray, " n"]:
    """Which sheets a run has learnt from by their pixels, or belong to a group of one that it has."""
    table = read_table(path)
    table.need(COLUMNS)
    rows = [row.cells for row in table.rows if row.cells["split"] in LEARNT]
    if not rows:
        raise BadData(
            f"{path}: expected the splits.csv of a run, found no row of its training part; check --splits"
        )
    pixels = {cells["pixels"] for cells in rows}
    met = np.array([each in pixels for each in pixel_hashes(images)], dtype=bool)
    groups = {items[i].group for i in np.flatnonzero(met).tolist()}
    groups |= {cells["group"] for cells in rows if not cells["group"].startswith(DUPLICATE)}
    kin = np.array([bool(item.group) and item.group in groups for item in items], dtype=bool)
    learnt: Bool[np.ndarray, " n"] = met | kin
    return learnt


def _refuse_fitted(images: GrayBatch, card: BundleCard, data: Path) -> None:
    """Raise BadData where the head of an adapted bundle was fitted to some of the sheets."""
    entries = card.source.get("adapted")
    known: set[str] = set()
    for entry in entries if isinstance(entries, list) else ():
        marks = entry.get("pictures") if isinstance(entry, dict) else None
        known.update(map(str, marks if isinstance(marks, list) else ()))
    met = known & set(picture_marks(images))
    if met:
        raise BadData(
            f"{data}: the head of the bundle was fitted to {len(met)} of these {len(images)} sheets, so its "
            "figures on them are optimistic; bring other sheets, or leave these out"
        )


def _refuse_without_masks(data: Path, sheets: ProofSheets) -> None:
    """Raise BadData where nothing says where the defects of defective sheets lie."""
    defective = sheets.defective
    if defective.any() and not (defective & sheets.located).any():
        raise BadData(
            f"{data}: expected masks of the defects, found none on {int(defective.sum())} defective sheets; "
            "without them a nuisance could be pasted over a defect; annotate masks, or name them with --masks"
        )
