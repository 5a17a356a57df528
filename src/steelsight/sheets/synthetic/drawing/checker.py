"""Checker plate: raised bars in a diamond lattice. Rare, sound, and unlike any other sheet."""

from __future__ import annotations

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas, grid, shade_relief
from steelsight.sheets.synthetic.drawing.fields import fine_noise, smooth_noise

__all__ = ["paint_checker"]


def paint_checker(canvas: Canvas, rng: np.random.Generator) -> None:
    """Shade the whole sheet as diamond plate, lit from one side."""
    unit = canvas.unit
    period_x, period_y = rng.uniform(70, 130) * unit, rng.uniform(120, 270) * unit
    y, x = grid(canvas.shape)
    warp = smooth_noise(rng, canvas.shape, (120 * unit, 160 * unit)) * np.float32(0.012)
    u = x / np.float32(period_x) + y / np.float32(period_y) + np.float32(rng.random()) + warp
    v = x / np.float32(period_x) - y / np.float32(period_y) + np.float32(rng.random()) + warp
    half = np.float32(rng.uniform(0.045, 0.08))
    height = np.zeros(canvas.shape, np.float32)
    for lattice in (u, v):
        off = np.abs(lattice - np.round(lattice)) / half
        height = np.maximum(height, np.clip(1.5 - off, 0, 1))
    shade = shade_relief(height, (0.25, rng.choice([-1, 1]) * rng.uniform(0.8, 1.2)))
    bars = 1 + np.float32(rng.uniform(1.6, 3.2)) * shade + np.float32(rng.uniform(0.1, 0.35)) * height
    gray = canvas.gray
    gray *= np.clip(bars * (1 + 0.04 * fine_noise(rng, canvas.shape, (1, 1))), 0.15, 2.2)
