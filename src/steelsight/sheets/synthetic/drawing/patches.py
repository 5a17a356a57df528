"""Type 4, large patches: rolled-in folds, peeled panels and torn skins, rough and shaded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from steelsight.sheets.synthetic.drawing.canvas import Canvas, blob, grid, shade_relief, speckle
from steelsight.sheets.synthetic.drawing.fields import Field, fine_noise, fractal_noise, ramp, smooth_noise
from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.types import Mask

__all__ = ["PATCH_STYLES", "paint_patch"]


def paint_patch(canvas: Canvas, box: Box, rng: np.random.Generator, style: str) -> Mask:
    """Paint one type 4 defect inside a box; returns its true extent there, (h, w) of the box."""
    depth = _outline(canvas, box, rng)
    PATCH_STYLES[style](canvas, box, rng, depth)
    if rng.random() < 0.3:
        _loose_flecks(canvas, box, rng, depth)
    return np.asarray(depth > 0)


def _outline(canvas: Canvas, box: Box, rng: np.random.Generator) -> Field:
    """A ragged shape that fills the box, of one piece or grown together; positive inside."""
    shape = (box.height, box.width)
    lobes = [_lobe(rng, shape, (0.0, 0.0), (1.0, 1.0))]
    if rng.random() < 0.6:
        for _ in range(int(rng.integers(1, 4))):
            across, down = rng.uniform(-0.5, 0.5, 2)
            lobes.append(_lobe(rng, shape, (down, across), (1 - abs(down), 1 - abs(across))))
        lobes[0] = _lobe(rng, shape, (0.0, 0.0), (rng.uniform(0.4, 0.9), rng.uniform(0.5, 1.0)))
    size = max(min(box.height, box.width) / rng.uniform(1.2, 2.5), 4)
    ragged = fractal_noise(rng, shape, (size, size * 1.2), octaves=6, fall=rng.uniform(0.5, 0.68))
    depth = np.max(lobes, axis=0) + np.float32(rng.uniform(0.08, 0.22)) * (ragged - np.float32(0.3))
    return np.asarray(np.minimum(depth, _room(canvas, box) + np.float32(0.55) * ragged), np.float32)


def _room(canvas: Canvas, box: Box) -> Field:
    """Keeps a patch from ending in a straight cut at its box, except where the box meets the border."""
    y, x = grid((box.height, box.width))
    soft = np.float32(max(min(box.height, box.width) / 5, 2))
    far = np.float32(1e3)
    up = y if box.top > 0 else far
    down = box.height - 1 - y if box.bottom < canvas.shape[0] else far
    left = x if box.left > 0 else far
    right = box.width - 1 - x if box.right < canvas.shape[1] else far
    nearest = np.minimum(np.minimum(up, down), np.minimum(left, right))
    return np.asarray(np.broadcast_to(nearest / soft - 0.15, (box.height, box.width)), np.float32)


def _lobe(
    rng: np.random.Generator, shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float]
) -> Field:
    """A leaning shape between ellipse and rectangle, in a frame from -1 to 1."""
    y = (np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None] - np.float32(centre[0])) / np.float32(
        radii[0]
    )
    x = (np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :] - np.float32(centre[1])) / np.float32(
        radii[1]
    )
    x = x + np.float32(rng.normal(0, 0.22)) * y
    power = np.float32(rng.choice([2.0, 2.5, 4.0]))
    return np.asarray(1 - (np.abs(x) ** power + np.abs(y) ** power) ** (1 / power), np.float32)


def _folds(canvas: Canvas, box: Box, rng: np.random.Generator, depth: Field) -> None:
    """Thick tongues of metal folded over and rolled in: broad lit flanks, dark seams, rock-like grain."""
    inside = ramp(depth, 0.06)
    relief, seams = _tongues(rng, depth, canvas.unit)
    rock = fractal_noise(rng, relief.shape, (14, 18), octaves=5, fall=0.72) * np.float32(
        rng.uniform(0.8, 2.0)
    )
    lamp = _lamp(rng)
    broad = shade_relief(np.asarray(ndimage.gaussian_filter(relief, 1.2), np.float32), lamp)
    shade = np.tanh(broad * np.float32(rng.uniform(0.7, 1.3))) + np.float32(0.4) * shade_relief(rock, lamp)
    tone = np.float32(rng.normal(-0.05, 0.14))
    canvas.gray[box.window] *= 1 + inside * np.clip(
        shade * np.float32(rng.uniform(0.35, 0.75)) + tone, -0.8, 1.4
    )
    canvas.darken(box, seams * inside * np.float32(rng.uniform(0.3, 0.75)))
    _edge(canvas, box, rng, depth)


def _tongues(rng: np.random.Generator, depth: Field, unit: float) -> tuple[Field, Field]:
    """Overlapping domes, the latest on top, and the seams where one ends on another; heights in pixels."""
    shape = (depth.shape[0], depth.shape[1])
    relief, seams = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    area = shape[0] * shape[1] / unit**2
    warp = fractal_noise(rng, shape, (28 * unit, 36 * unit), octaves=5, fall=0.55) * np.float32(0.3)
    slant = rng.normal(0, 0.35)
    for number in range(int(np.clip(area / rng.uniform(900, 2600), 2, 24))):
        centre = (rng.uniform(0, shape[0]), rng.uniform(0, shape[1]))
        thick = min(rng.uniform(9, 26) * unit, 0.45 * shape[0])
        long = thick * rng.uniform(1.4, 5)
        tongue = blob(rng, shape, centre, (thick, long), rough=0.12, tilt=slant + rng.normal(0, 0.25)) + warp
        dome = np.sqrt(np.clip(tongue, 0, 1)) * np.float32(0.7 * thick)
        on = tongue > 0
        relief = np.where(on, dome + np.float32(0.2 * number), relief)
        seams = np.where(on, np.maximum(1 - tongue * np.float32(thick / (2.5 * unit)), 0), seams)
    return np.asarray(relief, np.float32), np.asarray(seams, np.float32)


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
    _edge(canvas, box, rng, -hole)


def _loose_flecks(canvas: Canvas, box: Box, rng: np.random.Generator, depth: Field) -> None:
    """Bright scale along the outline."""
    near = np.exp(-((depth / 0.12) ** 2))
    flecks = speckle(rng, (depth.shape[0], depth.shape[1]), (1.4, 0.9), rng.uniform(1.2, 2.0)) * near
    canvas.add(box, flecks * rng.uniform(60, 200))


PATCH_STYLES: dict[str, Callable[[Canvas, Box, np.random.Generator, Field], None]] = {
    "folds": _folds,
    "panel": _panel,
    "skin": _skin,
    "window": _window,
}
