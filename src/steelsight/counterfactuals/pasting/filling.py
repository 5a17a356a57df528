"""Fills a hole in a sheet with the sheet's own grain at the level of the steel around it.

Needs NumPy alone: it runs beside the line, where SciPy may be missing.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64

from steelsight.counterfactuals.nuisances.sheet_ends import find_end
from steelsight.types import GrayImage, Mask

__all__ = ["fill_hole"]

REACH_PX = (3, 9, 27, 81)  # distances the level is taken from; the nearest with known pixels counts
TRIED_SHIFTS = 24


def fill_hole(
    gray: GrayImage, hole: Mask, rng: np.random.Generator, *, keep_off: Mask | None = None
) -> GrayImage:
    """Fill a hole in a sheet.

    The fill is the same sheet shifted sideways, which keeps the grain, plus the smooth difference in level
    between the surroundings of the hole and those of the fill.
    hole      (h, w) what is filled; where it is empty a copy is returned
    keep_off  (h, w) pixels that are not used as fill, such as the defect; the sheet's end never is
    returns   (h, w) uint8; differs from `gray` on the hole alone
    """
    besides = hole if keep_off is None else hole | keep_off
    fill = _shifted(gray, hole, besides | find_end(gray).mask(gray.shape[0]), rng)
    level = _smooth(gray.astype(np.float32), ~besides) - _smooth(fill, ~besides)
    filled: GrayImage = np.where(hole, np.clip(np.rint(fill + level), 0, 255), gray).astype(np.uint8)
    return filled


def _shifted(
    gray: GrayImage, hole: Mask, unwanted: Mask, rng: np.random.Generator
) -> Float32[np.ndarray, "h w"]:
    """The sheet shifted sideways so that the hole gets the fewest unwanted pixels; those are smoothed."""
    width = gray.shape[1]
    shifts = [int(shift) for shift in rng.integers(1, width, size=TRIED_SHIFTS)]
    best = min(shifts, key=lambda shift: int((np.roll(unwanted, shift, axis=1) & hole).sum()))
    smooth = _smooth(gray.astype(np.float32), ~unwanted)
    clean = np.where(unwanted, smooth, gray).astype(np.float32)
    return np.roll(clean, best, axis=1)


def _smooth(values: Float32[np.ndarray, "h w"], known: Mask) -> Float32[np.ndarray, "h w"]:
    """Blur of the known pixels, at each place with the smallest reach that covers some of them."""
    weight = known.astype(np.float32)
    level = np.full(values.shape, values[known].mean() if known.any() else 0, dtype=np.float32)
    for reach in reversed(REACH_PX):
        share = blurred(weight, reach)
        near = blurred(values * weight, reach) / np.maximum(share, 1e-6)
        weighting = np.clip(share / 0.2, 0, 1)
        level = weighting * near + (1 - weighting) * level
    return level.astype(np.float32)


def blurred(values: Float32[np.ndarray, "h w"], reach: int) -> Float32[np.ndarray, "h w"]:
    """Two running means: close to a Gaussian, at a cost independent of the reach.

    As SciPy's `uniform_filter` of 2 reach + 1 pixels, twice, with the edge repeated.
    """
    for _ in range(2):
        values = _mean_down(_mean_down(values, reach).T, reach).T
    return values


def _mean_down(values: Float32[np.ndarray, "h w"], reach: int) -> Float32[np.ndarray, "h w"]:
    """Running mean of 2 reach + 1 pixels down the columns, the edge repeated."""
    side = 2 * reach + 1
    wide = np.pad(values, ((reach + 1, reach), (0, 0)), mode="edge")
    sums: Float64[np.ndarray, "h w"] = np.cumsum(wide, axis=0, dtype=np.float64)
    return ((sums[side:] - sums[:-side]) / side).astype(np.float32)
