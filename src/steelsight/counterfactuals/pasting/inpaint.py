"""Removes a stain from a sheet: fills its place with the sheet's own grain at the surrounding level."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from scipy.ndimage import binary_dilation, uniform_filter

from steelsight.counterfactuals.nuisances.sheet_ends import find_end
from steelsight.counterfactuals.nuisances.stains import above_surround
from steelsight.types import GrayImage, Mask

__all__ = ["remove_stain"]

SEAM_PX = 1  # a stain's edge is blurred into the steel beside it
NEAR_PX, SHADE = 8, 20  # spatter and shadows within NEAR_PX that differ by SHADE gray levels are removed too
REACH_PX = (3, 9, 27, 81)  # distances the level is taken from; the nearest with known pixels counts
TRIED_SHIFTS = 24


def remove_stain(
    gray: GrayImage, mask: Mask, rng: np.random.Generator, *, keep_off: Mask | None = None
) -> GrayImage:
    """Remove a stain from a sheet.

    The fill is the same sheet shifted sideways, which keeps the grain, plus the smooth difference in level
    between the surroundings of the hole and those of the fill.
    mask      (h, w) the stain; an empty mask returns a copy of the sheet
    keep_off  (h, w) pixels that are neither used as fill nor changed, such as the defect
    returns   (h, w) uint8; differs from `gray` on the mask, its seam, and specks and shadows next to it
    """
    if not mask.any():
        return gray.copy()
    unwanted = mask if keep_off is None else mask | keep_off
    hole = _grown(gray, mask)
    if keep_off is not None:
        hole &= ~keep_off
    unwanted = unwanted | hole | find_end(gray).mask(gray.shape[0])
    fill = _shifted(gray, hole, unwanted, rng)
    known = ~(hole if keep_off is None else hole | keep_off)
    level = _smooth(gray.astype(np.float32), known) - _smooth(fill, known)
    filled: GrayImage = np.where(hole, np.clip(np.rint(fill + level), 0, 255), gray).astype(np.uint8)
    return filled


def _grown(gray: GrayImage, mask: Mask) -> Mask:
    """The stain with its seam, spatter and shadow, which a threshold on white misses."""
    square = np.ones((3, 3))
    off = np.abs(above_surround(gray)) > SHADE
    near = binary_dilation(mask, iterations=NEAR_PX, structure=square)
    grown: Mask = binary_dilation(mask | (off & near), iterations=SEAM_PX, structure=square)
    return grown


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
        share = _blurred(weight, reach)
        blurred = _blurred(values * weight, reach) / np.maximum(share, 1e-6)
        weighting = np.clip(share / 0.2, 0, 1)
        level = weighting * blurred + (1 - weighting) * level
    return level.astype(np.float32)


def _blurred(values: Float32[np.ndarray, "h w"], reach: int) -> Float32[np.ndarray, "h w"]:
    """Two running means: close to a Gaussian, at a cost independent of the reach."""
    side = 2 * reach + 1
    once = uniform_filter(values, side, mode="nearest")
    return np.asarray(uniform_filter(once, side, mode="nearest"), dtype=np.float32)
