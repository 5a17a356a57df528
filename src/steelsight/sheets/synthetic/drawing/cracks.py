"""Type 2, single upright cracks near sheet ends: thin, dark, wandering, some with a lit flank or a twin."""

from __future__ import annotations

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas, column_stroke, path
from steelsight.sheets.synthetic.drawing.fields import Field, fine_noise, ramp, smooth_line
from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.types import Mask

__all__ = ["paint_crack"]


def paint_crack(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Paint one type 2 defect inside a box; returns its true extent there, (h, w) of the box."""
    shape = (box.height, box.width)
    strength = float(np.exp(rng.normal(-1.2, 0.45)))  # most are faint
    edges = np.clip(rng.normal(0.5, 0.22, 2), 0.25, 0.75) * box.width
    way = path(rng, box.height, float(edges[0]), float(edges[1]), waver=0.1 * box.width, scale=box.height / 6)
    way = way + path(rng, box.height, 0, 0, waver=0.5, scale=5)
    crack = _crack_line(shape, way, rng, canvas.unit)
    if rng.random() < 0.7:  # the steel beside a crack is worn darker
        band = column_stroke(shape, way, 0.3 * box.width, 0.3 * box.width)
        canvas.darken(box, band * np.float32(rng.uniform(0.02, 0.16)))
    canvas.darken(box, crack * np.float32(min(strength, 0.85)))
    side = rng.choice([-1.0, 1.0]) * rng.uniform(1.2, 3.2) * canvas.unit
    flank = _crack_line(shape, way + np.float32(side), rng, canvas.unit)
    canvas.add(box, flank * np.float32(rng.uniform(0, 45) * strength))
    if rng.random() < 0.3:
        twin = _crack_line(shape, way + np.float32(rng.choice([-1, 1]) * 0.25 * box.width), rng, canvas.unit)
        canvas.darken(box, twin * np.float32(0.6 * min(strength, 0.85)))
        crack = np.maximum(crack, twin)
    seen = crack.max(axis=1, keepdims=True) > 0.12  # people outline the worn steel beside the line too
    return np.asarray((column_stroke(shape, way, 0.24 * box.width, 1.0) > 0.5) & seen)


def _crack_line(shape: tuple[int, int], way: np.ndarray, rng: np.random.Generator, unit: float) -> Field:
    """A line of changing width, thin at both tips, interrupted here and there."""
    tips = np.minimum(np.hanning(shape[0] + 2)[1:-1] * 8, 1).astype(np.float32)
    width = (
        np.float32(rng.uniform(0.5, 1.7) * unit)
        * np.exp(np.float32(0.4) * smooth_line(rng, shape[0], 9))
        * tips
    )
    present = ramp(smooth_line(rng, shape[0], 14) + np.float32(rng.uniform(0.5, 2.2)), 1.0)[:, None]
    line = column_stroke(shape, way, width, 1.5) * present
    return np.asarray(line * ramp(fine_noise(rng, shape, (2, 0.6)) + 1.5, 1.5), np.float32)
