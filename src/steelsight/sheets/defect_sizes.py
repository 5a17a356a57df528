"""Sizes of annotated defects in the model's input: the width of a square of a sheet's masked area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from steelsight.errors import BadInput
from steelsight.sheets.images.placement import place
from steelsight.sheets.masks import read_mask
from steelsight.types import InputSpec, SheetItem

__all__ = ["SMALLEST_SHARE", "DefectSizes", "measure_defects"]

SMALLEST_SHARE: Final = 0.1  # of the sheets with masks: their defects are called the smallest
MEASURED: Final = 400  # sheets, evenly chosen


@dataclass(frozen=True)
class DefectSizes:
    """Widths of the annotated defects in one input; a sheet's masks are counted together."""

    sheets: int  # measured
    height: int  # of the input, px
    width: int
    smallest_px: float  # a tenth of the sheets have less
    median_px: float

    def at(self, height: int, width: int) -> DefectSizes:
        """The same defects in another input."""
        scale = math.sqrt(height * width / (self.height * self.width))
        return DefectSizes(self.sheets, height, width, self.smallest_px * scale, self.median_px * scale)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return vars(self)


def measure_defects(items: Sequence[SheetItem], spec: InputSpec) -> DefectSizes | None:
    """Sizes of the annotated defects; None where no sheet has a mask that can be read.

    At most MEASURED sheets are read. A mask that contradicts its image is left out: whoever uses it says so.
    """
    masked = [item for item in items if item.types and item.evidence == "mask" and item.masks]
    step = max(1, len(masked) // MEASURED)
    widths = [width for item in masked[::step] if (width := _width(item, spec))]
    if not widths:
        return None
    smallest, median = np.quantile(widths, [SMALLEST_SHARE, 0.5])
    return DefectSizes(len(widths), spec.height, spec.width, float(smallest), float(median))


def _width(item: SheetItem, spec: InputSpec) -> float:
    """Width in pixels of the input of a square as large as the sheet's masks; 0 where none can be read."""
    try:
        masks = list(read_mask(item).values())
    except BadInput:
        return 0.0
    if not masks:
        return 0.0
    union = np.logical_or.reduce(masks)
    placement = place((union.shape[0], union.shape[1]), spec)
    (x0, y0, x1, y1), (left, top, right, bottom) = placement.original_box, placement.model_box
    scale = (right - left) * (bottom - top) / ((x1 - x0) * (y1 - y0))
    return math.sqrt(float(union.sum()) * scale)
