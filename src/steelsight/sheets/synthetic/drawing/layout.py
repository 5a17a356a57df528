"""Where a sheet's defects stand and where its black end begins, drawn before anything is painted.

Sizes come from the quantile tables through a Gaussian copula: height and width keep their correlation, and
the defects of one sheet resemble each other. Types 1 and 2 sit beside sheet ends: there the end follows the
defect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy.special import ndtr

from steelsight.sheets.synthetic.statistics import (
    LEVELS,
    REFERENCE_SIZE,
    STATISTICS,
    TOUCH_HEIGHTS,
    SizeTable,
    TypeStatistics,
)

__all__ = ["NO_END", "Box", "End", "EndSide", "draw_boxes", "draw_end", "end_beside"]

EndSide = Literal["none", "left", "right"]


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows, px."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns, px."""
        return self.right - self.left

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns as an index of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def meets(self, other: Box, gap: int) -> bool:
        """True if fewer than `gap` pixels part the two."""
        return (
            self.left < other.right + gap
            and other.left < self.right + gap
            and self.top < other.bottom + gap
            and other.top < self.bottom + gap
        )


@dataclass(frozen=True)
class End:
    """The black beyond the end of the sheet."""

    side: EndSide
    width_px: int

    def visible(self, width: int) -> tuple[int, int]:
        """First and one-past-last column of steel."""
        if self.side == "left":
            return self.width_px, width
        return (0, width - self.width_px) if self.side == "right" else (0, width)


NO_END = End("none", 0)
_NARROWEST_END, _NARROWEST_STEEL = 0.025, 0.1  # shares of the width; real sheets go from 4 to 89 % black


def draw_end(rng: np.random.Generator, width: int) -> End:
    """An end on either side, of any width."""
    share = rng.uniform(_NARROWEST_END, 1 - _NARROWEST_STEEL)
    return End("left" if rng.random() < 0.5 else "right", round(share * width))


def end_beside(boxes: list[Box], rng: np.random.Generator, width: int, *, narrow: bool = False) -> End:
    """An end just outside the outermost defect, on the side where the defects are.

    narrow  True = an end that would cover the outermost defect stops where that begins; no end where that is
            the border of the sheet
    """
    centre = np.mean([box.left + box.right for box in boxes]) / 2
    distance = round(min(np.exp(rng.normal(4.3, 0.7)), 350) * width / REFERENCE_SIZE[1])
    side: EndSide = "left" if centre < width / 2 else "right"
    outermost = min(box.left if side == "left" else width - box.right for box in boxes)
    end = max(outermost - distance, round(width * _NARROWEST_END))
    if not narrow or end <= outermost:
        return End(side, end)
    return End(side, outermost) if outermost else NO_END


def draw_boxes(
    defect_type: int,
    rng: np.random.Generator,
    size: tuple[int, int],
    *,
    visible: tuple[int, int],
    taken: list[Box],
    beside: Sequence[Box] = (),
) -> list[Box]:
    """The boxes of one type's defects on one sheet: at least one, and none touching `taken` or each other.

    size     (height, width) of the sheet
    visible  columns of steel: first, one past last
    beside   boxes of another type that these like to stand by
    """
    table = STATISTICS[defect_type]
    count = int(rng.choice(len(table.counts), p=_shares(table.counts))) + 1
    sizes = next(entry for entry in table.sizes if count <= entry.up_to)
    kin = rng.standard_normal(2)
    boxes: list[Box] = []
    for _ in range(count):
        for attempt in range(12):
            height, width = _box_size(sizes, table, kin, rng, size, visible)
            box = _place(table, rng, (height, width), size, visible, [*boxes, *beside] if attempt < 6 else [])
            if not any(box.meets(other, 4) for other in boxes + taken):
                boxes.append(box)
                break
    return boxes or [_squeeze(_place(table, rng, (height, width), size, visible, []), taken, visible)]


def _shares(counts: tuple[int, ...]) -> np.ndarray:
    return np.array(counts) / sum(counts)


def _box_size(
    sizes: SizeTable,
    table: TypeStatistics,
    kin: np.ndarray,
    rng: np.random.Generator,
    size: tuple[int, int],
    visible: tuple[int, int],
) -> tuple[int, int]:
    own = rng.standard_normal(2)
    z = np.sqrt(table.kinship) * kin + np.sqrt(1 - table.kinship) * own
    z[1] = sizes.correlation * z[0] + np.sqrt(1 - sizes.correlation**2) * z[1]
    levels = ndtr(z)
    height = np.interp(levels[0], LEVELS, sizes.heights) * size[0] / REFERENCE_SIZE[0]
    width = np.interp(levels[1], LEVELS, sizes.widths) * size[1] / REFERENCE_SIZE[1]
    room = visible[1] - visible[0]
    if height >= TOUCH_HEIGHTS[-1] * size[0] / REFERENCE_SIZE[0]:
        height = size[0]  # it comes from beyond the picture and goes on beyond it
    return int(np.clip(round(height), 5, size[0])), int(np.clip(round(width), 5, 0.98 * room))


def _place(
    table: TypeStatistics,
    rng: np.random.Generator,
    box: tuple[int, int],
    size: tuple[int, int],
    visible: tuple[int, int],
    earlier: list[Box],
) -> Box:
    top = _top(table, rng, box[0], size[0])
    if earlier and rng.random() < table.near:
        beside = earlier[int(rng.integers(len(earlier)))]
        centre = (beside.left + beside.right) / 2 + rng.laplace(
            0, table.near_px * size[1] / REFERENCE_SIZE[1]
        )
    else:
        centre = _centre(table, rng, size[1], visible)
    left = int(np.clip(round(centre - box[1] / 2), visible[0], visible[1] - box[1]))
    return Box(top, left, top + box[0], left + box[1])


def _top(table: TypeStatistics, rng: np.random.Generator, height: int, sheet_height: int) -> int:
    free = sheet_height - height
    scaled = height * REFERENCE_SIZE[0] / sheet_height
    if scaled >= TOUCH_HEIGHTS[-1]:
        return 0
    level = int(np.searchsorted(TOUCH_HEIGHTS, scaled, side="right"))
    at_top, at_bottom = table.touches_top[level], table.touches_bottom[level]
    chance = rng.random()
    if chance < at_top + at_bottom:
        return 0 if chance < at_top else free
    return int(rng.integers(free + 1))


def _centre(table: TypeStatistics, rng: np.random.Generator, width: int, visible: tuple[int, int]) -> float:
    """From the histogram of centres, cut off at the end of the steel."""
    edges = np.linspace(0, width, len(table.centres_across) + 1)
    climb = np.append(0.0, np.cumsum(_shares(table.centres_across)))
    low, high = np.interp(visible, edges, climb)
    return float(np.interp(rng.uniform(low, high), climb, edges))


def _squeeze(box: Box, taken: list[Box], visible: tuple[int, int]) -> Box:
    """A last resort on a crowded sheet: the box narrowed, in the widest gap between the others."""
    walls = sorted([(visible[0], visible[0]), (visible[1], visible[1])] + [(b.left, b.right) for b in taken])
    gaps = [(right[0] - left[1], left[1]) for left, right in pairwise(walls)]
    room, start = max(gaps)
    if room < 12:
        return Box(box.top, box.left, box.top + min(box.height, 24), box.left + min(box.width, 16))
    width = min(box.width, room - 4)
    return Box(box.top, start + 2, box.bottom, start + 2 + width)
