"""What a network says of a sheet once its stain is taken off: the counterfactual the other way round.

The control takes clean steel off: the same shape, moved along the same sheet to where there is no stain, is
filled in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from steelsight.evaluation.intervals.bootstrap import bootstrap, share_interval
from steelsight.shortcuts.margins import class_margin
from steelsight.shortcuts.nuisances.nuisance import Nuisance
from steelsight.shortcuts.nuisances.stains import find_stain
from steelsight.shortcuts.pasting.counterfactual import Predict
from steelsight.shortcuts.pasting.inpaint import remove_stain
from steelsight.shortcuts.pasting.paste import Stamp, place_stamp
from steelsight.shortcuts.pasting.stamps import off_limits
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.types import Interval, Logits, Mask

__all__ = ["RemovalEffect", "measure_removal"]

RESAMPLES = 1000


@dataclass(frozen=True)
class RemovalEffect:
    """The effect of taking stains off the sheets that have one."""

    sheets: int
    not_found: int  # said to have a stain, and the detector finds none to take off
    shift: Interval  # mean change of the suspected class's margin; below 0 = the stain spoke for it
    control_shift: Interval
    excess_shift: Interval
    verdicts: int  # sheets with the suspected class's verdict before
    leave: Interval  # of those, the share that loses it


def measure_removal(
    sheets: ProofSheets,
    nuisance: Nuisance,
    predict: Predict,
    suspect: int,
    logits: Logits,
    *,
    limit: int,
    rng: np.random.Generator,
) -> RemovalEffect | None:
    """Take the stains off all sheets that have one; None where none can be taken off.

    logits  of all `sheets`
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
    return _tell(
        sheets, kept, rows.size, predict, suspect, logits, np.stack(cleaned), np.stack(controls), rng
    )


def _tell(
    sheets: ProofSheets,
    kept: list[int],
    asked: int,
    predict: Predict,
    suspect: int,
    logits: Logits,
    cleaned: UInt8[np.ndarray, "k h w"],
    controls: UInt8[np.ndarray, "k h w"],
    rng: np.random.Generator,
) -> RemovalEffect:
    before, after, control = logits[kept], predict(cleaned), predict(controls)
    margins = [class_margin(each, suspect) for each in (before, after, control)]
    names = [sheets.groups[row] for row in kept]
    groups = names if any(names) else None

    def mean(change: Float[np.ndarray, " m"]) -> Interval:
        return bootstrap(
            lambda rows: float(change[rows].mean()), change.size, groups, rng=rng, resamples=RESAMPLES
        )

    held = before.argmax(1) == suspect
    return RemovalEffect(
        sheets=len(kept),
        not_found=asked - len(kept),
        shift=mean(margins[1] - margins[0]),
        control_shift=mean(margins[2] - margins[0]),
        excess_shift=mean(margins[1] - margins[2]),
        verdicts=int(held.sum()),
        leave=share_interval(after.argmax(1) != suspect, held, groups, rng=rng, resamples=RESAMPLES),
    )


def _moved(mask: Mask, keep_off: Mask, rng: np.random.Generator) -> Mask | None:
    """The same shape somewhere else on the sheet; None where there is no room."""
    y, x = np.nonzero(mask)
    shape = mask[y.min() : y.max() + 1, x.min() : x.max() + 1]
    place = place_stamp(Stamp(shape.astype(np.float32), np.zeros(shape.shape, np.float32)), keep_off, rng)
    if place is None:
        return None
    moved = np.zeros_like(mask)
    moved[place[0] : place[0] + shape.shape[0], place[1] : place[1] + shape.shape[1]] = shape
    free: Mask = moved & ~keep_off
    return free
