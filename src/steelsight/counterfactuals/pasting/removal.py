"""Counterfactual test in reverse: a model's outputs on a sheet whose stain is removed.

The control removes clean steel: the same shape, moved to a place of the same sheet without a stain, is filled
in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from steelsight.counterfactuals.margins import class_margin
from steelsight.counterfactuals.nuisances.nuisance import Nuisance
from steelsight.counterfactuals.nuisances.stains import find_stain
from steelsight.counterfactuals.pasting.counterfactual import ModelUnderTest
from steelsight.counterfactuals.pasting.inpaint import remove_stain
from steelsight.counterfactuals.pasting.paste import Stamp, place_stamp
from steelsight.counterfactuals.pasting.stamps import off_limits
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.evaluation.intervals.bootstrap import bootstrap, share_interval
from steelsight.types import Interval, Logits, Mask

__all__ = ["RemovalEffect", "measure_removal"]

RESAMPLES = 1000


@dataclass(frozen=True)
class RemovalEffect:
    """The effect of removing stains from the sheets that have one."""

    sheets: int  # with a stain removed
    not_found: (
        int  # listed with a stain, but without one that could be removed, or without room for a control
    )
    shift: Interval  # mean change of the suspected class's margin, logits; below 0 = the stain raised it
    control_shift: Interval
    excess_shift: Interval  # shift minus control shift on the same sheets
    verdicts: int  # sheets classified as the suspected class before
    leave: Interval  # share of those that are classified otherwise afterwards


def measure_removal(
    sheets: ProofSheets,
    nuisance: Nuisance,
    model: ModelUnderTest,
    *,
    limit: int,
    rng: np.random.Generator,
) -> RemovalEffect | None:
    """Remove the stains of sheets that have one, and measure the effect on the model.

    limit    largest number of sheets; drawn at random
    returns  None where no stain can be removed
    """
    rows = np.flatnonzero(nuisance.present & nuisance.listed)
    if rows.size > limit:
        rows = np.sort(rng.choice(rows, limit, replace=False))
    kept, cleaned, controls = [], [], []
    for row in rows.tolist():
        gray, defect = np.asarray(sheets.images[row]), sheets.defect(row)
        mask = find_stain(gray, keep_off=defect)
        elsewhere = _moved(mask, off_limits(sheets, row) | mask, rng) if mask.any() else None
        if elsewhere is not None:
            kept.append(row)
            cleaned.append(remove_stain(gray, mask, rng, keep_off=defect))
            controls.append(remove_stain(gray, elsewhere, rng, keep_off=defect | mask))
    if not kept:
        return None
    outputs = (model.logits[kept], model.predict(np.stack(cleaned)), model.predict(np.stack(controls)))
    groups = [sheets.groups[row] for row in kept]
    return _effect(outputs, model.target, groups if any(groups) else None, rows.size - len(kept), rng)


def _effect(
    outputs: tuple[Logits, Logits, Logits],
    target: int,
    groups: list[str] | None,
    not_found: int,
    rng: np.random.Generator,
) -> RemovalEffect:
    """Intervals from the outputs on the sheets as they are, without their stains, and on the controls."""
    before, after, _ = outputs
    margins = [class_margin(logits, target) for logits in outputs]

    def mean(change: Float[np.ndarray, " m"]) -> Interval:
        return bootstrap(
            lambda rows: float(change[rows].mean()), change.size, groups, rng=rng, resamples=RESAMPLES
        )

    had = before.argmax(1) == target
    return RemovalEffect(
        sheets=len(before),
        not_found=not_found,
        shift=mean(margins[1] - margins[0]),
        control_shift=mean(margins[2] - margins[0]),
        excess_shift=mean(margins[1] - margins[2]),
        verdicts=int(had.sum()),
        leave=share_interval(after.argmax(1) != target, had, groups, rng=rng, resamples=RESAMPLES),
    )


def _moved(mask: Mask, keep_off: Mask, rng: np.random.Generator) -> Mask | None:
    """The same shape at another place of the sheet; None where there is no room."""
    y, x = np.nonzero(mask)
    shape = mask[y.min() : y.max() + 1, x.min() : x.max() + 1]
    place = place_stamp(Stamp(shape.astype(np.float32), np.zeros(shape.shape, np.float32)), keep_off, rng)
    if place is None:
        return None
    moved = np.zeros_like(mask)
    moved[place[0] : place[0] + shape.shape[0], place[1] : place[1] + shape.shape[1]] = shape
    free: Mask = moved & ~keep_off
    return free
