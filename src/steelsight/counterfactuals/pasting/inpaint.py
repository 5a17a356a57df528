"""Removes a stain from a sheet: fills its place with the sheet's own grain at the surrounding level."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation

from steelsight.counterfactuals.nuisances.stains import above_surround
from steelsight.counterfactuals.pasting.filling import fill_hole
from steelsight.types import GrayImage, Mask

__all__ = ["remove_stain"]

SEAM_PX = 1  # a stain's edge is blurred into the steel beside it
NEAR_PX, SHADE = 8, 20  # spatter and shadows within NEAR_PX that differ by SHADE gray levels are removed too


def remove_stain(
    gray: GrayImage, mask: Mask, rng: np.random.Generator, *, keep_off: Mask | None = None
) -> GrayImage:
    """Remove a stain from a sheet.

    mask      (h, w) the stain; an empty mask returns a copy of the sheet
    keep_off  (h, w) pixels that are neither used as fill nor changed, such as the defect
    returns   (h, w) uint8; differs from `gray` on the mask, its seam, and specks and shadows next to it
    """
    if not mask.any():
        return gray.copy()
    hole = _grown(gray, mask)
    if keep_off is not None:
        hole &= ~keep_off
    return fill_hole(gray, hole, rng, keep_off=keep_off)


def _grown(gray: GrayImage, mask: Mask) -> Mask:
    """The stain with its seam, spatter and shadow, which a threshold on white misses."""
    square = np.ones((3, 3))
    off = np.abs(above_surround(gray)) > SHADE
    near = binary_dilation(mask, iterations=NEAR_PX, structure=square)
    grown: Mask = binary_dilation(mask | (off & near), iterations=SEAM_PX, structure=square)
    return grown
