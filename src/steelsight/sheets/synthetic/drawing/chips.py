"""Type 1, small chips: pits, glints, scabs, notches, bumps, nicks and scars; mostly near sheet ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas, blob, path, shade_relief, speckle
from steelsight.sheets.synthetic.drawing.fields import Field, fine_noise, fractal_noise, ramp
from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.types import Mask

__all__ = ["CHIP_STYLES", "paint_chip"]


def paint_chip(canvas: Canvas, box: Box, rng: np.random.Generator, style: str) -> Mask:
    """Paint one type 1 defect inside a box; returns its true extent there, (h, w) of the box."""
    if box.height > 3.2 * box.width and style != "scab":
        return _chain(canvas, box, rng, style)
    return CHIP_STYLES[style](canvas, box, rng)


def _chain(canvas: Canvas, box: Box, rng: np.random.Generator, style: str) -> Mask:
    """Several chips one above the other, with worn steel between."""
    extent = np.zeros((box.height, box.width), bool)
    worn = _worn_streak(canvas, box, rng)
    top = 0
    while top < box.height - 6:
        tall = min(int(box.width * rng.uniform(0.8, 2.0)), box.height - top)
        if tall >= 5:
            part = Box(box.top + top, box.left, box.top + top + tall, box.right)
            extent[top : top + tall] |= CHIP_STYLES[style](canvas, part, rng)
        top += int(tall * rng.uniform(0.8, 2.2)) + 2
    return np.asarray(extent | worn)


def _worn_streak(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    shape = (box.height, box.width)
    middle = path(rng, box.height, box.width / 2, box.width / 2, waver=1.5, scale=40)[:, None]
    x = np.arange(box.width, dtype=np.float32)[None, :]
    streak = ramp(box.width * 0.22 - np.abs(x - middle), 3) * ramp(
        fractal_noise(rng, shape, (16, 4), octaves=3) + 0.3, 1
    )
    canvas.darken(box, streak * np.float32(rng.uniform(0.05, 0.35)))
    return np.asarray(streak > 0.5)


def _body(box: Box, rng: np.random.Generator, *, share: float = 0.42, rough: float = 0.16) -> Field:
    """An upright irregular ellipse that fills most of the box: depth, positive inside."""
    radii = (max(box.height * share, 1.5), max(box.width * share * rng.uniform(0.6, 1.0), 1.2))
    centre = (box.height / 2, box.width / 2 + rng.normal(0, 0.04 * box.width))
    return blob(rng, (box.height, box.width), centre, radii, rough=rough, tilt=rng.normal(0, 0.12))


def _pit(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A dark upright pit with a lit lip and flecks inside."""
    body = _body(box, rng) + np.float32(0.2) * fine_noise(rng, (box.height, box.width), (2.0, 1.2))
    strength = np.clip(np.exp(rng.normal(-1.0, 0.5)), 0.1, 0.8)
    inside = ramp(body, 0.3)
    canvas.darken(box, inside * ramp(fine_noise(rng, body.shape, (3, 1.2)) + 1.0, 1.4) * np.float32(strength))
    lip = shade_relief(np.minimum(body, 0.5), _lamp(rng)) * min(box.height, box.width)
    canvas.add(box, np.clip(lip, -0.5, 1) * np.float32(rng.uniform(5, 30)) * ramp(body + 0.4, 0.3))
    flecks = speckle(rng, body.shape, (1.4, 0.9), rng.uniform(0.8, 1.8)) * inside
    canvas.add(box, flecks * np.float32(rng.uniform(30, 150)))
    return np.asarray(body > 0)


def _lamp(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)), float(rng.normal(0, 0.6))


