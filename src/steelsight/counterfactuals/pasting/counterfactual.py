"""Counterfactual test: a model's outputs with a nuisance pasted on a sheet, and with a control pasted.

The targets are correctly classified sheets of other classes than the suspected one and without the nuisance.
A flip is a verdict that changes to the suspected class. Every paste has its control: the same shape at the
same place, filled with another sheet's clean texture at the mean it replaces (of `control`: no part of it
stands out from its place), or for a sheet's end with the sheet's own steel mirrored. Flips of the control are
due to pasting itself, not to the nuisance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.counterfactuals.margins import class_margin
from steelsight.counterfactuals.nuisances.nuisance import Nuisance
from steelsight.counterfactuals.pasting.doses import DOSES, FULL, Dose
from steelsight.counterfactuals.pasting.placement import draw_dose, plan_pastes
from steelsight.counterfactuals.pasting.stamps import StampBook
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import bootstrap, group_index, paired_bootstrap, share_interval
from steelsight.evaluation.intervals.paired import paired_shares
from steelsight.types import GrayBatch, Interval, Logits

__all__ = [
    "DoseEffect",
    "ModelUnderTest",
    "PasteEffect",
    "PasteLogits",
    "PasteTargets",
    "Predict",
    "control_donors",
    "find_paste_targets",
    "paste_everywhere",
]

Predict = Callable[[GrayBatch], Logits]
Positions = Int[np.ndarray, " m"]

FEWEST_DONORS = 10  # defect-free sheets; with fewer, defective sheets fill controls too
RESAMPLES = 1000


@dataclass(frozen=True)
class ModelUnderTest:
    """A model, its outputs on all sheets, and the class whose verdicts are counted."""

    predict: Predict
    logits: Logits  # (n, c) of all sheets
    target: int  # index of the suspected class


@dataclass(frozen=True)
class PasteTargets:
    """Sheets to paste on, and counts of the excluded ones by reason."""

    rows: Positions
    wrong: int  # of another class than the suspected one, classified wrongly
    unlocated: int  # defective without a mask
    has_it: int  # have the nuisance already


@dataclass(frozen=True)
class PasteLogits:
    """The model's outputs on the targets that had room, before and after pasting."""

    rows: Positions  # positions in the given sheets
    before: Logits
    after: Logits
    control: Logits
    pasted: GrayBatch  # (m, h, w), at full dose
    controls: GrayBatch


@dataclass(frozen=True)
class DoseEffect:
    """The effect of one area and brightness."""

    area: float  # share of the stamp's area
    brightness: float  # share of the way from the steel to the stamp's gray
    area_px: float  # mean pixels covered
    flips: Interval
    shift: Interval  # mean change of the margin, logits
    control_flips: Interval


@dataclass(frozen=True)
class PasteEffect:
    """Flips and shifts, with intervals by group."""

    receivers: int  # sheets pasted on
    no_room: int  # targets without room beside the defect
    wrong: int  # as in PasteTargets
    unlocated: int  # as in PasteTargets
    material: str  # origin of the stamps, in words
    flips: Interval  # share of verdicts
    control_flips: Interval
    excess: Interval  # flips minus control flips on the same sheets
    shift: Interval  # mean change of the suspected class's margin, logits
    control_shift: Interval
    excess_shift: Interval
    becomes: dict[str, int]  # verdicts after pasting, by class name
    doses: tuple[DoseEffect, ...]


def find_paste_targets(
    sheets: ProofSheets, nuisance: Nuisance, model: ModelUnderTest, *, clean_only: bool
) -> PasteTargets:
    """Select the sheets to paste a nuisance on.

    clean_only  only defect-free sheets, for a nuisance suspected to indicate a defect
    """
    verdicts = model.logits.argmax(1)
    wanted = sheets.defect_free if clean_only else (sheets.labels >= 0)
    other = wanted & (sheets.labels != model.target) & nuisance.listed
    lacking = other & ~nuisance.present
    right = lacking & (verdicts == sheets.labels)
    return PasteTargets(
        np.flatnonzero(right & sheets.located),
        wrong=int((lacking & ~right).sum()),
        unlocated=int((right & ~sheets.located).sum()),
        has_it=int((other & nuisance.present).sum()),
    )


