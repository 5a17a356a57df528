"""Paste check of a candidate: does changing the property shift the margin more than its control does?

An association can have many causes; a paste has one. Correctly classified sheets of other classes get more
(or less) of the property, each once with the change and once with its control.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from steelsight.counterfactuals.margins import class_margin
from steelsight.counterfactuals.pasting.counterfactual import Predict
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.evaluation.intervals.bootstrap import bootstrap, wilson
from steelsight.types import GrayImage, Interval, Logits, Mask

__all__ = ["LEAST_SHIFT", "Change", "PasteCheck", "PasteExample", "Predict", "check_by_pasting"]

LEAST_SHIFT: Final = 0.05  # share of the way from these sheets' margin to that of the candidate's class
MOST_SHEETS, SHOWN, RESAMPLES = 80, 2, 500

# Takes a sheet, its defect mask, and whether more (True) or less of the property is wanted; returns the
# changed sheet and its control, or None where the sheet cannot be changed.
Change = Callable[[GrayImage, Mask, bool, np.random.Generator], tuple[GrayImage, GrayImage] | None]


@dataclass(frozen=True)
class PasteExample:
    """One sheet before and after, with its margins of the candidate's class."""

    row: int
    changed: GrayImage
    control: GrayImage
    margins: tuple[float, float, float]  # before, changed, control


@dataclass(frozen=True)
class PasteCheck:
    """The effect of pasting on sheets that are not of the candidate's class."""

    sheets: int
    gap: float  # logits, from these sheets' median margin to that of correctly classified sheets of the class
    shift: Interval  # median of (changed - control), as a share of the gap; NaN without sheets
    flips: Interval  # share classified as the candidate's class, changed
    control_flips: Interval  # the same share of the controls
    examples: tuple[PasteExample, ...]

    @property
    def moves(self) -> bool:
        """Whether the lower bound of the shift reaches LEAST_SHIFT."""
        return bool(self.shift.low >= LEAST_SHIFT)


def check_by_pasting(
    sheets: ProofSheets,
    logits: Logits,
    change: Change,
    amount: Float[np.ndarray, " n"],
    target: int,
    predict: Predict,
    *,
    more: bool,
    rng: np.random.Generator,
) -> PasteCheck:
    """Paste on correctly classified sheets of other classes that have little of the property.

    Defective sheets without a mask are left out: the paste could cover the defect.

    logits   (n, c) of all `sheets`
    change   changes one sheet, and makes its control
    amount   (n,) of the property on each sheet, negated where less of it is the candidate
    target   index of the class the candidate is suspected to indicate
    more     whether the change adds to the property
    returns  `sheets` = 0 and NaN intervals where no sheet can be changed
    """
    labels = sheets.labels
    right = (logits.argmax(1) == labels) & sheets.located
    margins = class_margin(logits, target)
    rows = _choose(np.flatnonzero(right & (labels != target)), amount, rng)
    changed, control, kept = _paste(sheets, rows, change, more, rng)
    if not kept:
        nothing = Interval(float("nan"), float("nan"), float("nan"))
        return PasteCheck(0, float("nan"), nothing, nothing, nothing, ())
    used = np.array(kept)
    after = [predict(np.stack(pictures)) for pictures in (changed, control)]
    margins_after = [class_margin(logit, target) for logit in after]
    gap = _gap(margins[right & (labels == target)], margins[used])
    shifts = (margins_after[0] - margins_after[1]) / gap
    groups = [sheets.groups[row] for row in kept]

    def median_shift(drawn: Int[np.ndarray, " d"]) -> float:
        return float(np.median(shifts[drawn]))

    shift = bootstrap(median_shift, used.size, groups, rng=rng, resamples=RESAMPLES)
    flips = [wilson(int((logit.argmax(1) == target).sum()), used.size) for logit in after]
    shown = np.argsort(np.abs(shifts - np.median(shifts)), kind="stable")[:SHOWN]
    examples = tuple(
        PasteExample(
            int(used[i]),
            changed[i],
            control[i],
            (float(margins[used[i]]), float(margins_after[0][i]), float(margins_after[1][i])),
        )
        for i in shown.tolist()
    )
    return PasteCheck(used.size, gap, shift, flips[0], flips[1], examples)


def _choose(
    rows: Int[np.ndarray, " r"], amount: Float[np.ndarray, " n"], rng: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """At most MOST_SHEETS of those with no more of the property than the median sheet."""
    if not rows.size:
        return rows
    little = rows[amount[rows] <= np.median(amount[rows])]
    chosen: Int[np.ndarray, " m"] = np.sort(rng.permutation(little)[:MOST_SHEETS])
    return chosen


def _paste(
    sheets: ProofSheets,
    rows: Int[np.ndarray, " m"],
    change: Change,
    more: bool,
    rng: np.random.Generator,
) -> tuple[list[GrayImage], list[GrayImage], list[int]]:
    changed, control, kept = [], [], []
    for row in rows.tolist():
        pair = change(np.asarray(sheets.images[row]), sheets.defect(row), more, rng)
        if pair is not None:
            changed.append(pair[0])
            control.append(pair[1])
            kept.append(row)
    return changed, control, kept


def _gap(of_class: Float[np.ndarray, " a"], others: Float[np.ndarray, " b"]) -> float:
    """Logits from the sheets pasted on to the class; to a margin of 0 where it has no correct sheet."""
    goal = float(np.median(of_class)) if of_class.size else 0.0
    return max(goal - float(np.median(others)), 1e-6)
