"""What can be done against a shortcut, each as a remedy for a training.

paste       counterfactual augmentation: every sheet is also shown with the nuisance put on or taken off,
            with its own label, so that the nuisance says nothing of the class any more
balance     sheets of every class, with and without the nuisance, are drawn alike
dro         group DRO on top of that: of these groups the one told worst weighs most
last_layer  the features stay, the head alone learns anew, from groups drawn alike where all are large
            enough, else from sheets as `paste` shows them
reasons     right for the right reasons: what speaks from outside the defect, or from the nuisance, costs
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import binary_dilation

from steelsight.errors import BadInput
from steelsight.shortcuts.nuisances.nuisance import Nuisance, group_numbers, group_sizes
from steelsight.shortcuts.nuisances.sheet_ends import find_end
from steelsight.shortcuts.nuisances.stains import find_stain
from steelsight.shortcuts.pasting.stamps import StampBook
from steelsight.shortcuts.pasting.versions import draw_versions, toggle_chances
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.training.intervention import CounterfactualVersions, Intervention
from steelsight.types import Mask

__all__ = ["CURES", "RepairContext", "RepairMethod"]

REFERENCE_HEIGHT = 64
NEAR_PX = 8  # of a sheet 64 high: a reason so near the defect is one of the defect, a cell of the last grid
FEWEST_IN_GROUP = 20  # training sheets; smaller ones would be shown over and over
REASONS = 1.0  # weight of reasons against the sheet's loss


@dataclass(frozen=True)
class RepairContext:
    """What a cure is made for: one entry a sheet of the lesson."""

    sheets: ProofSheets
    nuisance: Nuisance
    book: StampBook | None  # None: nothing is known that could be pasted
    train: Int[np.ndarray, " p"]
    rng: np.random.Generator

    @property
    def groups(self) -> Int[np.ndarray, " n"]:
        """As `nuisance.group_numbers`."""
        return group_numbers(self.sheets.labels, self.nuisance.present)

    def sizes(self) -> dict[str, int]:
        """Training sheets a group, by its name."""
        present = self.nuisance.present[self.train]
        sizes = group_sizes(self.sheets.labels[self.train], present, self.sheets.class_names)
        return {f"{name} {side} {self.nuisance.name}": count for (name, side), count in sizes.items()}


@dataclass(frozen=True)
class RepairMethod:
    """One of them."""

    title: str
    make: Callable[[RepairContext], Intervention]  # raises BadInput where it cannot be done on these sheets
    source: str
    from_run: bool = False  # it makes sense only on what the run has learnt
    masks: bool = False  # masks of defects teach


def _paste(patient: RepairContext) -> Intervention:
    if patient.book is None:
        raise BadInput(
            f"paste: what sheets with {patient.nuisance.name} share is not known; use balance or dro"
        )
    some = patient.sheets.take(patient.train)
    nuisance = patient.nuisance.take(patient.train)
    drawn = draw_versions(some, nuisance, patient.book, patient.rng)
    row = np.full(len(patient.sheets), -1)
    row[patient.train[drawn.toggled]] = np.arange(int(drawn.toggled.sum()))
    chance = np.zeros(len(patient.sheets))
    chance[patient.train] = toggle_chances(
        some.labels, nuisance.present, removable=patient.book.kind == "stain"
    )
    return Intervention(versions=CounterfactualVersions(drawn.images[drawn.toggled], row, chance))


def _balance(patient: RepairContext) -> Intervention:
    return Intervention(odds=_even_odds(patient, fewest=1))


def _dro(patient: RepairContext) -> Intervention:
    return Intervention(odds=_even_odds(patient, fewest=1), cohorts=patient.groups.astype(np.int64))


def _last_layer(patient: RepairContext) -> Intervention:
    try:
        return Intervention(odds=_even_odds(patient, fewest=FEWEST_IN_GROUP), frozen=True)
    except BadInput:
        if patient.book is None:
            raise
        return Intervention(versions=_paste(patient).versions, frozen=True)


def _reasons(patient: RepairContext) -> Intervention:
    shape = patient.sheets.images.shape[1:]
    near = max(1, round(NEAR_PX * shape[0] / REFERENCE_HEIGHT))
    wrong = np.zeros(patient.sheets.images.shape, dtype=np.uint8)
    for row in patient.train.tolist():
        wrong[row] = 255 * _wrong_place(patient, row, near)
    if not wrong.any():
        raise BadInput(
            f"reasons: expected masks of defects, or {patient.nuisance.name} on the training sheets, found "
            "neither; use another cure"
        )
    return Intervention(wrong=wrong, reasons=REASONS)


def _wrong_place(patient: RepairContext, row: int, near: int) -> Mask:
    """Pixels that must not be a reason: the nuisance's own, and those away from a known defect."""
    gray, defect = np.asarray(patient.sheets.images[row]), patient.sheets.defect(row)
    wrong = np.zeros(gray.shape, dtype=bool)
    if patient.nuisance.present[row] and patient.nuisance.kind is not None:
        own = (
            find_stain(gray, keep_off=defect)
            if patient.nuisance.kind == "stain"
            else find_end(gray).mask(len(gray))
        )
        wrong |= binary_dilation(own, iterations=near)
    about = binary_dilation(defect, iterations=near)
    if patient.sheets.located[row] and defect.any():
        wrong |= ~about
    kept: Mask = wrong & ~about
    return kept


def _even_odds(patient: RepairContext, *, fewest: int) -> Float[np.ndarray, " n"]:
    """Odds by which every group is drawn alike; raises BadInput where one is too small."""
    small = {name: count for name, count in patient.sizes().items() if count < fewest}
    if small:
        told = ", ".join(f"{count} {name}" for name, count in small.items())
        raise BadInput(
            f"balance: expected at least {fewest} training sheets in each group, got {told}; "
            "bring such sheets, or use paste"
        )
    groups = patient.groups
    counts = np.bincount(groups[patient.train], minlength=int(groups.max()) + 1)
    odds: Float[np.ndarray, " n"] = 1.0 / np.maximum(counts[groups], 1)
    return odds


CURES: dict[str, RepairMethod] = {
    "paste": RepairMethod("counterfactual augmentation", _paste, "Kaushik et al. 2020; Plumb et al. 2022"),
    "balance": RepairMethod("groups drawn alike", _balance, "Idrissi et al. 2022"),
    "dro": RepairMethod("group DRO", _dro, "Sagawa et al. 2020"),
    "last_layer": RepairMethod(
        "head alone, features kept", _last_layer, "Kirichenko et al. 2023", from_run=True
    ),
    "reasons": RepairMethod("right for the right reasons", _reasons, "Ross et al. 2017", masks=True),
}
