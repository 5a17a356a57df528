"""From a defect type and a box to paint and annotation: which style suits which shape, and its outline."""

from __future__ import annotations

import numpy as np

from steelsight.sheets.synthetic.drawing.abrasions import ABRASION_STYLES
from steelsight.sheets.synthetic.drawing.canvas import Canvas
from steelsight.sheets.synthetic.drawing.chips import paint_chip
from steelsight.sheets.synthetic.drawing.cracks import paint_crack
from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.sheets.synthetic.drawing.outline import MARGIN_PX, outline_defect
from steelsight.sheets.synthetic.drawing.patches import paint_patch
from steelsight.sheets.synthetic.drawing.scratches import SCRATCH_STYLES
from steelsight.types import Mask

__all__ = ["paint_defect"]

_ANNOTATORS = 0.5  # the sloppiness the box statistics belong to
_BANDS_PX = {
    1: 14.0,
    2: 60.0,
    3: 90.0,
    4: 34.0,
}  # distance between an outline's corners, as the annotators set them
_THEME = 0.75  # chance that a defect is of the same style as the first of its kind on the sheet

_CHIPS = {
    "pit": 0.26,
    "glint": 0.18,
    "scab": 0.14,
    "notch": 0.08,
    "bumps": 0.08,
    "nick": 0.08,
    "teardrop": 0.08,
    "scar": 0.1,
}
_PATCHES = {"folds": 0.3, "panel": 0.38, "skin": 0.2, "window": 0.12}
# Type 3 by the shape of its box: slim, medium, wide.
_SLIM = {
    "dark_line": 0.27,
    "bright_line": 0.18,
    "torn_streak": 0.13,
    "flaking": 0.13,
    "bright_strip": 0.07,
    "slivers": 0.11,
    "flecked_column": 0.08,
    "slug": 0.03,
}
_STOUT = {
    "slug": 0.16,
    "flaking": 0.17,
    "slivers": 0.19,
    "crater": 0.12,
    "spray": 0.14,
    "torn_streak": 0.1,
    "torn_edge": 0.12,
}
_MEDIUM = {
    "bundle": 0.33,
    "flaking": 0.13,
    "slivers": 0.14,
    "weave": 0.12,
    "flecked_column": 0.1,
    "bright_strip": 0.06,
    "scuffs": 0.06,
    "torn_edge": 0.06,
}
_WIDE = {"bundle": 0.28, "spray": 0.31, "weave": 0.15, "scuffs": 0.1, "gouge": 0.16}


def paint_defect(
    canvas: Canvas,
    defect_type: int,
    box: Box,
    rng: np.random.Generator,
    *,
    theme: np.random.Generator,
    outline: np.random.Generator,
    sloppiness: float,
) -> Mask:
    """Paint one defect and annotate it.

    box         what an annotator of usual sloppiness would enclose
    theme       a generator in the same state for all defects of one type on a sheet: makes them alike
    returns     (h, w) bool of the sheet: the annotation
    """
    inner = _inset(box, canvas.shape)
    chooser = theme if rng.random() < _THEME else rng
    if defect_type == 1:
        extent = paint_chip(canvas, inner, rng, _choose(_CHIPS, chooser))
    elif defect_type == 2:
        extent = paint_crack(canvas, inner, rng)
    elif defect_type == 3:
        style = _choose(_scratch_styles(inner, canvas.unit), chooser)
        extent = (SCRATCH_STYLES | ABRASION_STYLES)[style](canvas, inner, rng)
    else:
        extent = paint_patch(canvas, inner, rng, _choose(_PATCHES, chooser))
    mask = outline_defect(
        extent,
        inner,
        canvas.shape,
        outline,
        sloppiness=sloppiness,
        bands_px=_BANDS_PX[defect_type] * canvas.unit,
    )
    if not mask.any():  # a defect too faint to have an extent is annotated as its box
        mask[box.window] = True
    return mask


def _inset(box: Box, size: tuple[int, int]) -> Box:
    """The box without the annotators' margin, which sides at the sheet's border do not have."""
    margin = 0.7 * MARGIN_PX * _ANNOTATORS * size[0] / 256  # .7: paint seldom reaches all sides of its box
    across, down = round(min(margin, 0.25 * box.width)), round(min(margin, 0.2 * box.height))
    return Box(
        box.top + (down if box.top > 0 else 0),
        box.left + (across if box.left > 0 else 0),
        box.bottom - (down if box.bottom < size[0] else 0),
        box.right - (across if box.right < size[1] else 0),
    )


def _scratch_styles(box: Box, unit: float) -> dict[str, float]:
    if box.width > 140 * unit and box.width > 0.4 * box.height:
        return _WIDE
    if box.height < 1.6 * box.width:
        return _STOUT
    return _SLIM if box.width <= 34 * unit else _MEDIUM


def _choose(weights: dict[str, float], rng: np.random.Generator) -> str:
    chances = np.array(list(weights.values()))
    return list(weights)[int(rng.choice(len(chances), p=chances / chances.sum()))]
