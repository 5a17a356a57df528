"""Does pasting a property move the margin, more than pasting something harmless does?

An association may have any cause; a paste has one. Sheets of other classes, rightly judged, get more of the
property (or less), each once with the change and once with its control.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from steelsight.evaluation.intervals.bootstrap import bootstrap, wilson
from steelsight.shortcuts.margins import class_margin
from steelsight.shortcuts.pasting.counterfactual import Predict
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.types import GrayImage, Interval, Logits, Mask

__all__ = ["LEAST_SHIFT", "Change", "PasteCheck", "PasteExample", "Predict", "check_by_pasting"]

LEAST_SHIFT: Final = 0.05  # of the way from these sheets' margin to that of the suspected class
MOST_SHEETS, SHOWN, RESAMPLES = 80, 2, 500

# A sheet, where its defect is, whether more or less is wanted -> the sheet changed, and its control; or None
# where it cannot be done.
Change = Callable[[GrayImage, Mask, bool, np.random.Generator], tuple[GrayImage, GrayImage] | None]


@dataclass(frozen=True)
class PasteExample:
    """One sheet before and after, with its margins of the suspected class."""

    row: int
    changed: GrayImage
    control: GrayImage
    margins: tuple[float, float, float]  # before, changed, control


@dataclass(frozen=True)
class PasteCheck:
    """What pasting did to sheets that are not of the suspected class."""

    sheets: int
    gap: float  # logits from these sheets' median margin to that of rightly judged sheets of the class
    shift: Interval  # median of (changed - control), as a share of the gap; NaN without sheets
    flips: Interval  # share that is given to the suspected class, changed
    control_flips: Interval  # the same, control
    examples: tuple[PasteExample, ...]

    @property
    def moves(self) -> bool:
        """Whether the property alone goes a noticeable part of the way."""
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
    """Paste on sheets of other classes that are rightly judged and have little of the property.

    Defective sheets whose defect has no mask are left out: the paste might hide it.

    amount  of the property on each sheet, negated where less of it is suspicious
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
    moved = [class_margin(each, target) for each in after]
    gap = _gap(margins[right & (labels == target)], margins[used])
    shifts = (moved[0] - moved[1]) / gap
    groups = [sheets.groups[row] for row in kept]

    def middle(drawn: Int[np.ndarray, " d"]) -> float:
        return float(np.median(shifts[drawn]))

    shift = bootstrap(middle, used.size, groups, rng=rng, resamples=RESAMPLES)
    flips = [wilson(int((each.argmax(1) == target).sum()), used.size) for each in after]
    shown = np.argsort(np.abs(shifts - np.median(shifts)), kind="stable")[:SHOWN]
    examples = tuple(
        PasteExample(
            int(used[i]),
            changed[i],
            control[i],
            (float(margins[used[i]]), float(moved[0][i]), float(moved[1][i])),
        )
        for i in shown.tolist()
    )
    return PasteCheck(used.size, gap, shift, flips[0], flips[1], examples)


def _choose(
    rows: Int[np.ndarray, " r"], amount: Float[np.ndarray, " n"], rng: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """At most MOST_SHEETS of those with no more of the property than half of them have."""
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


def _gap(there: Float[np.ndarray, " a"], here: Float[np.ndarray, " b"]) -> float:
    """From the sheets pasted on to the class, in logits; where it has no rightly judged sheet, to a draw."""
    goal = float(np.median(there)) if there.size else 0.0
    return max(goal - float(np.median(here)), 1e-6)
