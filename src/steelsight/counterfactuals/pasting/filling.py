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
    """Fill a hole in a sheet, as `HoleFiller` does.

    hole      (h, w) what is filled; where it is empty a copy is returned
    keep_off  (h, w) pixels that are not used as fill, such as the defect; the sheet's end never is
    returns   (h, w) uint8; differs from `gray` on the hole alone
    """
    return HoleFiller(gray, hole if keep_off is None else hole | keep_off).fill(hole, rng)


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

    def fill(self, hole: Mask, rng: np.random.Generator) -> GrayImage:
        """The sheet with a hole filled.

        hole     (h, w) part of `unwanted`
        returns  (h, w) uint8
        """
        fill = np.roll(self._clean, self._best_shift(hole, rng), axis=1)
        level = self._level - self._around(fill)
        filled: GrayImage = np.where(hole, np.clip(np.rint(fill + level), 0, 255), self._gray).astype(
            np.uint8
        )
        return filled

    def _best_shift(self, hole: Mask, rng: np.random.Generator) -> int:
        """The shift sideways that brings the fewest unwanted pixels into the hole."""
        shifts = [int(shift) for shift in rng.integers(1, hole.shape[1], size=TRIED_SHIFTS)]
        return min(shifts, key=lambda shift: int((np.roll(self._avoided, shift, axis=1) & hole).sum()))


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
