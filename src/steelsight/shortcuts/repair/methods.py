"""Repair methods: training interventions against a known shortcut.

paste       counterfactual augmentation: every sheet is also shown with the nuisance pasted or removed, with
            its own label, so that the nuisance does not predict the class (Kaushik et al. 2020; Plumb et al.
            2022)
balance     the groups of class and presence of the nuisance are sampled equally often (Idrissi et al. 2022)
dro         group DRO on top of that: the group with the largest loss has the largest weight (Sagawa et al.
            2020)
last_layer  the features are frozen and the head is retrained, from equally sampled groups where all are large
            enough, else from sheets as `paste` shows them (Kirichenko et al. 2023)
reasons     right for the right reasons: relevance outside the defect, or on the nuisance, is penalised (Ross
            et al. 2017)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import binary_dilation

from steelsight.counterfactuals.nuisances.nuisance import Nuisance, group_numbers, group_sizes
from steelsight.counterfactuals.nuisances.sheet_ends import find_end
from steelsight.counterfactuals.nuisances.stains import find_stain
from steelsight.counterfactuals.pasting.stamps import StampBook
from steelsight.counterfactuals.pasting.versions import draw_versions, toggle_chances
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput
from steelsight.training.intervention import CounterfactualVersions, Intervention
from steelsight.types import Mask

__all__ = ["REPAIR_METHODS", "RepairContext", "RepairMethod"]

REFERENCE_HEIGHT = 64
NEAR_PX = 8  # on a sheet 64 high: relevance this near the defect counts as on it; one cell of the last grid
FEWEST_IN_GROUP = 20  # training sheets; smaller groups would repeat the same sheets
REASONS = 1.0  # weight of the relevance penalty relative to the classification loss


@dataclass(frozen=True)
class RepairContext:
    """The training a repair method is made for; arrays have one entry per training-data sheet."""

    sheets: ProofSheets
    nuisance: Nuisance
    book: StampBook | None  # None: the nuisance is of unknown kind and cannot be pasted
    train: Int[np.ndarray, " p"]  # positions of the training sheets
    rng: np.random.Generator

    @property
    def groups(self) -> Int[np.ndarray, " n"]:
        """Group of each sheet, as `nuisance.group_numbers`."""
        return group_numbers(self.sheets.labels, self.nuisance.present)

    def sizes(self) -> dict[str, int]:
        """Count the training sheets of each group, by its name."""
        present = self.nuisance.present[self.train]
        sizes = group_sizes(self.sheets.labels[self.train], present, self.sheets.class_names)
        return {f"{name} {side} {self.nuisance.name}": count for (name, side), count in sizes.items()}


@dataclass(frozen=True)
class RepairMethod:
    """One training intervention against a shortcut."""

    title: str
    make: Callable[[RepairContext], Intervention]  # raises BadInput where the sheets do not allow it
    from_run: bool = False  # True: always starts from the run's weights
    masks: bool = False  # True: training uses the masks of defects


def _paste(context: RepairContext) -> Intervention:
    if context.book is None:
        raise BadInput(
            f"paste: the kind of {context.nuisance.name} is unknown, so it cannot be pasted; "
            "use balance or dro"
        )
    some = context.sheets.take(context.train)
    nuisance = context.nuisance.take(context.train)
    drawn = draw_versions(some, nuisance, context.book, context.rng)
    version = np.full(len(context.sheets), -1)
    version[context.train[drawn.toggled]] = np.arange(int(drawn.toggled.sum()))
    chance = np.zeros(len(context.sheets))
    chance[context.train] = toggle_chances(
        some.labels, nuisance.present, removable=context.book.kind == "stain"
    )
    return Intervention(versions=CounterfactualVersions(drawn.images[drawn.toggled], version, chance))


def _balance(context: RepairContext) -> Intervention:
    return Intervention(odds=_even_odds(context, fewest=1))


def _dro(context: RepairContext) -> Intervention:
    return Intervention(odds=_even_odds(context, fewest=1), cohorts=context.groups.astype(np.int64))


def _last_layer(context: RepairContext) -> Intervention:
    try:
        return Intervention(odds=_even_odds(context, fewest=FEWEST_IN_GROUP), frozen=True)
    except BadInput:
        if context.book is None:
            raise
        return Intervention(versions=_paste(context).versions, frozen=True)


def _reasons(context: RepairContext) -> Intervention:
    shape = context.sheets.images.shape[1:]
    near = max(1, round(NEAR_PX * shape[0] / REFERENCE_HEIGHT))
    wrong = np.zeros(context.sheets.images.shape, dtype=np.uint8)
    for row in context.train.tolist():
        wrong[row] = 255 * _penalised(context, row, near)
    if not wrong.any():
        raise BadInput(
            f"reasons: expected masks of defects, or {context.nuisance.name} on the training sheets, found "
            "neither; use another method"
        )
    return Intervention(wrong=wrong, reasons=REASONS)


def _nuisance_pixels(context: RepairContext, row: int, defect: Mask) -> Mask:
    gray = np.asarray(context.sheets.images[row])
    if context.nuisance.kind == "mark":
        return context.nuisance.region(context.sheets, row)
    if context.nuisance.kind == "stain":
        return find_stain(gray, keep_off=defect)
    return find_end(gray).mask(len(gray))


def _penalised(context: RepairContext, row: int, near: int) -> Mask:
    """Pixels whose relevance is penalised: those of the nuisance, and those away from a known defect."""
    gray, defect = np.asarray(context.sheets.images[row]), context.sheets.defect(row)
    wrong = np.zeros(gray.shape, dtype=bool)
    if context.nuisance.present[row] and context.nuisance.kind is not None:
        wrong |= binary_dilation(_nuisance_pixels(context, row, defect), iterations=near)
    about = binary_dilation(defect, iterations=near)
    if context.sheets.located[row] and defect.any():
        wrong |= ~about
    kept: Mask = wrong & ~about
    return kept


def _even_odds(context: RepairContext, *, fewest: int) -> Float[np.ndarray, " n"]:
    """Sampling odds of each sheet that give all groups the same total; BadInput where one is too small.

    fewest  smallest number of training sheets in a group
    """
    small = {name: count for name, count in context.sizes().items() if count < fewest}
    if small:
        counted = ", ".join(f"{count} {name}" for name, count in small.items())
        raise BadInput(
            f"balance: expected at least {fewest} training sheets in each group, got {counted}; "
            "bring such sheets, or use paste"
        )
    groups = context.groups
    counts = np.bincount(groups[context.train], minlength=int(groups.max()) + 1)
    odds: Float[np.ndarray, " n"] = 1.0 / np.maximum(counts[groups], 1)
    return odds


REPAIR_METHODS: dict[str, RepairMethod] = {
    "paste": RepairMethod("counterfactual augmentation", _paste),
    "balance": RepairMethod("groups sampled equally", _balance),
    "dro": RepairMethod("group DRO", _dro),
    "last_layer": RepairMethod("head retrained, features frozen", _last_layer, from_run=True),
    "reasons": RepairMethod("right for the right reasons", _reasons, masks=True),
}
