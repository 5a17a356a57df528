"""How to give a sheet a stain, a sheet end, or a piece of a concept; each with its matched control.

The control covers the same pixels, as opaquely, with clean steel of another sheet brought to the level it
replaces: what is left of the paste but the nuisance itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from steelsight.shortcuts.concepts import Concept
from steelsight.shortcuts.paste import Stamp, control_stamp, cut_stamp, draw_stamp, lay, place_stamp
from steelsight.shortcuts.paste_check import Change
from steelsight.shortcuts.properties import Property
from steelsight.shortcuts.sheet_ends import BLACK_LEVEL, find_end
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.shortcuts.stains import find_stain
from steelsight.types import GrayBatch, GrayImage, Mask

__all__ = ["stamp_changes"]

MOST_STAMPS, MOST_DONORS = 24, 60
FEWEST_STAINS = 5  # sheets with one, from which stains are cut rather than drawn
SOFT_PX = 1.5  # half the width of the edge between steel and black, in model pixels

Masks = Bool[np.ndarray, "n h w"]


def stamp_changes(
    sheets: ProofSheets,
    properties: Sequence[Property],
    concepts: Sequence[Concept] = (),
    *,
    rng: np.random.Generator,
) -> dict[str, Change]:
    """Changes for stain, end, and every concept.

    properties  with stain and end among them
    Sheets without defect, stain and end give the controls' texture; without any, a sheet's control is itself.
    """
    values = {each.key: each.values for each in properties}
    images = sheets.images
    bare = np.flatnonzero((sheets.labels == 0) & (values["stain"] == 0) & (values["end"] == 0))
    donors = [np.asarray(images[row]) for row in rng.permutation(bare)[:MOST_DONORS].tolist()]
    stains = _stains(images, sheets.defects, values["stain"], rng)
    widths = values["end"][values["end"] > 0]
    changes = {"stain": _stamped(stains, donors), "end": _ended(widths, donors)}
    for concept in concepts:
        changes[concept.property.key] = _stamped(concept.stamps(images), donors)
    return changes


def _stains(
    images: GrayBatch, defects: Masks, share: Float[np.ndarray, " n"], rng: np.random.Generator
) -> list[Stamp]:
    """Stains of these very sheets where enough have one, the larger half; drawn ones otherwise."""
    rows = np.flatnonzero(share > 0)
    if rows.size < FEWEST_STAINS:
        return [draw_stamp(rng, images.shape[1]) for _ in range(MOST_STAMPS)]
    large = rows[share[rows] >= np.median(share[rows])]
    cut = []
    for row in rng.permutation(large)[:MOST_STAMPS].tolist():
        gray = np.asarray(images[row])
        mask = find_stain(gray, keep_off=defects[row])
        if mask.any():
            cut.append(cut_stamp(gray, mask))
    return cut or [draw_stamp(rng, images.shape[1])]


def _stamped(stamps: Sequence[Stamp], donors: Sequence[GrayImage]) -> Change:
    """Lay one of the stamps where it meets neither the defect nor the black beyond an end."""

    def change(
        gray: GrayImage, defect: Mask, _more: bool, rng: np.random.Generator
    ) -> tuple[GrayImage, GrayImage] | None:
        keep_off = defect | find_end(gray).mask(gray.shape[0])
        stamp = stamps[int(rng.integers(len(stamps)))]
        place = place_stamp(stamp, keep_off, rng)
        return None if place is None else _lay_pair(gray, stamp, place, keep_off, donors, rng)

    return change


def _ended(widths: Float[np.ndarray, " m"], donors: Sequence[GrayImage]) -> Change:
    """Black out columns from one side, as many as the ends here have, up to the defect."""

    def change(
        gray: GrayImage, defect: Mask, _more: bool, rng: np.random.Generator
    ) -> tuple[GrayImage, GrayImage] | None:
        height, width = gray.shape
        columns = np.flatnonzero(defect.any(0))
        room = (int(columns[0]), width - 1 - int(columns[-1])) if columns.size else (width // 2, width // 2)
        left = room[0] > room[1] if room[0] != room[1] else bool(rng.random() < 0.5)
        wanted = round(float(rng.choice(widths)) * width) if widths.size else width // 5
        reach = min(wanted, max(room) - 4)
        if reach < 0.02 * width:
            return None
        x = np.arange(width, dtype=np.float32)
        inside = reach - x if left else x - (width - 1 - reach)
        cover = np.tile(np.clip(inside / (2 * SOFT_PX) + 0.5, 0, 1), (height, 1)).astype(np.float32)
        black = np.abs(rng.normal(0, 0.15 * BLACK_LEVEL, gray.shape)).astype(np.float32)
        return _lay_pair(gray, Stamp(cover, black), (0, 0), defect, donors, rng)

    return change


def _lay_pair(
    gray: GrayImage,
    stamp: Stamp,
    place: tuple[int, int],
    keep_off: Mask,
    donors: Sequence[GrayImage],
    rng: np.random.Generator,
) -> tuple[GrayImage, GrayImage]:
    changed = lay(gray, stamp, place, keep_off=keep_off).gray
    if not donors:
        return changed, gray
    donor = donors[int(rng.integers(len(donors)))]
    room = (donor.shape[0] - stamp.size[0], donor.shape[1] - stamp.size[1])
    origin = (int(rng.integers(room[0] + 1)), int(rng.integers(room[1] + 1)))
    control = control_stamp(stamp, gray, place, donor, origin)
    return changed, lay(gray, control, place, keep_off=keep_off).gray
