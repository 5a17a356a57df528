"""What a network says of a sheet once a nuisance is pasted on it, and once clean texture is instead.

Receivers are sheets the network classifies correctly, of another class than the suspected one and without
the nuisance. A flip is a verdict that becomes the suspected class. Beside every nuisance lies its control:
the same shape at the same place, filled with another sheet's clean texture of the mean it replaces, for a
sheet's end with the sheet's own steel mirrored; what flips there is owed to pasting, not to the nuisance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import bootstrap, group_index, paired_bootstrap, share_interval
from steelsight.evaluation.intervals.paired import paired_shares
from steelsight.shortcuts.margins import class_margin
from steelsight.shortcuts.nuisances.nuisance import Nuisance
from steelsight.shortcuts.pasting.placement import draw_dose, plan_pastes
from steelsight.shortcuts.pasting.stamps import StampBook
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.types import GrayBatch, Interval, Logits

__all__ = [
    "DOSES",
    "FULL",
    "DoseEffect",
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

FULL = (1.0, 1.0)
# Share of the area, share of the way from the steel's gray to the nuisance's own.
DOSES: tuple[tuple[float, float], ...] = ((0.25, 1.0), (0.5, 1.0), (1.0, 1 / 3), (1.0, 2 / 3), FULL)
FEWEST_DONORS = 10
RESAMPLES = 1000


@dataclass(frozen=True)
class PasteTargets:
    """Sheets to paste on, and why others are not."""

    rows: Positions
    wrong: int  # of another class than the suspected, classified wrongly
    unlocated: int  # defective, and where is not known
    has_it: int  # have the nuisance already


@dataclass(frozen=True)
class PasteLogits:
    """What the network says of the receivers that had room, before and after."""

    rows: Positions  # of the sheets handed in
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
    shift: Interval  # mean change of the margin
    control_flips: Interval


@dataclass(frozen=True)
class PasteEffect:
    """Flips and shifts, with intervals by group."""

    receivers: int
    no_room: int
    wrong: int
    unlocated: int
    material: str
    flips: Interval
    control_flips: Interval
    excess: Interval  # flips minus control flips on the same sheets
    shift: Interval  # mean change of the suspected class's margin
    control_shift: Interval
    excess_shift: Interval
    becomes: dict[str, int]  # verdicts after pasting
    doses: tuple[DoseEffect, ...]


def find_paste_targets(
    sheets: ProofSheets, nuisance: Nuisance, logits: Logits, suspect: int, *, clean_only: bool
) -> PasteTargets:
    """The sheets a nuisance is pasted on.

    clean_only  only defect-free sheets, for a nuisance that is suspected to make a defect of them
    """
    verdicts = logits.argmax(1)
    wanted = (sheets.labels == 0) if clean_only else (sheets.labels >= 0)
    other = wanted & (sheets.labels != suspect) & nuisance.listed
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
    receivers: PasteTargets,
    predict: Predict,
    book: StampBook,
    suspect: int,
    logits: Logits,
    *,
    limit: int,
    rng: np.random.Generator,
    doses: tuple[tuple[float, float], ...] = DOSES,
) -> tuple[PasteEffect, PasteLogits]:
    """Paste nuisance and control on the receivers, at every dose.

    logits  of all `sheets`
    limit   at most so many receivers, drawn at random
    raises  BadInput without receivers, without clean sheets for controls, or without room on any
    """
    _refuse(sheets, receivers, suspect)
    donors = control_donors(sheets, nuisance)
    rows = receivers.rows
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
    tally = _EffectIntervals(suspect, logits[kept], groups if any(groups) else None, rng)
    found = []
    for area, brightness in dict.fromkeys([*doses, FULL]):
        pictures, covered = draw_dose(sheets, plans, area, brightness, control=False)
        after = predict(pictures).astype(np.float64)
        mixed, _ = draw_dose(sheets, plans, area, brightness, control=True)
        control = predict(mixed).astype(np.float64)
        if (area, brightness) == FULL:
            answers = PasteLogits(kept, logits[kept], after, control, pictures, mixed)
        found.append(tally.dose(area, brightness, covered, after, control))
    verdicts = answers.after.argmax(1)
    effect = PasteEffect(
        receivers=kept.size,
        no_room=no_room,
        wrong=receivers.wrong,
        unlocated=receivers.unlocated,
        material=book.told,
        flips=tally.flips(answers.after),
        control_flips=tally.flips(answers.control),
        excess=tally.excess(answers.after, answers.control),
        shift=tally.shift(answers.after),
        control_shift=tally.shift(answers.control),
        excess_shift=tally.shift(answers.after, answers.control),
        becomes={name: int((verdicts == i).sum()) for i, name in enumerate(sheets.class_names)},
        doses=tuple(found),
    )
    return effect, answers


class _EffectIntervals:
    """Intervals over the same receivers."""

    def __init__(
        self, suspect: int, before: Logits, groups: list[str] | None, rng: np.random.Generator
    ) -> None:
        self.suspect, self.groups, self.rng = suspect, groups, rng
        self.start = class_margin(before, suspect)

    def flipped(self, after: Logits) -> Bool[np.ndarray, " m"]:
        flipped: Bool[np.ndarray, " m"] = after.argmax(1) == self.suspect
        return flipped

    def flips(self, after: Logits) -> Interval:
        hit = self.flipped(after)
        return share_interval(hit, np.ones_like(hit), self.groups, rng=self.rng, resamples=RESAMPLES)

    def excess(self, after: Logits, control: Logits) -> Interval:
        """By bootstrap over groups; without groups, or where all pairs are alike, by Wilson's bounds."""
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
        base = self.start if control is None else class_margin(control, self.suspect)
        change: Float[np.ndarray, " m"] = class_margin(after, self.suspect) - base
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
    """Sheets whose clean steel fills controls: defect-free ones, or where they are few, all with masks."""
    lacking = sheets.located & ~nuisance.present
    clean = np.flatnonzero(lacking & (sheets.labels == 0))
    donors = clean if clean.size >= FEWEST_DONORS else np.flatnonzero(lacking)
    if donors.size < 2:
        raise BadInput(
            f"{sheets.name}: expected two sheets without {nuisance.name}, whose clean steel serves as "
            f"control, got {donors.size}; bring more sheets"
        )
    return donors


def _refuse(sheets: ProofSheets, receivers: PasteTargets, suspect: int) -> None:
    if not receivers.rows.size:
        raise BadInput(
            f"{sheets.name}: expected a sheet that is classified correctly, is not "
            f"{sheets.class_names[suspect]} and has a mask, to paste on; {receivers.wrong} are classified "
            f"wrongly, {receivers.unlocated} have no mask, {receivers.has_it} have the nuisance already; "
            "bring more sheets, or a better model"
        )
