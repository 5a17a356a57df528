"""Changes that paste a stain, a sheet end or a segment of a concept, each with its matched control.

The control covers the same pixels with the same opacity, with clean steel of another sheet at the level it
replaces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from steelsight.counterfactuals.nuisances.nuisance import KINDS, Nuisance
from steelsight.counterfactuals.nuisances.properties import Property
from steelsight.counterfactuals.nuisances.sheet_ends import find_end
from steelsight.counterfactuals.pasting.control import clean_control
from steelsight.counterfactuals.pasting.paste import Place, Stamp, lay, place_stamp
from steelsight.counterfactuals.pasting.paste_check import Change
from steelsight.counterfactuals.pasting.stamps import StampBook, gather_stamps
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.shortcuts.find.concepts import Concept
from steelsight.types import GrayImage, Mask

__all__ = ["stamp_changes"]

MOST_DONORS = 60  # sheets whose clean steel fills controls


def stamp_changes(
    sheets: ProofSheets,
    properties: Sequence[Property],
    concepts: Sequence[Concept] = (),
    *,
    rng: np.random.Generator,
) -> dict[str, Change]:
    """Make changes for stain and end, where these were measured, and for every concept.

    Sheets without defect, stain and end give the controls' texture; where there is no such sheet, the control
    is the unchanged sheet.
    returns  changes by property key
    """
    measured = {item.key: item.values > 0 for item in properties}
    everyone = np.ones(len(sheets), dtype=bool)
    nuisances = {
        kind: Nuisance(kind, kind, "detector", measured[kind], everyone) for kind in KINDS if kind in measured
    }
    has = np.logical_or.reduce([~everyone, *(nuisance.present for nuisance in nuisances.values())])
    bare = sheets.defect_free & ~has
    rows = rng.permutation(np.flatnonzero(bare))[:MOST_DONORS]
    donors = [np.asarray(sheets.images[row]) for row in rows.tolist()]
    changes: dict[str, Change] = {
        kind: _from_book(gather_stamps(sheets, nuisance, rng), donors) for kind, nuisance in nuisances.items()
    }
    for concept in concepts:
        changes[concept.property.key] = _stamped(concept.stamps(sheets.images), donors)
    return changes


def _from_book(book: StampBook, donors: Sequence[GrayImage]) -> Change:
    def change(
        gray: GrayImage, defect: Mask, _more: bool, rng: np.random.Generator
    ) -> tuple[GrayImage, GrayImage] | None:
        keep_off = defect | find_end(gray).mask(gray.shape[0])
        fitted = book.fit(keep_off, rng)
        return None if fitted is None else _paste_pair(gray, *fitted, keep_off, donors, rng)

    return change


def _stamped(stamps: Sequence[Stamp], donors: Sequence[GrayImage]) -> Change:
    """Paste one of the stamps where it covers neither the defect nor the black beyond an end."""

    def change(
        gray: GrayImage, defect: Mask, _more: bool, rng: np.random.Generator
    ) -> tuple[GrayImage, GrayImage] | None:
        keep_off = defect | find_end(gray).mask(gray.shape[0])
        stamp = stamps[int(rng.integers(len(stamps)))]
        place = place_stamp(stamp, keep_off, rng)
        return None if place is None else _paste_pair(gray, stamp, place, keep_off, donors, rng)

    return change


def _paste_pair(
    gray: GrayImage,
    stamp: Stamp,
    place: Place,
    keep_off: Mask,
    donors: Sequence[GrayImage],
    rng: np.random.Generator,
) -> tuple[GrayImage, GrayImage]:
    """The sheet with the stamp, and with its control."""
    changed = lay(gray, stamp, place, keep_off=keep_off).gray
    if not donors:
        return changed, gray
    donor = donors[int(rng.integers(len(donors)))]
    room = (donor.shape[0] - stamp.size[0], donor.shape[1] - stamp.size[1])
    origin = (int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1)))
    control = clean_control(stamp, gray, place, donor, origin)
    return changed, lay(gray, control, place, keep_off=keep_off).gray
