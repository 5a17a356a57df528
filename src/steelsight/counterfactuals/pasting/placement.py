"""Places of stamps and controls on sheets, and the pasted sheets at a dose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from steelsight.counterfactuals.pasting.control import clean_control
from steelsight.counterfactuals.pasting.paste import (
    Place,
    Stamp,
    lay,
    mirrored_stamp,
    place_stamp,
    resize_stamp,
)
from steelsight.counterfactuals.pasting.stamps import StampBook, off_limits
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.types import GrayBatch, Mask

__all__ = ["PastePlan", "draw_dose", "plan_pastes"]

TRIED_DONORS = 8

Positions = Int[np.ndarray, " m"]


@dataclass(frozen=True)
class PastePlan:
    """The stamp, its place and the control's texture for one sheet."""

    row: int
    keep_off: Mask
    stamp: Stamp
    place: Place
    donor: (
        int | None
    )  # sheet whose clean texture fills the control; None = the sheet's own, mirrored at the end
    origin: Place  # where on the donor the texture is taken from


def plan_pastes(
    sheets: ProofSheets,
    rows: Positions,
    donors: Int[np.ndarray, " d"],
    book: StampBook,
    rng: np.random.Generator,
) -> tuple[list[PastePlan], int]:
    """Choose a stamp, a place and a control's texture for each sheet.

    rows     (m,) sheets to paste on
    donors   (d,) sheets without the nuisance, whose clean steel fills the controls
    returns  the plans, and the number of sheets without room
    """
    plans, no_room = [], 0
    for row in rows.tolist():
        keep_off = off_limits(sheets, row)
        fitted = book.fit(keep_off, rng)
        source: tuple[int | None, Place] | None = None
        if fitted is not None and book.kind == "end" and _can_mirror(keep_off, *fitted):
            source = None, fitted[1]
        elif fitted is not None:
            source = _texture(sheets, donors, row, fitted[0], rng)
        if fitted is None or source is None:
            no_room += 1
        else:
            plans.append(PastePlan(row, keep_off, *fitted, *source))
    return plans, no_room


def draw_dose(
    sheets: ProofSheets, plans: list[PastePlan], area: float, brightness: float, *, control: bool
) -> tuple[GrayBatch, float]:
    """Paste the stamps, or their controls, at one dose.

    area        share of the stamp's area, 0..1; an end keeps its height and loses width
    brightness  share of the way from the steel's gray to the stamp's own, 0..1
    control     True: clean texture in place of the stamp
    returns     (m, h, w) sheets in the order of `plans`, and the mean number of pixels covered
    """
    pictures = np.empty((len(plans), *sheets.images.shape[1:]), dtype=np.uint8)
    covered = 0
    for number, plan in enumerate(plans):
        sheet = np.asarray(sheets.images[plan.row])
        stamp, place, origin = _scaled(plan, area, is_end=_is_end(plan, sheet.shape[0]))
        if control and plan.donor is None:
            stamp = mirrored_stamp(stamp, sheet, place)
        elif control:
            stamp = clean_control(stamp, sheet, place, np.asarray(sheets.images[plan.donor]), origin)
        pasted = lay(sheet, stamp.faded(brightness), place, keep_off=plan.keep_off)
        pictures[number] = pasted.gray
        covered += pasted.area_px
    return pictures, covered / len(plans)


def _can_mirror(keep_off: Mask, end: Stamp, place: Place) -> bool:
    """Whether the steel beside an end is clean over the width of the end."""
    width, whole = end.size[1], keep_off.shape[1]
    beside = slice(width, 2 * width) if place[1] == 0 else slice(max(whole - 2 * width, 0), whole - width)
    return not keep_off[:, beside].any()


def _texture(
    sheets: ProofSheets, donors: Int[np.ndarray, " d"], row: int, stamp: Stamp, rng: np.random.Generator
) -> tuple[int, Place] | None:
    """A sheet, and a place on its clean steel as large as a stamp; None where none is found."""
    for donor in rng.permutation(donors)[:TRIED_DONORS].tolist():
        limits = off_limits(sheets, donor)
        origin = None if donor == row else place_stamp(stamp, limits, rng, most_lost=0.0)
        if origin is not None:
            return donor, origin
    return None


def _is_end(plan: PastePlan, height: int) -> bool:
    """Whether the stamp is a sheet's end: opaque from top to bottom."""
    return plan.stamp.size[0] == height and bool((plan.stamp.cover == 1).all())


def _scaled(plan: PastePlan, area: float, *, is_end: bool) -> tuple[Stamp, Place, Place]:
    """The stamp at a share of its area, centred in its place; an end stays at its edge."""
    if area == 1:
        return plan.stamp, plan.place, plan.origin
    if is_end:
        return _narrowed(plan, area)
    stamp = resize_stamp(plan.stamp, area)
    down, across = ((whole - part) // 2 for whole, part in zip(plan.stamp.size, stamp.size, strict=True))
    return (
        stamp,
        (plan.place[0] + down, plan.place[1] + across),
        (plan.origin[0] + down, plan.origin[1] + across),
    )


def _narrowed(plan: PastePlan, area: float) -> tuple[Stamp, Place, Place]:
    """A narrower end: the rim is kept, black columns are removed from the outside."""
    width = plan.stamp.size[1]
    kept = max(1, round(area * width))
    at_left = plan.place[1] == 0
    part = slice(width - kept, width) if at_left else slice(0, kept)
    stamp = Stamp(plan.stamp.cover[:, part], plan.stamp.gray[:, part])
    return stamp, (0, 0 if at_left else plan.place[1] + width - kept), plan.origin
