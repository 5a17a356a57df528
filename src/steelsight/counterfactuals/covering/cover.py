"""A sheet with some of its places covered: filled with the steel around them, as stains are removed.

Needs NumPy alone: it runs beside the line, where SciPy may be missing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import UInt8

from steelsight.counterfactuals.nuisances.sheet_ends import find_end
from steelsight.counterfactuals.pasting.filling import HoleFiller
from steelsight.types import GrayImage, Mask

__all__ = ["MOST_COVERED", "SheetPlaces", "sheet_places"]

SEAM_PX: Final = 1  # the edge of what is covered is blurred into the steel beside it
MOST_COVERED: Final = 0.5  # share of the sheet; beyond it there is too little steel to fill from

WholeInput = UInt8[np.ndarray, "H W"]  # of the model, with the border of a letterbox


@dataclass(frozen=True, eq=False)
class SheetPlaces:
    """A sheet, without the border of a letterbox, and its places."""

    gray: WholeInput
    seen: tuple[int, int, int, int]  # left, top, right, bottom of the part that the sheet fills, px
    masks: tuple[Mask, ...]  # (h, w) of that part; empty for one that the model does not see
    _fills: dict[tuple[int, int], GrayImage] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """How many places there are, those that the model does not see included."""
        return len(self.masks)

    def can_cover(self, places: Collection[int]) -> bool:
        """Whether each of some places has steel that the model sees, and they leave enough to fill them."""
        seen = all(self.masks[each].any() for each in places)
        return bool(places) and seen and float(self.hole(places).mean()) <= MOST_COVERED

    def cover(self, places: Collection[int], *, fill: int = 0) -> WholeInput:
        """The sheet with some of its places filled; the others are as they are, and never used as fill.

        fill     number of the fill: from another part of the sheet for each
        returns  (H, W) uint8
        """
        left, top, right, bottom = self.seen
        covered = self.gray.copy()
        for each in places:
            mask = self.masks[each]
            covered[top:bottom, left:right][mask] = self._filled(each, fill)[mask]
        return covered

    def cover_elsewhere(self, places: Collection[int], *, fill: int = 0) -> WholeInput | None:
        """The control: the same shape is filled at a part of the sheet without a place.

        returns  (H, W) uint8; None where there is no room beside the places and the sheet's end
        """
        hole = self.hole(places)
        columns = np.flatnonzero(hole.any(axis=0))
        taken = self.hole(range(len(self))) | find_end(self._part).mask(hole.shape[0])
        shifts = range(-int(columns[0]), hole.shape[1] - int(columns[-1]))
        free = [shift for shift in shifts if not (np.roll(hole, shift, axis=1) & taken).any()]
        if not free:
            return None
        shift = int(np.random.default_rng(fill).choice(free))
        moved = tuple(np.roll(self.masks[each], shift, axis=1) for each in places)
        both = SheetPlaces(self.gray, self.seen, (*moved, *self.masks))
        return both.cover(range(len(moved)), fill=fill)

    def hole(self, places: Collection[int]) -> Mask:
        """The pixels that `cover` fills, (h, w) of the part that the sheet fills."""
        hole = np.zeros(self._part.shape, dtype=bool)
        for each in places:
            hole |= self.masks[each]
        return hole

    @property
    def _part(self) -> GrayImage:
        left, top, right, bottom = self.seen
        return self.gray[top:bottom, left:right]

    @cached_property
    def _filler(self) -> HoleFiller:
        """Fills any of the places and uses none of them; its smooth levels serve every set."""
        return HoleFiller(self._part, self.hole(range(len(self))))

    def _filled(self, place: int, fill: int) -> GrayImage:
        """The part with one place filled, kept: every set with the place has it."""
        if (place, fill) not in self._fills:
            shifts = self._filler.seamless_shifts(self.masks[place])
            shift = int(np.random.default_rng(fill).choice(shifts))
            self._fills[place, fill] = self._filler.fill(self.masks[place], shift)
        return self._fills[place, fill]


def sheet_places(
    gray: WholeInput, seen: tuple[int, int, int, int], boxes: Sequence[tuple[float, float, float, float]]
) -> SheetPlaces:
    """The places of a sheet by their boxes. The sheet's end in them stays: the steel beyond it is unknown.

    gray   (H, W) the input of the model
    seen   left, top, right, bottom of the part that the sheet fills, px
    boxes  left, top, right, bottom of each place in pixels of the input; one without area is not seen
    """
    left, top, right, bottom = seen
    steel = ~find_end(gray[top:bottom, left:right]).mask(bottom - top)
    return SheetPlaces(gray, seen, tuple(_mask(box, seen) & steel for box in boxes))


def _mask(box: tuple[float, float, float, float], seen: tuple[int, int, int, int]) -> Mask:
    """A box with its seam, in the part that the sheet fills."""
    left, top, right, bottom = seen
    mask = np.zeros((bottom - top, right - left), dtype=bool)
    if box[0] < box[2] and box[1] < box[3]:
        x0, y0 = math.floor(box[0]) - left - SEAM_PX, math.floor(box[1]) - top - SEAM_PX
        x1, y1 = math.ceil(box[2]) - left + SEAM_PX, math.ceil(box[3]) - top + SEAM_PX
        mask[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = True
    return mask
