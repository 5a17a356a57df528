"""What the values of an image file say: a mask, a flat picture or a photograph, and what a mask marks.

A mask has few levels, or lies almost wholly at black and white, and its background covers at least half of
it. The file's name and format say nothing: masks come as JPEG and photographs as PNG.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from jaxtyping import Int, UInt16

from steelsight.errors import BadImage
from steelsight.sheets.images.image_file import open_image
from steelsight.sheets.images.pixels import read_stored
from steelsight.types import Mask

__all__ = ["FEW", "MaskLook", "Values", "look_at", "look_of", "marked_pixels", "mask_colours", "read_values"]

Values = UInt16[np.ndarray, "h w"]
Levels = Int[np.ndarray, "k"]

FEW: Final = 32  # levels of an index mask at most
_ENDS: Final = 48  # gray levels beside black and white that JPEG and smoothing reach
_AT_ENDS: Final = 0.95  # share of a smoothed mask's pixels there
_GRAY: Final = 32  # difference of red, green and blue up to which a colour is a gray
_SMOOTHED_FEW: Final = 16  # levels: with as few, a level of areas is an index, a level of edges is smoothing

Kind = Literal["mask", "flat", "photograph", "unreadable"]


@dataclass(frozen=True)
class MaskLook:
    """What the values of one file say."""

    kind: Kind
    size: tuple[int, int] = (0, 0)  # height, width
    levels: tuple[int, ...] = ()  # of an index mask; empty for more than FEW


def read_values(source: Path | bytes) -> Values:
    """The stored values of a mask file: indices of a palette, 16-bit values as they are, else gray.

    raises  BadImage
    """
    values, gray = read_stored(source)
    if gray is None:
        return values
    levels, first = np.unique(values, return_index=True)
    shades = gray.ravel()[first]
    if 2 < levels.size <= FEW or (levels.size == 2 and shades[0] < shades[1]):
        return values
    return gray.astype(np.uint16)


def look_at(source: Path | bytes) -> MaskLook:
    """What one file's values say; a file that cannot be read is `unreadable`."""
    try:
        return look_of(read_values(source))
    except BadImage:
        return MaskLook("unreadable")


def look_of(values: Values) -> MaskLook:
    """What the values of one file say."""
    size = (values.shape[0], values.shape[1])
    counts = np.bincount(values.ravel())
    levels = np.flatnonzero(counts)
    if levels.size == 1:
        return MaskLook("flat", size, (int(levels[0]),))
    shares = counts[levels] / values.size
    if levels.size == 2 or (levels.size <= FEW and shares.max() >= 0.5):
        return MaskLook("mask", size, tuple(levels.tolist()))
    top = _full_scale(levels)
    black, white = shares[levels <= _ENDS].sum(), shares[levels >= top - _ENDS].sum()
    smoothed = black and white and black + white >= _AT_ENDS and max(black, white) >= 0.5
    return MaskLook("mask" if smoothed else "photograph", size)


def marked_pixels(values: Values) -> Mask:
    """The pixels a mask marks.

    Of two values the larger one marks the defect, so 0 and 1 work as 0 and 255 do; all 0 is empty. Of more
    values, few and each covering areas, all but the lowest are indices of defects. Else the mask is taken as
    smoothed, and half of full scale and above marks the defect.
    """
    levels = np.flatnonzero(np.bincount(values.ravel()))
    least = (_full_scale(levels) + 1) // 2
    if levels.size <= 2:
        least = max(1, int(levels[-1]))
    elif levels.size <= FEW and _is_indexed(values, levels):
        least = int(levels[1])
    marked: Mask = values >= least
    return marked


def mask_colours(path: Path) -> frozenset[tuple[int, int, int]]:
    """The colours of a mask file other than grays; none for gray files, palettes, and photographs."""
    try:
        with open_image(path) as image:
            if image.mode not in {"RGB", "RGBA"}:
                return frozenset()
            found = image.convert("RGB").getcolors(FEW) or []
    except BadImage:
        return frozenset()
    colours = [colour for _, colour in found if isinstance(colour, tuple)]
    return frozenset((r, g, b) for r, g, b in colours if max(r, g, b) - min(r, g, b) > _GRAY)


def _full_scale(levels: Levels) -> int:
    return 255 if levels[-1] <= 255 else 65535


def _is_indexed(values: Values, levels: Levels) -> bool:
    """Whether the levels are numbers of classes: all dark, or areas between dark and bright."""
    if levels[-1] < FEW:
        return True
    if levels.size > _SMOOTHED_FEW or min(values.shape) < 3:
        return False
    inner = values[1:-1, 1:-1]
    whole = np.ones(inner.shape, dtype=bool)
    height, width = values.shape
    for down in range(3):
        for right in range(3):
            whole &= values[down : height - 2 + down, right : width - 2 + right] == inner
    areas = set(np.unique(inner[whole]).tolist())
    return set(levels[1:-1].tolist()) <= areas