def paste_everywhere(
    sheets: ProofSheets,
    nuisance: Nuisance,
    targets: PasteTargets,
    model: ModelUnderTest,
    book: StampBook,
    *,
    limit: int,
    rng: np.random.Generator,
    doses: tuple[Dose, ...] = DOSES,
) -> tuple[PasteEffect, PasteLogits]:
    """Paste the nuisance and its control on the targets, at every dose.

    targets  from `find_paste_targets`
    limit    largest number of sheets pasted on; drawn at random from the targets
    doses    shares of area and brightness; FULL is always included
    returns  the effect, and the outputs at full dose
    raises   BadInput without targets, without clean sheets for controls, or without room on any
    """
    _refuse_no_targets(sheets, targets, model.target)
    donors = control_donors(sheets, nuisance)
    rows = targets.rows
    if rows.size > limit:
        rows = np.sort(rng.choice(rows, limit, replace=False))
    plans, no_room = plan_pastes(sheets, rows, donors, book, rng)
    if not plans:
        raise BadInput(
            f"{sheets.name}: a {book.kind} fits on none of {rows.size} sheets beside their defects; "
            "bring sheets with more free steel"
        )
    kept = np.array([plan.row for plan in plans], dtype=np.int64)
    groups = [sheets.groups[i] for i in kept.tolist()]
    before = model.logits[kept]
    intervals = _EffectIntervals(model.target, before, groups if any(groups) else None, rng)
    effects = []
    for area, brightness in dict.fromkeys([*doses, FULL]):
        pictures, covered = draw_dose(sheets, plans, area, brightness, control=False)
        after = model.predict(pictures).astype(np.float64)
        controls, _ = draw_dose(sheets, plans, area, brightness, control=True)
        control = model.predict(controls).astype(np.float64)
        if (area, brightness) == FULL:
            outputs = PasteLogits(kept, before, after, control, pictures, controls)
        effects.append(intervals.dose(area, brightness, covered, after, control))
    verdicts = outputs.after.argmax(1)
    effect = PasteEffect(
        receivers=kept.size,
        no_room=no_room,
        wrong=targets.wrong,
        unlocated=targets.unlocated,
        material=book.description,
        flips=intervals.flips(outputs.after),
        control_flips=intervals.flips(outputs.control),
        excess=intervals.excess(outputs.after, outputs.control),
        shift=intervals.shift(outputs.after),
        control_shift=intervals.shift(outputs.control),
        excess_shift=intervals.shift(outputs.after, outputs.control),
        becomes={name: int((verdicts == i).sum()) for i, name in enumerate(sheets.class_names)},
        doses=tuple(effects),
    )
    return effect, outputs


class _EffectIntervals:
    """Intervals over the same sheets."""

    def __init__(
        self, target: int, before: Logits, groups: list[str] | None, rng: np.random.Generator
    ) -> None:
        self.target, self.groups, self.rng = target, groups, rng
        self.start = class_margin(before, target)

    def flipped(self, after: Logits) -> Bool[np.ndarray, " m"]:
        flipped: Bool[np.ndarray, " m"] = after.argmax(1) == self.target
        return flipped

    def flips(self, after: Logits) -> Interval:
        flipped = self.flipped(after)
        return share_interval(flipped, np.ones_like(flipped), self.groups, rng=self.rng, resamples=RESAMPLES)

    def excess(self, after: Logits, control: Logits) -> Interval:
        """By bootstrap over groups; by Wilson's bounds without groups, or where all pairs are equal."""
        first, second = self.flipped(after), self.flipped(control)
        if self.groups is None:
            return paired_shares(first, second)
        if np.unique(first.astype(np.int8) - second).size == 1:
            units = np.unique(group_index(self.groups, first.size), return_index=True)[1]
            return paired_shares(first[units], second[units])
        return paired_bootstrap(
            lambda rows: float(first[rows].mean()),
            lambda rows: float(second[rows].mean()),
            first.size,
            self.groups,
            rng=self.rng,
            resamples=RESAMPLES,
        ).difference

    def shift(self, after: Logits, control: Logits | None = None) -> Interval:
        base = self.start if control is None else class_margin(control, self.target)
        change: Float[np.ndarray, " m"] = class_margin(after, self.target) - base
        return bootstrap(
            lambda rows: float(change[rows].mean()),
            change.size,
            self.groups,
            rng=self.rng,
            resamples=RESAMPLES,
        )

    def dose(
        self, area: float, brightness: float, covered: float, after: Logits, control: Logits
    ) -> DoseEffect:
        return DoseEffect(
            area, brightness, covered, self.flips(after), self.shift(after), self.flips(control)
        )


def control_donors(sheets: ProofSheets, nuisance: Nuisance) -> Positions:
    """Select sheets whose clean steel fills controls.

    returns  (m,) defect-free sheets, or all with masks where fewer than FEWEST_DONORS are defect-free
    raises   BadInput for fewer than two
    """
    lacking = sheets.located & ~nuisance.present
    clean = np.flatnonzero(lacking & sheets.defect_free)
    donors = clean if clean.size >= FEWEST_DONORS else np.flatnonzero(lacking)
    if donors.size < 2:
        raise BadInput(
            f"{sheets.name}: expected two sheets without {nuisance.name}, whose clean steel fills the "
            f"controls, got {donors.size}; bring more sheets"
        )
    return donors


def _refuse_no_targets(sheets: ProofSheets, targets: PasteTargets, target: int) -> None:
    if not targets.rows.size:
        raise BadInput(
            f"{sheets.name}: expected a sheet that is classified correctly, is not "
            f"{sheets.class_names[target]} and has a mask, to paste on; {targets.wrong} are classified "
            f"wrongly, {targets.unlocated} have no mask, {targets.has_it} have the nuisance already; "
            "bring more sheets, or a better model"
        )
