"""Control textures: what is laid in a stamp's place where no part of it may stand out.

Another sheet's texture, shifted to the mean of the pixels it replaces, has that sheet's course of brightness:
its dark edge becomes a black block in the middle of the sheet it is laid on. Where a part of the texture is
brighter or darker than its place by more than MOST_STEP, only its fine structure is laid on the place's own
level. Lengths are in pixels of a sheet 64 high and scale with the height.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float32
from scipy.ndimage import uniform_filter

from steelsight.counterfactuals.pasting.paste import SOLID, Place, Stamp, control_stamp
from steelsight.types import GrayImage

__all__ = ["MOST_STEP", "clean_control", "largest_step"]

MOST_STEP: Final = 30.0  # gray levels; a stain is at least 80 above the steel around it
LEVEL_PX: Final = 8  # window of the local mean, at a height of 64

Gray = Float32[np.ndarray, "i j"]


def clean_control(stamp: Stamp, sheet: GrayImage, place: Place, donor: GrayImage, origin: Place) -> Stamp:
    """Fill a stamp with another sheet's clean texture, of which no part stands out from its place.

    sheet, place    the sheet it will be pasted on, and where
    donor, origin   a clean sheet, and where its texture is taken from; the stamp must fit within both
    returns         as `control_stamp` where its `largest_step` is at most MOST_STEP; otherwise the texture's
                    fine structure on the local mean of the replaced pixels, fainter where it still stands
                    out; their mean over the stamp stays in either case
    """
    control = control_stamp(stamp, sheet, place, donor, origin)
    replaced = _window(sheet, place, stamp)
    side = _side(sheet)
    if largest_step(control, replaced, side) <= MOST_STEP:
        return control
    texture = _window(donor, origin, stamp)
    fine = np.clip(texture - uniform_filter(texture, side, mode="nearest"), -MOST_STEP, MOST_STEP)
    change = uniform_filter(replaced, side, mode="nearest") + fine - replaced
    change -= (stamp.cover * change).sum() / max(float(stamp.cover.sum()), 1e-6)
    step = largest_step(replace(stamp, gray=replaced + change), replaced, side)
    fainter = min(1.0, 0.99 * MOST_STEP / max(step, 1e-6))  # steps and the mean, 0, scale with it
    return replace(stamp, gray=(replaced + fainter * change).astype(np.float32))


def largest_step(control: Stamp, replaced: Gray, side: int) -> float:
    """The largest difference of local means between a control and the pixels it replaces, gray levels.

    replaced  (i, j) the pixels of the sheet under the stamp
    side      width of the window of the local mean, pixels; only covered pixels count
    """
    cover = control.cover
    weight = uniform_filter(cover, side, mode="constant")
    changed = uniform_filter(cover * (control.gray - replaced), side, mode="constant")
    solid = cover >= SOLID * float(cover.max())
    return float(np.abs(changed[solid] / np.maximum(weight[solid], 1e-6)).max())


def _window(gray: GrayImage, place: Place, stamp: Stamp) -> Gray:
    (top, left), (height, width) = place, stamp.size
    window: Gray = gray[top : top + height, left : left + width].astype(np.float32)
    return window


def _side(sheet: GrayImage) -> int:
    side: int = max(3, round(LEVEL_PX * sheet.shape[0] / 64) | 1)
    return side
