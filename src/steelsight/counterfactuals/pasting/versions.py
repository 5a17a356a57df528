"""Counterfactual versions of sheets: with a nuisance pasted or removed, and with clean texture instead.

Repair methods train on them and are chosen by them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from steelsight.counterfactuals.nuisances.nuisance import Nuisance
from steelsight.counterfactuals.nuisances.stains import find_stain
from steelsight.counterfactuals.pasting.counterfactual import control_donors
from steelsight.counterfactuals.pasting.inpaint import remove_stain
from steelsight.counterfactuals.pasting.placement import draw_dose, plan_pastes
from steelsight.counterfactuals.pasting.stamps import StampBook
from steelsight.counterfactuals.sheets import ProofSheets

__all__ = ["SheetVersions", "draw_versions", "toggle_chances"]

Flags = Bool[np.ndarray, " n"]
COPIES = 3  # two with the nuisance toggled, one control


@dataclass(frozen=True)
class SheetVersions:
    """Three further versions of each of some sheets."""

    images: UInt8[
        np.ndarray, "n 3 h w"
    ]  # two toggled, then a control with clean texture in the nuisance's place
    toggled: Flags  # False: all three are the sheet itself, because it could not be toggled


def draw_versions(
    sheets: ProofSheets, nuisance: Nuisance, book: StampBook, rng: np.random.Generator
) -> SheetVersions:
    """Paste the nuisance on sheets that lack it, and remove stains from sheets that have one.

    Sheets without room beside the defect, and defective sheets without a mask, stay unchanged. Sheet ends are
    not removed: the steel beyond an end is unknown.
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
            toggled[row] = _remove(images[row], sheets, row, rng)
    return SheetVersions(images, toggled)


def _remove(
    versions: UInt8[np.ndarray, "3 h w"], sheets: ProofSheets, row: int, rng: np.random.Generator
) -> bool:
    """Remove the stain in both toggled versions; returns whether one was detected."""
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
    """Compute how often to show each sheet toggled, so that the nuisance is equally frequent on all classes.

    labels     (n,) class index
    present    (n,) whether the sheet has the nuisance
    removable  True: 0.5 for all sheets; False: the nuisance can only be pasted, up to the share halfway
               between that of the class with the largest share and 1
    returns    (n,) probabilities

    >>> toggle_chances(np.array([0, 0, 1]), np.array([True, False, False]), removable=False).tolist()
    [0.0, 0.5, 0.75]
    """
    if removable:
        return np.full(labels.size, 0.5)
    shares = {int(label): float(present[labels == label].mean()) for label in np.unique(labels)}
    goal = (1 + max(shares.values())) / 2
    chance = np.array([(goal - shares[int(label)]) / max(1 - shares[int(label)], 1e-9) for label in labels])
    return np.where(present, 0.0, np.clip(chance, 0, 1))
