"""Detector of sheet ends: the black columns where the camera images the empty table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from steelsight.types import GrayBatch, GrayImage, Mask

__all__ = ["SheetEnd", "end_widths", "find_end"]

BLACK_LEVEL = 24  # mean gray level of a column; beside the steel the table reaches about 20
LEAST_SHARE = 0.01  # of the width; narrower black columns are vignetting


@dataclass(frozen=True)
class SheetEnd:
    """Black columns at both edges of a sheet."""

    left_px: int
    right_px: int
    width_px: int  # of the whole image

    @property
    def present(self) -> bool:
        """Whether the sheet ends within the image."""
        return self.left_px + self.right_px > 0

    @property
    def steel(self) -> tuple[int, int]:
        """Columns of steel: first, one past last."""
        return self.left_px, self.width_px - self.right_px

    def mask(self, height_px: int) -> Mask:
        """The black pixels, (h, w)."""
        black = np.zeros((height_px, self.width_px), dtype=bool)
        black[:, : self.left_px] = True
        black[:, self.steel[1] :] = True
        return black


def find_end(gray: GrayImage) -> SheetEnd:
    """Detect the black columns at either edge; an all-black image has its end at the left.

    gray  uint8 of any size
    """
    width = gray.shape[1]
    steel = np.flatnonzero(gray.mean(axis=0) >= BLACK_LEVEL)
    if not steel.size:
        return SheetEnd(width, 0, width)
    least = max(1, round(LEAST_SHARE * width))
    sides = (int(steel[0]), int(width - 1 - steel[-1]))
    left, right = (side if side >= least else 0 for side in sides)
    return SheetEnd(left, right, width)


def end_widths(images: GrayBatch) -> Int[np.ndarray, " n"]:
    """Count the black columns of each sheet, 0 = no end.

    images  (n, h, w) uint8
    """
    ends = [find_end(np.asarray(gray)) for gray in images]
    return np.array([end.left_px + end.right_px for end in ends], dtype=np.int64)