def _glint(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Bright flakes in an upright cluster, with thin shadows."""
    body = _body(box, rng)
    shape = body.shape
    flakes = fine_noise(rng, shape, (rng.uniform(1.6, 4), rng.uniform(0.9, 1.8))) + np.float32(
        1.4
    ) * np.minimum(body, 0.6)
    inside = ramp(body + 0.1, 0.4)
    bright = ramp(flakes - rng.uniform(0.9, 1.7), 0.6) * inside
    dark = ramp(-fine_noise(rng, shape, (3, 1.1)) - rng.uniform(0.3, 1.2), 0.8) * inside
    canvas.darken(box, dark * np.float32(rng.uniform(0.2, 0.6)))
    level = np.float32(min(canvas.level(box) + np.exp(rng.normal(4.2, 0.5)), 260))
    metal = level * (1 + np.float32(0.12) * fine_noise(rng, shape, (1, 1)))
    canvas.cover(box, bright * np.float32(rng.uniform(0.5, 1)), metal)
    return np.asarray(body > 0.02)


def _scab(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Rough, low-contrast relief: a healed-over pit."""
    body = _body(box, rng, share=0.45)
    relief = fractal_noise(rng, body.shape, (9, 6), octaves=4, fall=0.7) * ramp(body, 0.5)
    shade = shade_relief(relief, _lamp(rng))
    canvas.gray[box.window] *= np.clip(1 + np.float32(rng.uniform(0.25, 0.8)) * shade, 0.2, 1.9)
    canvas.darken(box, ramp(body, 0.6) * np.float32(rng.uniform(-0.08, 0.25)))
    if rng.random() < 0.6:
        rim = np.maximum(1 - np.abs(body - 0.04) / 0.13, 0) * ramp(
            fine_noise(rng, body.shape, (3, 3)) + 0.4, 1
        )
        canvas.darken(box, rim * np.float32(rng.uniform(0.2, 0.55)))
    return np.asarray(body > 0)


def _notch(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A flat dark flake with a black crack and a bright torn edge below it."""
    body = _body(box, rng, rough=0.3)
    y = np.linspace(-1, 1, box.height, dtype=np.float32)[:, None]
    flake = ramp(body, 0.15) * ramp(0.35 - y + np.float32(0.2) * fine_noise(rng, body.shape, (1, 4)), 0.2)
    canvas.darken(box, flake * np.float32(rng.uniform(0.25, 0.6)))
    line = fractal_noise(rng, body.shape, (7, 7), octaves=2)
    canvas.darken(box, np.maximum(1 - np.abs(line) / 0.25, 0) * flake * np.float32(0.75))
    torn = ramp(body, 0.3) * (1 - flake) * speckle(rng, body.shape, (1, 1.5), rng.uniform(-0.3, 0.6))
    canvas.add(box, torn * np.float32(rng.uniform(20, 120)))
    return np.asarray(body > 0)


def _bumps(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """Many small lumps, each lit on one side and in shadow on the other."""
    body = _body(box, rng, rough=0.25)
    size = rng.uniform(1.2, 3.2)
    lumps = np.maximum(fine_noise(rng, body.shape, (size, size)) - 0.4, 0) * ramp(body, 0.5)
    shade = shade_relief(np.asarray(lumps, np.float32), _lamp(rng))
    canvas.darken(box, ramp(body, 0.6) * np.float32(rng.uniform(0.0, 0.4)))
    canvas.add(box, np.clip(shade * size, -0.6, 1.6) * np.float32(rng.uniform(50, 200)))
    return np.asarray(body > 0)


def _nick(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """One short, bent, bright stroke: metal turned up."""
    shape = (box.height, box.width)
    first = rng.uniform(0.15, 0.85, 2) * shape[1]
    bend = path(
        rng,
        box.height,
        float(first[0]),
        float(first[1]),
        waver=0.12 * box.width,
        scale=max(box.height / 3, 3),
    )
    x = np.arange(box.width, dtype=np.float32)[None, :]
    swell = (
        np.float32(rng.uniform(1.0, 2.8))
        * (0.35 + np.hanning(box.height + 2)[1:-1].astype(np.float32))[:, None]
    )
    stroke = (
        ramp(swell - np.abs(x - bend[:, None]), 1.6)
        * np.minimum(np.hanning(box.height + 2)[1:-1] * 5, 1)[:, None]
    )
    stroke = (stroke * ramp(fine_noise(rng, shape, (2, 1)) + 1.3, 0.8)).astype(np.float32)
    canvas.darken(box, np.roll(stroke, (1, 2), (0, 1)) * np.float32(rng.uniform(0, 0.6)))
    canvas.cover(box, stroke, float(min(canvas.level(box) + rng.uniform(50, 160), 262)))
    return np.asarray(stroke > 0.3)


def _teardrop(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A pit seen only by its faint dark outline and a darker tip."""
    body = _body(box, rng, share=0.4, rough=0.1)
    y = np.linspace(-1, 1, box.height, dtype=np.float32)[:, None] * np.float32(rng.choice([-1, 1]))
    body = body - np.float32(0.25) * np.maximum(-y, 0)  # one end pointed
    line = np.maximum(1 - np.abs(body - 0.08) / np.float32(max(2.4 / max(box.width, 4), 0.06)), 0)
    canvas.darken(box, np.clip(line, 0, 1) * np.float32(rng.uniform(0.15, 0.5)) * ramp(y + 0.9, 1.5))
    canvas.darken(box, ramp(body, 0.3) * np.float32(rng.uniform(-0.06, 0.14)))
    canvas.darken(box, ramp(body, 0.3) * ramp(y - 0.55, 0.4) * np.float32(rng.uniform(0.2, 0.6)))
    canvas.add(
        box, speckle(rng, body.shape, (2, 0.8), 1.3) * ramp(body, 0.3) * np.float32(rng.uniform(0, 80))
    )
    return np.asarray(body > 0)


def _scar(canvas: Canvas, box: Box, rng: np.random.Generator) -> Mask:
    """A light, mottled upright patch with a dark flank: the skin is gone, the metal shows."""
    body = _body(box, rng, rough=0.2) + np.float32(0.15) * fine_noise(rng, (box.height, box.width), (6, 1.2))
    inside = ramp(body, 0.35)
    mottle = fine_noise(rng, body.shape, (rng.uniform(2, 6), 1.2))
    light = inside * (1 + np.float32(0.7) * mottle) * np.float32(rng.uniform(0.08, 0.4))
    canvas.gray[box.window] *= np.clip(1 + light, 0.4, 2.0)
    side = int(rng.choice([-1, 1])) * max(round(0.2 * box.width), 2)
    flank = np.clip(np.roll(inside, side, axis=1) - inside, 0, 1) * ramp(mottle + 1, 1.5)
    canvas.darken(box, flank * np.float32(rng.uniform(0.1, 0.5)))
    flecks = speckle(rng, body.shape, (1.6, 0.8), rng.uniform(1.0, 2.0)) * inside
    canvas.add(box, flecks * np.float32(rng.uniform(30, 140)))
    return np.asarray(body > 0)


CHIP_STYLES: dict[str, Callable[[Canvas, Box, np.random.Generator], Mask]] = {
    "pit": _pit,
    "glint": _glint,
    "scab": _scab,
    "notch": _notch,
    "bumps": _bumps,
    "nick": _nick,
    "teardrop": _teardrop,
    "scar": _scar,
}
