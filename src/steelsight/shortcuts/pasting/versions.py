"""Sheets with a nuisance put on or taken off, and harmlessly changed: what a cure learns and is chosen by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from steelsight.shortcuts.nuisances.nuisance import Nuisance
from steelsight.shortcuts.nuisances.stains import find_stain
from steelsight.shortcuts.pasting.counterfactual import control_donors
from steelsight.shortcuts.pasting.inpaint import remove_stain
from steelsight.shortcuts.pasting.placement import draw_dose, plan_pastes
from steelsight.shortcuts.pasting.stamps import StampBook
from steelsight.shortcuts.sheets import ProofSheets

__all__ = ["SheetVersions", "draw_versions", "toggle_chances"]

Flags = Bool[np.ndarray, " n"]
COPIES = 3  # two toggled, one harmlessly changed


@dataclass(frozen=True)
class SheetVersions:
    """Three further versions of each of some sheets."""

    images: UInt8[np.ndarray, "n 3 h w"]  # two toggled, then one with clean texture in the nuisance's place
    toggled: Flags  # False: all three are the sheet itself, because nothing could be put on or taken off


def draw_versions(
    sheets: ProofSheets, nuisance: Nuisance, book: StampBook, rng: np.random.Generator
) -> SheetVersions:
    """Put the nuisance on sheets that lack it, and take stains off those that have one.

    Sheets without room beside the defect, or of which nobody knows where it lies, stay as they are, and so do
    sheet ends: what lies beyond an end nobody knows.
    raises  BadInput where fewer than two sheets lack the nuisance, whose clean steel fills the controls
    """
    count, shape = len(sheets), sheets.images.shape[1:]
    images = np.empty((count, COPIES, *shape), dtype=np.uint8)
    images[:] = np.asarray(sheets.images)[:, None]
    toggled = np.zeros(count, dtype=bool)
    lacking = np.flatnonzero(~nuisance.present & sheets.located)
    donors = control_donors(sheets, nuisance)
    for copy in range(2):
        plans, _ = plan_pastes(sheets, lacking, donors, book, rng)
        if not plans:
            continue
        rows = np.array([plan.row for plan in plans], dtype=np.int64)
        images[rows, copy] = draw_dose(sheets, plans, 1.0, 1.0, control=False)[0]
        images[rows, 2] = draw_dose(sheets, plans, 1.0, 1.0, control=True)[0]
        toggled[rows] = True
    if book.kind == "stain":
        for row in np.flatnonzero(nuisance.present & sheets.located).tolist():
            toggled[row] = _take_off(images[row], sheets, row, rng)
    return SheetVersions(images, toggled)


def _take_off(
    versions: UInt8[np.ndarray, "3 h w"], sheets: ProofSheets, row: int, rng: np.random.Generator
) -> bool:
    """Fill the stain twice; returns whether one was found."""
    gray, defect = np.asarray(sheets.images[row]), sheets.defect(row)
    stain = find_stain(gray, keep_off=defect)
    if not stain.any():
        return False
    for copy in range(2):
        versions[copy] = remove_stain(gray, stain, rng, keep_off=defect)
    return True


def toggle_chances(
    labels: Int[np.ndarray, " n"], present: Flags, *, removable: bool
) -> Float[np.ndarray, " n"]:
    """How often each sheet is to be shown toggled, so that the nuisance is as frequent on every class.

    removable  True: half of the time everywhere, whether that puts it on or takes it off; False: it can only
               be put on, up to halfway between its share on the class that has most of it and all sheets

    >>> toggle_chances(np.array([0, 0, 1]), np.array([True, False, False]), removable=False).tolist()
    [0.0, 0.5, 0.75]
    """
    if removable:
        return np.full(labels.size, 0.5)
    shares = {int(label): float(present[labels == label].mean()) for label in np.unique(labels)}
    goal = (1 + max(shares.values())) / 2
    chance = np.array([(goal - shares[int(label)]) / max(1 - shares[int(label)], 1e-9) for label in labels])
    return np.where(present, 0.0, np.clip(chance, 0, 1))
