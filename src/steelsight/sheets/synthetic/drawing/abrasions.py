"""Type 3, wider than a scratch: bundles of lines, sprays of chips, dark weaves, craters, slanted gouges."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas, blob, path, shade_relief, speckle
from steelsight.sheets.synthetic.drawing.fields import (
    fine_line,
    fine_noise,
    fractal_noise,
    ramp,
    smooth_line,
    smooth_noise,
)
from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.sheets.synthetic.drawing.scratches import SCRATCH_STYLES, fading_ends
from steelsight.types import Mask

__all__ = ["ABRASION_STYLES"]


def _shape(box: Box) -> tuple[int, int]:
    return box.height, box.width


def _bundle(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Several scratches of one kind side by side."""
    extent = np.zeros(_shape(box), bool)
    style = SCRATCH_STYLES[
        str(rng.choice(["dark_line", "bright_line", "torn_streak", "flaking", "bright_strip"]))
    ]
    at = 0
    while at < box.width - 3:
        wide = min(int(rng.uniform(6, 30) * canvas.unit) + 3, box.width - at)
        drop = int(rng.uniform(0, 0.25) * box.height) if box.top > 0 else 0
        lift = (
            int(rng.uniform(0, 0.35) * box.height)
            if box.bottom < canvas.shape[0] or rng.random() < 0.3
            else 0
        )
        part = Box(
            box.top + drop, box.left + at, max(box.bottom - lift, box.top + drop + 3), box.left + at + wide
        )
        extent[drop : drop + part.height, at : at + wide] |= style(canvas, part, rng)
        at += wide + int(rng.exponential(0.12 * box.width + 4))
    return extent


def _ellipse(box: Box, rng: np.random.Generator, rough: float = 0.15) -> np.ndarray:
    middle = (box.height / 2, box.width / 2)
    return blob(rng, _shape(box), middle, (0.5 * box.height, 0.5 * box.width), rough=rough)


