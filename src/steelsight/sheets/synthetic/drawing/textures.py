"""Harmless textures of version 2: drying streaks, water marks, dark scale, seams, brushing, dark spindles.

Each lies on sound and defective sheets alike, so that a network cannot take one for a sign of either.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from steelsight.sheets.synthetic.drawing.canvas import Canvas, column_stroke, path, speckle
from steelsight.sheets.synthetic.drawing.fields import (
    Field,
    fine_noise,
    fractal_noise,
    ramp,
    smooth_line,
    smooth_noise,
)
from steelsight.sheets.synthetic.drawing.layout import Box

__all__ = ["paint_textures"]


def paint_textures(canvas: Canvas, rng: np.random.Generator, *, sound: bool) -> None:
    """Each kind with its own chance; spindles are rarer on defective sheets, as on real ones."""
    for chance, texture in (
        (0.35, _brushing),
        (0.3, _dark_scale),
        (0.22, _drying_streaks),
        (0.25, _water_marks),
        (0.15, _seam),
        (0.35 if sound else 0.12, _spindles),
        (0.06, _dotted_line),
    ):
        own = np.random.Generator(np.random.SFC64(rng.integers(2**63)))
        if rng.random() < chance:
            texture(canvas, own)


def _brushing(canvas: Canvas, rng: np.random.Generator) -> None:
    """Fine upright hatching over the whole sheet."""
    lines = fine_noise(rng, canvas.shape, (rng.uniform(6, 24), rng.uniform(0.4, 1.1)))
    canvas.scale(1 + np.float32(rng.uniform(0.012, 0.05)) * lines)


def _dark_scale(canvas: Canvas, rng: np.random.Generator) -> None:
    """Clouds of dark scale, soft or frayed, in a part of the sheet."""
    unit, shape = canvas.unit, canvas.shape
    down = rng.uniform(15, 60) * unit
    clouds = fractal_noise(rng, shape, (down, down * rng.uniform(0.6, 2.0)), octaves=5, fall=0.65)
    place = smooth_noise(rng, shape, (110 * unit, 200 * unit)) + rng.normal(0, 0.4)
    inside = ramp(clouds + place - rng.uniform(0.0, 1.6), rng.uniform(0.5, 3.0))
    canvas.scale(1 - np.float32(rng.uniform(0.05, 0.25)) * inside)


def _drying_streaks(canvas: Canvas, rng: np.random.Generator) -> None:
    """Long upright tongues with crisp outlines, dull and dark; some hang from an edge of the sheet."""
    unit, shape = canvas.unit, canvas.shape
    down, across = rng.uniform(50, 220) * unit, rng.uniform(4, 16) * unit
    tongues = fractal_noise(rng, shape, (down, across), octaves=3, fall=rng.uniform(0.35, 0.6))
    place = smooth_line(rng, shape[1], rng.uniform(50, 260) * unit)[None, :]
    hang = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None] * np.float32(rng.choice([-0.9, 0, 0, 0.9]))
    inside = ramp(tongues + np.float32(1.1) * place + hang - rng.uniform(0.2, 1.7), rng.uniform(0.05, 0.3))
    _lay_film(canvas, inside, rng, depth=rng.uniform(0.1, 0.42))


def _lay_film(canvas: Canvas, inside: np.ndarray, rng: np.random.Generator, *, depth: float) -> None:
    """A dried film darkens and hides the grain below it."""
    dull = ndimage.uniform_filter(canvas.gray, 5, mode="nearest") - canvas.gray
    canvas.gray[:] += np.float32(rng.uniform(0.0, 0.8)) * inside * dull
    canvas.scale(1 - np.float32(depth) * inside)


def _water_marks(canvas: Canvas, rng: np.random.Generator) -> None:
    """Outlines that drying water left, one within the other, with a tone inside."""
    unit, shape = canvas.unit, canvas.shape
    size = (rng.uniform(40, 180) * unit, rng.uniform(30, 260) * unit)
    pool = smooth_noise(rng, shape, size) + np.float32(0.12) * fractal_noise(
        rng, shape, (18 * unit, 18 * unit), octaves=3
    )
    tone = np.zeros(shape, np.float32)
    level = rng.uniform(0.2, 1.4)
    for _ in range(int(rng.integers(1, 4))):
        edge = pool - np.float32(level)
        width = np.float32(rng.uniform(0.02, 0.09))
        tone += np.float32(rng.normal(0, 0.08)) * np.exp(-((edge / width) ** 2))
        tone += np.float32(rng.normal(-0.02, 0.07)) * ramp(edge, rng.uniform(0.03, 0.3))
        level += rng.uniform(0.08, 0.5)
    canvas.scale(1 + tone)


def _seam(canvas: Canvas, rng: np.random.Generator) -> None:
    """A weak upright seam from edge to edge; the steel on one side may be of another tone."""
    (height, width), unit = canvas.shape, canvas.unit
    for _ in range(int(rng.integers(1, 4))):
        middle, lean = rng.uniform(0, width), rng.normal(0, 8) * unit
        centre = path(
            rng, height, middle - lean, middle + lean, waver=rng.uniform(0.5, 6) * unit, scale=60 * unit
        )
        half = rng.uniform(1.5, 12) * unit * (1 + 0.5 * np.abs(smooth_line(rng, height, 25 * unit)))
        line = column_stroke((height, width), centre, half, rng.uniform(3, 14) * unit)
        rough = 1 + np.float32(rng.uniform(0, 0.6)) * fine_noise(
            rng, (height, width), (rng.uniform(1, 10), 0.8)
        )
        canvas.scale(1 + np.float32(rng.normal(0, 0.08)) * line * rough)
        if rng.random() < 0.4:
            x = np.arange(width, dtype=np.float32)[None, :]
            beyond = ramp(x - centre[:, None], rng.uniform(2, 60) * unit)
            canvas.scale(1 + np.float32(rng.normal(0, 0.06)) * beyond)


def _spindles(canvas: Canvas, rng: np.random.Generator) -> None:
    """Single dark upright marks, pointed at both ends: drops that ran down and dried."""
    unit, height = canvas.unit, canvas.shape[0]
    depth = rng.uniform(0.15, 0.5)
    for _ in range(int(np.clip(rng.geometric(0.2), 1, 16))):
        tall = max(float(np.clip(np.exp(rng.normal(3.5, 0.55)), 10, 140)) * unit, 5)
        wide = max(tall * rng.uniform(0.08, 0.24), 1.5)
        left = int(rng.uniform(0, canvas.shape[1] - 4 * wide))
        top = int(rng.uniform(-0.5 * tall, height - 0.5 * tall))
        _paint_spindle(canvas, rng, Box(top, left, top + int(tall), left + int(4 * wide) + 2), depth)


def _paint_spindle(canvas: Canvas, rng: np.random.Generator, box: Box, depth: float) -> None:
    rows = box.bottom - box.top
    width = box.right - box.left
    along = np.linspace(0, 1, rows, dtype=np.float32)
    profile = np.maximum(np.sin(np.pi * along ** rng.uniform(0.6, 1.6)), 0) ** rng.uniform(0.7, 1.6)
    lean = rng.normal(0, 0.06) * rows
    centre = path(rng, rows, width / 2 - lean, width / 2 + lean, waver=0.04 * width, scale=rows / 3)
    half = profile * width / 8 * (1 + 0.2 * smooth_line(rng, rows, max(rows / 6, 2)))
    mark = column_stroke((rows, width), centre, half, rng.uniform(1.0, 2.5)) * (profile > 0.08)[:, None]
    tone: Field = mark * (1 + np.float32(rng.uniform(0, 0.3)) * fine_noise(rng, (rows, width), (2, 1)))
    inside = canvas.clip(box)
    window = tone[
        inside.top - box.top : inside.bottom - box.top, inside.left - box.left : inside.right - box.left
    ]
    canvas.darken(inside, np.clip(np.float32(depth * rng.uniform(0.7, 1.3)) * window, 0, 0.8))


def _dotted_line(canvas: Canvas, rng: np.random.Generator) -> None:
    """One thin upright line of dark dashes."""
    (height, width), unit = canvas.shape, canvas.unit
    span = 12
    left = int(rng.uniform(0, width - span))
    box = canvas.clip(Box(0, left, height, left + span))
    shape = (box.height, box.width)
    centre = path(rng, height, span / 2, span / 2, waver=1.0, scale=50 * unit)
    line = column_stroke(shape, centre, rng.uniform(0.5, 2.0) * unit, 1.5)
    dashes = speckle(rng, shape, (rng.uniform(2, 8), 2.0), rng.uniform(-0.5, 0.6))
    reach = ramp(smooth_line(rng, height, 40 * unit) + rng.normal(0, 0.5), 0.5)[:, None]
    canvas.darken(box, np.clip(line * dashes * reach * np.float32(rng.uniform(0.2, 0.5)), 0, 0.8))
