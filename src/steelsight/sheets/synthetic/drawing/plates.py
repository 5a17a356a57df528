"""Patterned plate of version 2: chequer plate with thin crossing ribs, and tear plate with single leaves."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from steelsight.sheets.synthetic.drawing.canvas import Canvas, grid, shade_relief
from steelsight.sheets.synthetic.drawing.checker import crossing_lines
from steelsight.sheets.synthetic.drawing.fields import (
    Field,
    fine_noise,
    fractal_noise,
    ramp,
)

__all__ = ["paint_plate"]


def paint_plate(canvas: Canvas, rng: np.random.Generator) -> None:
    """Shade the whole sheet as patterned plate, lit from one side; some plates carry bright dirt."""
    height = _ribs(canvas, rng) if rng.random() < 0.6 else _leaves(canvas, rng)
    height = ndimage.gaussian_filter(height, rng.uniform(0.8, 1.6))
    light = (rng.normal(0, 0.25), rng.choice([-1, 1]) * rng.uniform(0.7, 1.2))
    shade = shade_relief(height, light)
    bars = 1 + np.float32(rng.uniform(1.2, 3.0)) * shade + np.float32(rng.uniform(0.0, 0.3)) * height
    gray = canvas.gray
    gray *= np.clip(bars * (1 + 0.04 * fine_noise(rng, canvas.shape, (1, 1))), 0.15, 2.4)
    if rng.random() < 0.3:
        _dirt(canvas, rng)


def _ribs(canvas: Canvas, rng: np.random.Generator) -> Field:
    """Height of two crossing families of straight ribs: upright diamonds."""
    unit = canvas.unit
    across, down = rng.uniform(80, 140) * unit, rng.uniform(150, 300) * unit
    u, v = crossing_lines(canvas, rng, (across, down), (150 * unit, 220 * unit))
    half = np.float32(rng.uniform(3, 7) * unit / across)
    first, second = (np.clip(1.4 - np.abs(line - np.round(line)) / half, 0, 1) for line in (u, v))
    return np.asarray(np.maximum(first, second), np.float32)


def _leaves(canvas: Canvas, rng: np.random.Generator) -> Field:
    """Height of single leaves on a staggered lattice, each leaning against its neighbours."""
    unit = canvas.unit
    across, down = rng.uniform(80, 150) * unit, rng.uniform(55, 110) * unit
    long, thin = across * rng.uniform(0.3, 0.45), across * rng.uniform(0.07, 0.13)
    tilt = rng.uniform(0.5, 0.95)
    y, x = grid(canvas.shape)
    y, x = y + np.float32(rng.uniform(0, 2 * down)), x + np.float32(rng.uniform(0, 2 * across))
    total = np.zeros(canvas.shape, np.float32)
    for parity, turn in ((0, tilt), (1, -tilt)):
        rows = (y + np.float32(parity * down)) / np.float32(2 * down)
        columns = (x + np.float32(parity * across / 2)) / np.float32(across)
        dy = (rows - np.round(rows)) * np.float32(2 * down)
        dx = (columns - np.round(columns)) * np.float32(across)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        along, beside = (cos * dx + sin * dy) / np.float32(long), (cos * dy - sin * dx) / np.float32(thin)
        leaf = np.float32(1) - along * along - np.abs(beside)
        total = np.maximum(total, np.clip(leaf * np.float32(1.6), 0, 1))
    return total


def _dirt(canvas: Canvas, rng: np.random.Generator) -> None:
    """Bright deposits in one part of the plate."""
    unit = canvas.unit
    y, x = grid(canvas.shape)
    middle = rng.uniform(0, canvas.shape[1])
    reach = rng.uniform(30, 160) * unit
    deposits = fractal_noise(rng, canvas.shape, (22 * unit, 22 * unit), octaves=5, fall=0.8)
    place = np.exp(-(((x - np.float32(middle)) / np.float32(reach)) ** 2)) + 0 * y
    inside = ramp(deposits + 2 * place - rng.uniform(1.8, 2.6), 0.5)
    canvas.gray[:] += inside * np.float32(rng.uniform(40, 150))