def _spray(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Scattered bright chips with short shadows, denser in the middle."""
    shape = _shape(box)
    place = np.minimum(_ellipse(box, rng), 0.5) + np.float32(0.25) * smooth_noise(rng, shape, (18, 26))
    sigma = (rng.uniform(0.9, 3.2) * canvas.unit, rng.uniform(0.9, 2.4) * canvas.unit)
    chips = fine_noise(rng, shape, sigma) + np.float32(1.5) * place - np.float32(rng.uniform(2.0, 3.1))
    bright = ramp(chips, 0.4)
    shadow = np.roll(bright, (int(rng.integers(1, 4)), int(rng.integers(-2, 3))), axis=(0, 1))
    canvas.darken(box, shadow * np.float32(rng.uniform(0.2, 0.7)))
    ground = ramp(place, 0.5) * ramp(fine_noise(rng, shape, (1, 1.6)) - 0.8, 1)
    canvas.darken(box, ground * np.float32(rng.uniform(0.1, 0.4)))
    canvas.cover(box, bright, float(min(canvas.level(box) + rng.uniform(70, 180), 262)))
    return np.asarray(place > 0.1)


def _weave(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A dark plaid: scale torn out along rows and columns."""
    shape = _shape(box)
    rows = fine_noise(rng, shape, (rng.uniform(0.6, 1.2), rng.uniform(8, 25)))
    columns = fine_noise(rng, shape, (rng.uniform(10, 40), rng.uniform(0.8, 3)))
    cloth = np.float32(0.6) * rows + columns + smooth_noise(rng, shape, (20, 14))
    cloth += np.float32(0.7) * fine_noise(rng, shape, (0.8, 0.8))
    place = np.minimum(1.4 * _ellipse(box, rng), 1.0)
    dark = ramp(cloth + np.float32(1.7) * place - np.float32(rng.uniform(1.6, 2.5)), 1.2)
    canvas.darken(box, dark * np.float32(rng.uniform(0.3, 0.72)))
    if rng.random() < 0.4:
        flecks = speckle(rng, shape, (1.2, 0.8), 1.7) * dark
        canvas.add(box, flecks * np.float32(rng.uniform(60, 200)))
    return np.asarray(place > 0.05)


def _crater(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A round scar, rough inside, flecked bright and dark."""
    shape = _shape(box)
    body = _ellipse(box, rng, 0.2) - np.float32(0.1)
    inside = ramp(body, 0.4)
    relief = fractal_noise(rng, shape, (10, 9), octaves=4, fall=0.8) * inside * np.float32(2)
    shade = shade_relief(
        np.asarray(relief, np.float32), (float(rng.choice([-1, 1])), float(rng.normal(0, 0.5)))
    )
    canvas.gray[box.window] *= np.clip(1 + shade * np.float32(rng.uniform(0.3, 0.8)), 0.25, 2.2)
    canvas.add(
        box,
        speckle(rng, shape, (1.2, 1.0), rng.uniform(0.4, 1.4)) * inside * np.float32(rng.uniform(40, 160)),
    )
    canvas.darken(box, inside * np.float32(rng.uniform(-0.15, 0.35)))
    return np.asarray(body > 0)


def _gouge(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Slanted parallel grooves across the box, dark with bright, broken ridges."""
    shape = _shape(box)
    ends = (0.15, 0.85) if rng.random() < 0.5 else (0.85, 0.15)
    way = path(rng, box.width, ends[0] * box.height, ends[1] * box.height, waver=0.03 * box.height, scale=120)
    y = np.arange(box.height, dtype=np.float32)[:, None]
    off = y - way[None, :]
    reach = 0.13 * box.height * (1 + np.float32(0.3) * smooth_line(rng, box.width, 60))[None, :]
    inside = ramp(reach - np.abs(off), 3)
    grooves = np.interp(off.ravel(), np.arange(-box.height, box.height), fine_line(rng, 2 * box.height, 1.6))
    grooves = grooves.reshape(shape).astype(np.float32) + np.float32(0.6) * fine_noise(rng, shape, (0.8, 7))
    canvas.darken(box, ramp(-grooves - 0.2, 1) * inside * np.float32(rng.uniform(0.2, 0.55)))
    bright = ramp(grooves - 0.8, 0.8) * inside * ramp(smooth_line(rng, box.width, 50) + 0.2, 1.5)[None, :]
    canvas.add(box, bright * np.float32(rng.uniform(40, 170)))
    return np.asarray(inside > 0.3)


def _torn_edge(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Short, bright, nearly level tears, as left beside a sheet end."""
    shape = _shape(box)
    tears = fine_noise(rng, shape, (rng.uniform(0.9, 2.0), rng.uniform(2.5, 7)))
    place = np.minimum(_ellipse(box, rng, 0.25), 0.5)
    bright = ramp(tears + 2 * place - np.float32(rng.uniform(1.9, 2.6)), 0.8)
    bright = bright * ramp(fine_noise(rng, shape, (0.8, 1.2)) + rng.uniform(0.5, 1.6), 1.2)
    canvas.darken(box, np.roll(bright, 2, axis=0) * np.float32(rng.uniform(0.1, 0.5)))
    canvas.cover(box, bright, float(min(canvas.level(box) + rng.uniform(50, 170), 262)))
    return np.asarray(place > 0.05)


def _scuffs(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Many short dark upright dashes that belong together."""
    shape = _shape(box)
    dashes = fine_noise(rng, shape, (rng.uniform(6, 22) * canvas.unit, rng.uniform(0.8, 2.0)))
    place = np.minimum(_ellipse(box, rng), 0.6)
    dark = ramp(dashes + np.float32(1.6) * place - np.float32(rng.uniform(1.2, 2.0)), 1.1)
    dark = dark * ramp(fine_noise(rng, shape, (1.5, 0.7)) + rng.uniform(0.4, 1.5), 1.6)
    dark = dark * fading_ends(canvas, box, 0.2)[:, None]
    canvas.darken(box, dark * np.float32(rng.uniform(0.3, 0.65)))
    return np.asarray((place > 0.05) & (smooth_noise(rng, shape, (20, 20)) > -2))


ABRASION_STYLES: dict[str, Callable[[Canvas, Box, np.random.Generator], Mask]] = {
    "bundle": _bundle,
    "spray": _spray,
    "weave": _weave,
    "crater": _crater,
    "gouge": _gouge,
    "torn_edge": _torn_edge,
    "scuffs": _scuffs,
}
