"""Checker plate: raised bars in a diamond lattice. Rare, sound, and unlike any other sheet."""

from __future__ import annotations

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas, grid, shade_relief
from steelsight.sheets.synthetic.drawing.fields import Field, fine_noise, smooth_noise

__all__ = ["crossing_lines", "paint_checker"]


def paint_checker(canvas: Canvas, rng: np.random.Generator) -> None:
    """Shade the whole sheet as diamond plate, lit from one side."""
    unit = canvas.unit
    period_x, period_y = rng.uniform(70, 130) * unit, rng.uniform(120, 270) * unit
    u, v = crossing_lines(canvas, rng, (period_x, period_y), (120 * unit, 160 * unit))
    half = np.float32(rng.uniform(0.045, 0.08))
    height = np.zeros(canvas.shape, np.float32)
    for lattice in (u, v):
        off = np.abs(lattice - np.round(lattice)) / half
        height = np.maximum(height, np.clip(1.5 - off, 0, 1))
    shade = shade_relief(height, (0.25, rng.choice([-1, 1]) * rng.uniform(0.8, 1.2)))
    bars = 1 + np.float32(rng.uniform(1.6, 3.2)) * shade + np.float32(rng.uniform(0.1, 0.35)) * height
    gray = canvas.gray
    gray *= np.clip(bars * (1 + 0.04 * fine_noise(rng, canvas.shape, (1, 1))), 0.15, 2.2)


def crossing_lines(
    canvas: Canvas, rng: np.random.Generator, period: tuple[float, float], warp: tuple[float, float]
) -> tuple[Field, Field]:
    """Phases of two families of slanted lines, a little bent; a line runs where the phase is a whole number.

    period  across and down, px
    warp    how far apart bends are, down and across, px
    """
    across, down = map(np.float32, period)
    y, x = grid(canvas.shape)
    bend = smooth_noise(rng, canvas.shape, warp) * np.float32(0.012)
    first = x / across + y / down + np.float32(rng.random()) + bend
    return first, x / across - y / down + np.float32(rng.random()) + bend
