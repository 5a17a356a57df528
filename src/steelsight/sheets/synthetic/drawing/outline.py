"""Annotations as people draw them: a polygon of few corners, a little outside the defect."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool
from PIL import Image, ImageDraw

from steelsight.sheets.synthetic.drawing.fields import Px
from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.types import Mask

__all__ = ["MARGIN_PX", "outline_defect"]

Extent = Bool[np.ndarray, "box_h box_w"]  # of a box, not of the sheet

MARGIN_PX = 8.0  # how far outside the defect the outline runs, per unit of sloppiness, on a sheet 256 high


def outline_defect(
    extent: Extent,
    box: Box,
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    sloppiness: float,
    bands_px: Px,
) -> Mask:
    """The annotator's mask of one defect.

    extent      true pixels of the defect, (h, w) of the box
    size        (height, width) of the sheet
    sloppiness  0 = follows the extent closely; 0.5 = as the annotators; more = wider and coarser
    bands_px    usual distance between corners along the long side
    returns     (h, w) bool of the sheet; empty if the extent is
    """
    if not extent.any():
        return np.zeros(size, bool)
    upright = box.height >= box.width
    pixels = extent if upright else extent.T
    first, last = np.flatnonzero(pixels.any(axis=1))[[0, -1]]
    margin = MARGIN_PX * sloppiness * size[0] / 256
    corners = max(round((last - first + 1) / max(bands_px * (0.3 + 1.4 * sloppiness), 4.0)) + 1, 2)
    stops = np.linspace(first, last, corners)
    low, high = _sides(pixels, stops)
    jitter = 0.35 * margin
    low = low - margin + rng.normal(0, jitter, corners)
    high = high + margin + rng.normal(0, jitter, corners)
    along = stops + np.linspace(-margin, margin, corners) + rng.normal(0, 0.4 * jitter, corners)
    ring = [*zip(along, low, strict=True), *zip(along[::-1], high[::-1], strict=True)]
    points = [
        (across + box.left, down + box.top) if upright else (down + box.left, across + box.top)
        for down, across in ring
    ]
    return _fill(points, size)


def _sides(pixels: Extent, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leftmost and rightmost pixel around every stop; a stop without any takes its neighbours'."""
    columns = np.arange(pixels.shape[1])
    rows = np.asarray(pixels.any(axis=1))
    left = np.where(rows, np.argmax(pixels, axis=1), columns[-1] + 1)
    right = np.where(rows, columns[-1] - np.argmax(pixels[:, ::-1], axis=1), -1)
    reach = max((stops[-1] - stops[0]) / max(len(stops) - 1, 1) / 2, 1)
    low, high = np.full(len(stops), np.nan), np.full(len(stops), np.nan)
    for k, stop in enumerate(stops):
        near = slice(max(int(stop - reach), 0), int(stop + reach) + 1)
        if rows[near].any():
            low[k], high[k] = (
                np.quantile(left[near][rows[near]], 0.15),
                np.quantile(right[near][rows[near]], 0.85),
            )
    known = ~np.isnan(low)
    return np.interp(stops, stops[known], low[known]), np.interp(stops, stops[known], high[known])


def _fill(points: list[tuple[float, float]], size: tuple[int, int]) -> Mask:
    canvas = Image.new("1", (size[1], size[0]))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in points], fill=1)
    return np.asarray(canvas, dtype=bool)
