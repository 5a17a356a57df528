"""Fills a hole in a sheet with the sheet's own grain at the level of the steel around it.

Needs NumPy alone: it runs beside the line, where SciPy may be missing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64

from steelsight.counterfactuals.nuisances.sheet_ends import find_end
from steelsight.types import GrayImage, Mask

__all__ = ["HoleFiller", "fill_hole"]

REACH_PX = (3, 9, 27, 81)  # distances the level is taken from; the nearest with known pixels counts
TRIED_SHIFTS = 24

Gray = Float32[np.ndarray, "h w"]


def fill_hole(
    gray: GrayImage, hole: Mask, rng: np.random.Generator, *, keep_off: Mask | None = None
) -> GrayImage:
    """Fill a hole in a sheet, as `HoleFiller` does, with the best of some random shifts.

    hole      (h, w) what is filled; where it is empty a copy is returned
    keep_off  (h, w) pixels that are not used as fill, such as the defect; the sheet's end never is
    returns   (h, w) uint8; differs from `gray` on the hole alone
    """
    filler = HoleFiller(gray, hole if keep_off is None else hole | keep_off)
    shifts = [int(shift) for shift in rng.integers(1, gray.shape[1], size=TRIED_SHIFTS)]
    return filler.fill(hole, min(shifts, key=lambda shift: filler.unwanted_in(hole, shift)))


class HoleFiller:
    """Fills any holes in one sheet.

    The fill is the same sheet shifted sideways, which keeps the grain, plus the smooth difference in level
    between the surroundings of the hole and those of the fill.
    unwanted  (h, w) pixels that are not used as fill, nor for its level; every hole lies in them
    """

    def __init__(self, gray: GrayImage, unwanted: Mask) -> None:
        wide = gray.astype(np.float32)
        end = find_end(gray).mask(gray.shape[0])
        self._gray, self._avoided = gray, unwanted | end
        self._around = _Smoothing(~unwanted)
        self._level = self._around(wide)
        smooth = _Smoothing(~self._avoided)(wide) if end.any() else self._level
        self._clean = np.where(self._avoided, smooth, wide)

    def fill(self, hole: Mask, shift: int) -> GrayImage:
        """The sheet with a hole filled.

        hole     (h, w) part of `unwanted`
        shift    pixels to the right; beyond its end the sheet goes on with its beginning
        returns  (h, w) uint8
        """
        fill = np.roll(self._clean, shift, axis=1)
        level = self._level - self._around(fill)
        filled: GrayImage = np.where(hole, np.clip(np.rint(fill + level), 0, 255), self._gray).astype(
            np.uint8
        )
        return filled

    def unwanted_in(self, hole: Mask, shift: int) -> int:
        """How many unwanted pixels, or pixels of the sheet's end, a shift brings into a hole."""
        return int((np.roll(self._avoided, shift, axis=1) & hole).sum())

    def seamless_shifts(self, hole: Mask) -> list[int]:
        """The shifts with the fewest unwanted pixels of those that bring no end of the image into a hole.

        hole     (h, w) with a pixel
        returns  at least one; that by half of the width where the hole is as wide as the image
        """
        width = hole.shape[1]
        columns = np.flatnonzero(hole.any(axis=0))
        first, last = int(columns[0]), int(columns[-1])
        shape = hole[:, first : last + 1]
        unwanted = {
            first - start: int((self._avoided[:, start : start + shape.shape[1]] & shape).sum())
            for start in range(width - (last - first))
            if start != first
        }
        fewest = min(unwanted.values(), default=0)
        return [shift for shift, count in unwanted.items() if count == fewest] or [width // 2]


class _Smoothing:
    """Blur of the known pixels, at each place with the smallest reach that covers some of them."""

    def __init__(self, known: Mask) -> None:
        self._known, self._weight = known, known.astype(np.float32)
        self._shares = {reach: blurred(self._weight, reach) for reach in reversed(REACH_PX)}

    def __call__(self, values: Gray) -> Gray:
        mean = values[self._known].mean() if self._known.any() else 0
        level = np.full(values.shape, mean, dtype=np.float32)
        for reach, share in self._shares.items():
            near = blurred(values * self._weight, reach) / np.maximum(share, 1e-6)
            weighting = np.clip(share / 0.2, 0, 1)
            level = weighting * near + (1 - weighting) * level
        return level.astype(np.float32)


def blurred(values: Gray, reach: int) -> Gray:
    """Two running means: close to a Gaussian, at a cost independent of the reach.

    As SciPy's `uniform_filter` of 2 reach + 1 pixels, twice, with the edge repeated.
    """
    for _ in range(2):
        values = _mean_down(_mean_down(values, reach).T, reach).T
    return values


def _mean_down(values: Gray, reach: int) -> Gray:
    """Running mean of 2 reach + 1 pixels down the columns, the edge repeated."""
    side = 2 * reach + 1
    wide = np.pad(values, ((reach + 1, reach), (0, 0)), mode="edge")
    sums: Float64[np.ndarray, "h w"] = np.cumsum(wide, axis=0, dtype=np.float64)
    means: Gray = ((sums[side:] - sums[:-side]) / side).astype(np.float32)
    return means
