"""Type 3, upright scratches and cracks: lines, torn streaks, flaking strips, chains of slivers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas, blob, column_stroke, path, speckle
from steelsight.sheets.synthetic.drawing.fields import (
    Field,
    Line,
    fine_line,
    fine_noise,
    ramp,
    smooth_line,
    smooth_noise,
)
from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.types import Mask

__all__ = ["SCRATCH_STYLES", "fading_ends"]


def fading_ends(canvas: Canvas, box: Box, share: float) -> Line:
    """1 along a box, falling to 0 at its ends, except where the box runs out of the sheet."""
    steps = max(share * box.height, 1.0)
    rows = np.arange(box.height, dtype=np.float32)
    up = np.ones_like(rows) if box.top <= 0 else np.clip((rows + 0.5) / steps, 0, 1)
    down = (
        np.ones_like(rows)
        if box.bottom >= canvas.shape[0]
        else np.clip((box.height - rows - 0.5) / steps, 0, 1)
    )
    return np.asarray(up * down, np.float32)


def _way(box: Box, rng: np.random.Generator, waver: float = 0.8) -> Line:
    """The course of a stroke down a box: nearly upright, as the rolls leave it, and inside."""
    lean = float(np.clip(rng.normal(0, 0.012 * box.height), -0.25 * box.width, 0.25 * box.width))
    middle = box.width / 2
    return path(rng, box.height, middle - lean, middle + lean, waver=min(waver, 0.08 * box.width), scale=60)


def _shape(box: Box) -> tuple[int, int]:
    return box.height, box.width


def _dark_line(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A sharp dark line, even or fading in and out."""
    half = np.float32(rng.uniform(0.6, 2.4) * canvas.unit) * fading_ends(canvas, box, rng.uniform(0.05, 0.5))
    way = _way(box, rng)
    along = 0.75 + 0.25 * ramp(smooth_line(rng, box.height, 30), 2)
    line = column_stroke(_shape(box), way, half, 1.4) * along[:, None]
    line *= ramp(fine_noise(rng, _shape(box), (4, 0.6)) + rng.uniform(0.8, 2.5), 1.6)
    canvas.darken(box, line * np.float32(rng.uniform(0.3, 0.8)))
    if rng.random() < 0.35:
        lit = column_stroke(_shape(box), way + np.float32(rng.choice([-1, 1]) * 2.6), half * 0.6, 1.5)
        canvas.add(box, lit * np.float32(rng.uniform(5, 45)))
    return column_stroke(_shape(box), way, half + 0.8, 1.0) > 0.5


