"""Type 4, large patches: rolled-in folds, peeled panels and torn skins, rough and shaded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steelsight.sheets.synthetic.canvas import Canvas, blob, shade_relief, speckle
from steelsight.sheets.synthetic.fields import Field, fine_noise, fractal_noise, ramp, smooth_noise
from steelsight.sheets.synthetic.layout import Box
from steelsight.types import Mask

__all__ = ["PATCH_STYLES", "paint_patch"]


def paint_patch(canvas: Canvas, box: Box, rng: np.random.Generator, style: str) -> Mask:
    """Paint one type 4 defect inside a box; returns its true extent there, (h, w) of the box."""
    depth = _outline(box, rng)
    PATCH_STYLES[style](canvas, box, rng, depth)
    if rng.random() < 0.45:
        _loose_flecks(canvas, box, rng, depth)
    return np.asarray(depth > 0)


def _outline(box: Box, rng: np.random.Generator) -> Field:
    """A ragged shape that fills the box, angular or round: depth in shares of the half size, positive inside."""
    shape = (box.height, box.width)
    y = np.linspace(-1, 1, box.height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, box.width, dtype=np.float32)[None, :]
    x = x + np.float32(rng.normal(0, 0.12)) * y
    power = rng.choice([2.0, 3.0, 6.0])
    round_shape = 1 - (np.abs(x) ** power + np.abs(y) ** power) ** np.float32(1 / power)
    size = max(min(box.height, box.width) / 2.5, 4)
    ragged = fractal_noise(rng, shape, (size, size * 1.2), octaves=5, fall=0.6)
    return np.asarray(round_shape - 0.02 + np.float32(rng.uniform(0.06, 0.16)) * ragged, np.float32)


def _folds(canvas: Canvas, box: Box, rng: np.random.Generator, depth: Field) -> None:
    """Thick tongues of metal folded over and rolled in: strong shading, dark seams at every step."""
    shape = depth.shape
    size = rng.uniform(26, 60) * canvas.unit
    warp = fractal_noise(rng, shape, (size, size * rng.uniform(1.2, 2.6)), octaves=5, fall=0.52)
    tongues = np.abs(np.mod(warp * rng.uniform(0.7, 1.3) + 0.5, 1.0) - 0.5) * 2  # ridges between seams
    relief = np.sqrt(tongues) * 6 + fractal_noise(rng, shape, (9, 11), octaves=4, fall=0.75) * rng.uniform(
        0.6, 1.4
    )
    inside = ramp(depth, 0.06)
    shade = shade_relief(np.asarray(relief * canvas.unit, np.float32), _lamp(rng))
    canvas.gray[box.window] *= 1 + inside * np.clip(shade * np.float32(rng.uniform(0.25, 0.5)), -0.75, 1.3)
    seams = np.maximum(1 - tongues / 0.16, 0) * inside
    canvas.darken(box, seams * np.float32(rng.uniform(0.4, 0.8)))
    _edge(canvas, box, rng, depth)


def _lamp(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.choice([-1, 1]) * rng.uniform(0.6, 1.0)), float(rng.normal(0, 0.5))


def _panel(canvas: Canvas, box: Box, rng: np.random.Generator, depth: Field) -> None:
    """A peeled panel: another tone with its own streaks, ragged dark edges, black cracks inside."""
    shape = depth.shape
    inside = ramp(depth, 0.05)
    tone = np.clip(rng.normal(-0.14, 0.2), -0.5, 0.35)
    streaks = fine_noise(rng, shape, (rng.uniform(1, 9), rng.uniform(0.8, 4)))
    mottle = fractal_noise(rng, shape, (18, 14), octaves=3)
    own = tone + 0.07 * streaks + np.float32(rng.uniform(0.03, 0.12)) * mottle
    canvas.gray[box.window] *= np.maximum(1 + inside * own, 0.1)
    _edge(canvas, box, rng, depth)
    for _ in range(int(rng.integers(0, 5))):
        _inner_crack(canvas, box, rng, inside)


def _inner_crack(canvas: Canvas, box: Box, rng: np.random.Generator, inside: Field) -> None:
    """A jagged black crack across part of the panel, lit along one flank."""
    length = int(box.width * rng.uniform(0.2, 0.8))
    if length < 8:
        return
    left = int(rng.integers(0, box.width - length + 1))
    y = np.arange(box.height, dtype=np.float32)[:, None]
    middle = rng.uniform(0.1, 0.9) * box.height + rng.normal(0, 0.12) * np.arange(length, dtype=np.float32)
    way = middle + 3.5 * canvas.unit * fractal_noise(rng, (1, length), (1, 14), octaves=4, fall=0.7)[0]
    thick = np.maximum(
        np.float32(rng.uniform(0.6, 2.2)) * (0.7 + 0.6 * fractal_noise(rng, (1, length), (1, 9))[0]), 0.0
    )
    alpha = np.zeros_like(inside)
    alpha[:, left : left + length] = ramp(thick[None, :] - np.abs(y - way[None, :].astype(np.float32)), 1.3)
    alpha *= inside
    canvas.darken(box, alpha * np.float32(rng.uniform(0.5, 0.85)))
    canvas.add(
        box, np.roll(alpha, int(rng.choice([-2, 2])), axis=0) * (1 - alpha) * np.float32(rng.uniform(5, 45))
    )


def _edge(canvas: Canvas, box: Box, rng: np.random.Generator, depth: Field) -> None:
    """The step at the outline: dark on the shadow side, bright on the other, broken."""
    small = max(min(depth.shape) / 2, 1)
    step = shade_relief(np.asarray(ramp(depth, 0.05 + 3 / small), np.float32), _lamp(rng))
    broken = ramp(smooth_noise(rng, (depth.shape[0], depth.shape[1]), (12, 16)) + rng.uniform(-0.3, 1.2), 1.0)
    canvas.gray[box.window] *= np.clip(1 + step * broken * np.float32(rng.uniform(1.2, 3.5)), 0.15, 2.3)


def _skin(canvas: Canvas, box: Box, rng: np.random.Generator, depth: Field) -> None:
    """A torn skin: rough grain in low relief, flakes of both tones."""
    shape = depth.shape
    inside = ramp(depth, 0.15)
    relief = fractal_noise(rng, shape, (20, 16), octaves=5, fall=0.8) * np.float32(2.2)
    shade = shade_relief(np.asarray(relief, np.float32), _lamp(rng))
    canvas.gray[box.window] *= 1 + inside * np.clip(shade * np.float32(rng.uniform(0.2, 0.55)), -0.6, 0.9)
    flakes = fractal_noise(rng, shape, (13, 9), octaves=4, fall=0.7)
    canvas.darken(
        box, ramp(flakes - rng.uniform(0.5, 1.3), 0.25) * inside * np.float32(rng.uniform(0.2, 0.5))
    )
    _edge(canvas, box, rng, depth)


def _window(canvas: Canvas, box: Box, rng: np.random.Generator, depth: Field) -> None:
    """A panel within a ring of folds: smooth inside, rough around."""
    shape = depth.shape
    hole = blob(
        rng, (shape[0], shape[1]), (shape[0] / 2, shape[1] / 2), (0.34 * shape[0], 0.34 * shape[1]), rough=0.2
    )
    before = canvas.gray[box.window].copy()
    _folds(canvas, box, rng, depth)
    calm = ramp(hole, 0.12)
    canvas.gray[box.window] += calm * (before * np.float32(rng.uniform(0.75, 1.15)) - canvas.gray[box.window])
    _edge(canvas, box, rng, np.asarray(-hole, np.float32))


def _loose_flecks(canvas: Canvas, box: Box, rng: np.random.Generator, depth: Field) -> None:
    """Bright scale along the outline."""
    near = np.exp(-((depth / 0.12) ** 2))
    flecks = speckle(rng, (depth.shape[0], depth.shape[1]), (1.4, 0.9), rng.uniform(1.2, 2.0)) * near
    canvas.add(box, np.asarray(flecks * rng.uniform(60, 200), np.float32))


PATCH_STYLES: dict[str, Callable[[Canvas, Box, np.random.Generator, Field], None]] = {
    "folds": _folds,
    "panel": _panel,
    "skin": _skin,
    "window": _window,
}