def _bright_line(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A bright upright line of crushed metal: flecked, often twin, sometimes with a dark companion."""
    shape = _shape(box)
    extent = np.zeros(shape, bool)
    for _ in range(1 if box.width < 24 else int(rng.integers(1, 4))):
        half = rng.uniform(0.8, float(np.clip(0.25 * box.width, 0.9, 5.5))) * fading_ends(
            canvas, box, rng.uniform(0.02, 0.3)
        )
        way = _way(box, rng) + np.float32(rng.uniform(-0.3, 0.3) * box.width * (box.width >= 24))
        half = half * (1 + np.float32(0.25) * smooth_line(rng, box.height, 7))
        line = column_stroke(shape, way, half, 1.6)
        flecks = 1 + np.float32(rng.uniform(0.15, 0.6)) * fine_noise(rng, shape, (rng.uniform(0.6, 2.5), 0.7))
        along = 0.55 + 0.45 * ramp(smooth_line(rng, box.height, 35), 2)
        levels = canvas.level(box) * (1 + rng.uniform(0.2, 1.1) * flecks * along[:, None])
        canvas.cover(box, line * rng.uniform(0.5, 1.0), np.asarray(levels, np.float32))
        extent |= line > 0.4
    if rng.random() < 0.35:
        way = _way(box, rng) + np.float32(rng.choice([-1, 1]) * rng.uniform(0.15, 0.35) * box.width)
        shadow = column_stroke(shape, way, rng.uniform(0.6, 2.2), 1.6)
        canvas.darken(box, shadow * np.float32(rng.uniform(0.15, 0.55)))
    return extent


def _torn_streak(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A dark streak that tapers and unravels into strands, ragged at its sides."""
    shape = _shape(box)
    rows = np.linspace(0, 1, box.height, dtype=np.float32)
    rows = rows if rng.random() < 0.5 else rows[::-1]
    half = min(0.3 * box.width, rng.uniform(3, 11) * canvas.unit)
    half = half * (1 - np.float32(rng.uniform(0.2, 0.8)) * rows) * fading_ends(canvas, box, 0.2)
    x = np.arange(box.width, dtype=np.float32)[None, :]
    strands = fine_noise(rng, shape, (rng.uniform(10, 30), 0.9))
    tears = fine_noise(rng, shape, (0.8, 2.0))
    depth = half[:, None] - np.abs(x - _way(box, rng, 3.0)[:, None]) + 1.2 * strands + 0.5 * tears
    stroke = ramp(depth, 3.5) * (half[:, None] > 0.3)
    stroke = stroke * ramp(
        strands + 0.6 * tears + 1.7 - np.float32(rng.uniform(0.3, 2.4)) * rows[:, None], 1.6
    )
    grain = 1 + np.float32(0.16) * fine_noise(rng, shape, (0.8, 0.6))
    canvas.darken(box, np.clip(stroke * grain * np.float32(rng.uniform(0.25, 0.68)), 0, 0.9))
    if rng.random() < 0.4:
        canvas.add(box, speckle(rng, shape, (1.6, 0.8), 1.4) * stroke * np.float32(rng.uniform(40, 150)))
    return np.asarray(stroke > 0.3)


def _flaking(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A strip where the skin flakes off: bright and dark upright slivers side by side."""
    shape = _shape(box)
    half = 0.38 * box.width * (0.25 + 0.75 * fading_ends(canvas, box, rng.uniform(0.1, 0.6)))
    half = half * (1 + np.float32(0.2) * smooth_line(rng, box.height, 12))
    inside = column_stroke(shape, _way(box, rng, 2.0), half, 0.3 * box.width + 1)
    strands = fine_noise(rng, shape, (rng.uniform(8, 28), rng.uniform(0.5, 1.3)))
    chips = fine_noise(rng, shape, (rng.uniform(1, 4), rng.uniform(0.5, 1.0)))
    mixed = strands + np.float32(rng.uniform(0.3, 1.0)) * chips + np.float32(rng.normal(0, 0.5))
    present = inside * ramp(smooth_noise(rng, shape, (16, 5)) + rng.uniform(0.2, 1.6), 1.5)
    canvas.darken(box, np.clip(-0.45 * mixed - 0.1, 0, 0.8) * present * np.float32(rng.uniform(0.5, 1.0)))
    canvas.add(box, np.clip(mixed - rng.uniform(0.3, 1.2), 0, 2) * present * np.float32(rng.uniform(30, 110)))
    return np.asarray(inside > 0.4)


def _bright_strip(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A strip of bare metal with a ragged, wandering, dark-rimmed outline."""
    shape = _shape(box)
    way = path(rng, box.height, *(rng.uniform(0.25, 0.75, 2) * box.width), waver=0.06 * box.width, scale=18)
    half = np.float32(min(0.3 * box.width, rng.uniform(2, 9))) * (
        1 + np.float32(0.3) * smooth_line(rng, box.height, rng.uniform(6, 30))
    )
    half = half * (0.15 + 0.85 * fading_ends(canvas, box, 0.2)) + np.float32(0.12) * fine_line(
        rng, box.height, 1.5
    )
    ragged = fine_noise(rng, shape, (1.6, 1.0))
    x = np.arange(box.width, dtype=np.float32)[None, :]
    depth = half[:, None] - np.abs(x - way[:, None]) + np.float32(0.5) * ragged
    rim = np.maximum(1 - np.abs(depth + 1.6) / 1.8, 0)
    canvas.darken(box, rim * np.float32(rng.uniform(0.2, 0.7)))
    metal = ramp(depth, 1.5) * ramp(smooth_noise(rng, shape, (9, 4)) + rng.uniform(0.6, 2.0), 0.6)
    level = min(canvas.level(box) + rng.uniform(50, 170), 258)
    levels = np.float32(level) * (1 + np.float32(rng.uniform(0.05, 0.22)) * ragged)
    canvas.cover(box, metal, levels)
    return np.asarray(depth > -1.5)


def _slivers(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Leaning chains of small torn pits with bright lips, one chain or several in a wide box."""
    shape = _shape(box)
    depth = np.full(shape, -1.0, np.float32)
    for _ in range(1 + int(rng.integers(0, 1 + round(box.width / 40)))):
        _string_pits(depth, box, rng, canvas.unit)
    ragged = depth + np.float32(0.35) * fine_noise(rng, shape, (2.2, 1.0))
    dark = ramp(ragged, 0.5) * ramp(fine_noise(rng, shape, (1.2, 1.0)) + rng.uniform(0.4, 1.8), 1.4)
    canvas.darken(box, dark * np.float32(rng.uniform(0.3, 0.8)))
    lips = np.maximum(1 - np.abs(ragged + 0.1) / 0.35, 0) * ramp(fine_noise(rng, shape, (1.4, 1)) + 0.4, 1.0)
    side = int(rng.choice([-1, 1]))
    canvas.add(box, np.roll(lips * (1 - dark), side, axis=1) * np.float32(rng.uniform(20, 140)))
    return np.asarray(ragged > -0.25)


def _string_pits(depth: Field, box: Box, rng: np.random.Generator, unit: float) -> None:
    """Deepen `depth` in place along one wandering way down the box."""
    way = path(rng, box.height, *(rng.uniform(0.15, 0.85, 2) * box.width), waver=0.05 * box.width, scale=20)
    at, tilt = rng.uniform(0.02, 0.2) * box.height, rng.normal(0.2, 0.35)
    end = rng.uniform(0.6, 0.99) * box.height
    while at < end:
        tall = min(float(np.exp(rng.normal(1.6, 0.5))), 11.0) * unit
        wide = max(min(tall * rng.uniform(0.2, 0.6), 0.2 * box.width), 0.9)
        centre = (at, float(way[int(at)]) + rng.normal(0, 0.04 * box.width))
        tilted = tilt + rng.normal(0, 0.2)
        np.maximum(depth, blob(rng, _shape(box), centre, (tall, wide), rough=0.25, tilt=tilted), out=depth)
        at += tall * rng.uniform(0.6, 3.0)


def _flecked_column(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """An upright track of bright flecks, dense or sparse."""
    shape = _shape(box)
    half = min(0.36 * box.width, rng.uniform(2.5, 14)) * fading_ends(canvas, box, 0.1)
    track = column_stroke(shape, _way(box, rng, 2.5), half, float(half.max()) + 1)
    flecks = speckle(rng, shape, (rng.uniform(0.7, 1.8), rng.uniform(0.6, 1.2)), rng.uniform(-0.3, 1.2))
    canvas.add(box, track * flecks * np.float32(rng.uniform(50, 170)))
    canvas.darken(box, track * speckle(rng, shape, (1.5, 0.9), 0.8) * np.float32(rng.uniform(0.1, 0.5)))
    return np.asarray(track > 0.4)


def _slug(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """One long dark drop-shaped flake with a flecked core."""
    shape = _shape(box)
    radii = (0.46 * box.height, min(0.36 * box.width, 0.3 * box.height))
    body = blob(rng, shape, (box.height / 2, box.width / 2), radii, rough=0.1, tilt=rng.normal(0, 0.04))
    body = body + np.float32(0.12) * fine_noise(rng, shape, (3, 1.2))
    inside = ramp(body, 0.25)
    canvas.darken(box, inside * np.float32(rng.uniform(0.3, 0.65)))
    rim = np.maximum(1 - np.abs(body - 0.05) / 0.2, 0)
    canvas.darken(box, rim * np.float32(rng.uniform(0.1, 0.5)))
    core = inside * speckle(rng, shape, (2.5, 1.2), rng.uniform(-0.4, 1.4)) * ramp(body - 0.2, 0.4)
    canvas.add(box, core * np.float32(rng.uniform(40, 180)))
    return np.asarray(body > 0)


SCRATCH_STYLES: dict[str, Callable[[Canvas, Box, np.random.Generator], Mask]] = {
    "dark_line": _dark_line,
    "bright_line": _bright_line,
    "torn_streak": _torn_streak,
    "flaking": _flaking,
    "bright_strip": _bright_strip,
    "slivers": _slivers,
    "flecked_column": _flecked_column,
    "slug": _slug,
}
