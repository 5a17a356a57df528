"""Small marks on sound steel: dots, rings, faint lines, dashes, smudges. Defective sheets have them too.

They keep a network from calling every departure from plain steel a defect.
"""

from __future__ import annotations

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas, blob, column_stroke, path, speckle
from steelsight.sheets.synthetic.drawing.fields import Px, fine_noise, ramp, smooth_line, smooth_noise
from steelsight.sheets.synthetic.drawing.layout import Box

__all__ = ["paint_harmless"]


def paint_harmless(canvas: Canvas, rng: np.random.Generator) -> None:
    """Each kind of mark with its own chance and number."""
    for chance, mark in (
        (0.7, _dots),
        (0.35, _glints),
        (0.15, _rings),
        (0.4, _faint_lines),
        (0.4, _dashes),
        (0.3, _smudges),
        (0.1, _weave),
        (0.12, _hair_scratches),
    ):
        own = np.random.Generator(np.random.SFC64(rng.integers(2**63)))
        if rng.random() < chance:
            mark(canvas, own)


def _somewhere(canvas: Canvas, rng: np.random.Generator, height: Px, width: Px) -> Box:
    rows, columns = canvas.shape
    top, left = (
        int(rng.uniform(-height / 2, rows - height / 2)),
        int(rng.uniform(-width / 2, columns - width / 2)),
    )
    return canvas.clip(Box(top, left, top + max(round(height), 2), left + max(round(width), 2)))


def _shape(box: Box) -> tuple[int, int]:
    return box.height, box.width


def _dots(canvas: Canvas, rng: np.random.Generator) -> None:
    """Dark pin points."""
    for _ in range(int(rng.geometric(0.07))):
        radius = float(np.exp(rng.normal(0.45, 0.5))) * canvas.unit
        box = _somewhere(canvas, rng, 3 * radius + 2, 3 * radius + 2)
        middle = (box.height / 2, box.width / 2)
        deep = blob(rng, _shape(box), middle, (radius * rng.uniform(0.8, 1.4), radius))
        canvas.darken(box, ramp(deep, 0.8) * np.float32(rng.uniform(0.15, 0.6)))


def _glints(canvas: Canvas, rng: np.random.Generator) -> None:
    """Bright pin points, some with a shadow below."""
    shadow = rng.random() < 0.4
    for _ in range(int(rng.geometric(0.08))):
        radius = float(np.exp(rng.normal(0.5, 0.35))) * canvas.unit
        box = _somewhere(canvas, rng, 5 * radius + 3, 4 * radius + 2)
        middle = (box.height / 3, box.width / 2)
        spot = ramp(blob(rng, _shape(box), middle, (radius, radius * rng.uniform(0.8, 2.0))), 0.9)
        canvas.add(box, spot * np.float32(rng.uniform(20, 130)))
        if shadow:
            below = (middle[0] + 1.6 * radius, middle[1])
            canvas.darken(box, ramp(blob(rng, _shape(box), below, (radius, radius)), 0.9) * np.float32(0.4))


def _rings(canvas: Canvas, rng: np.random.Generator) -> None:
    """Dried drops: thin faint rings, several in a loose column."""
    column = rng.uniform(0, canvas.shape[1])
    for _ in range(int(rng.integers(1, 9))):
        radius = rng.uniform(3, 10) * canvas.unit
        spread = 40 if rng.random() < 0.7 else 500
        left = int(column + rng.normal(0, spread * canvas.unit))
        top = int(rng.uniform(0, canvas.shape[0]))
        box = canvas.clip(Box(top, left, top + int(3 * radius), left + int(3 * radius)))
        deep = blob(
            rng, _shape(box), (1.5 * radius, 1.5 * radius), (radius * rng.uniform(1, 1.5), radius), rough=0.12
        )
        ring = np.maximum(1 - np.abs(deep - 0.15) / 0.22, 0)
        canvas.add(box, ring * np.float32(rng.uniform(12, 60)))
        canvas.darken(box, ramp(deep - 0.4, 0.3) * np.float32(rng.uniform(0, 0.15)))


def _faint_lines(canvas: Canvas, rng: np.random.Generator) -> None:
    """Upright lines far weaker than any scratch worth calling a defect."""
    height, width = canvas.shape
    for _ in range(int(rng.integers(1, 9))):
        reach = max(height * min(rng.uniform(0.2, 1.6), 1), 4)
        span = 12
        top, left = int(rng.uniform(0, height - reach + 1)), int(rng.uniform(0, width - span))
        box = canvas.clip(Box(top, left, top + int(reach), left + span))
        lean = rng.normal(0, 1.2)
        centre = path(rng, box.height, 6 - lean, 6 + lean, waver=0.4, scale=60 * canvas.unit)
        line = column_stroke(_shape(box), centre, rng.uniform(0.3, 1.1) * canvas.unit, 1.6)
        along = 0.6 + 0.4 * ramp(smooth_line(rng, box.height, 25 * canvas.unit), 2)[:, None]
        strength = rng.uniform(-0.14, 0.1)
        canvas.gray[box.window] *= 1 + np.float32(strength) * line * along


def _dashes(canvas: Canvas, rng: np.random.Generator) -> None:
    """Short dark upright dashes in a part of the sheet."""
    reach = int(rng.uniform(100, 700) * canvas.unit)
    box = _somewhere(canvas, rng, canvas.shape[0] * rng.uniform(0.4, 1.4), reach)
    shape = _shape(box)
    dashes = fine_noise(rng, shape, (rng.uniform(4, 14) * canvas.unit, rng.uniform(0.7, 1.6)))
    place = smooth_noise(rng, shape, (40 * canvas.unit, 60 * canvas.unit)) * 0.6
    inside = ramp(dashes + place - rng.uniform(1.6, 2.6), 0.8) * _soft_frame(shape)
    canvas.darken(box, inside * np.float32(rng.uniform(0.1, 0.35)))


def _soft_frame(shape: tuple[int, int]) -> np.ndarray:
    rows = np.minimum(np.hanning(shape[0] + 2)[1:-1] * 3, 1).astype(np.float32)
    columns = np.minimum(np.hanning(shape[1] + 2)[1:-1] * 3, 1).astype(np.float32)
    return rows[:, None] * columns[None, :]


def _smudges(canvas: Canvas, rng: np.random.Generator) -> None:
    """Soft dark or light patches."""
    for _ in range(int(rng.integers(1, 6))):
        size = np.exp(rng.normal(3.0, 0.7)) * canvas.unit
        box = _somewhere(canvas, rng, 3 * size * rng.uniform(0.6, 1.8), 3 * size)
        deep = blob(rng, _shape(box), (box.height / 2, box.width / 2), (box.height / 3, box.width / 3))
        texture = 1 + np.float32(0.5) * smooth_noise(rng, _shape(box), (4 * canvas.unit, 3 * canvas.unit))
        canvas.gray[box.window] *= 1 + np.float32(rng.normal(-0.05, 0.08)) * ramp(deep, 0.7) * texture


def _weave(canvas: Canvas, rng: np.random.Generator) -> None:
    """A faint dark plaid print: rows and columns that darken where they cross."""
    box = _somewhere(canvas, rng, rng.uniform(40, 160) * canvas.unit, rng.uniform(60, 240) * canvas.unit)
    shape = _shape(box)
    cloth = fine_noise(rng, shape, (0.8, 12)) + fine_noise(rng, shape, (20, 1.2))
    cloth += smooth_noise(rng, shape, (14 * canvas.unit, 14 * canvas.unit))
    canvas.darken(box, ramp(cloth - 1.4, 1.4) * _soft_frame(shape) * np.float32(rng.uniform(0.1, 0.3)))


def _hair_scratches(canvas: Canvas, rng: np.random.Generator) -> None:
    """A few thin, slightly curved, slanting hairlines with broken brightness."""
    for _ in range(int(rng.integers(1, 6))):
        tall, wide = rng.uniform(10, 70) * canvas.unit, rng.uniform(6, 30) * canvas.unit
        box = _somewhere(canvas, rng, tall, wide)
        start, end = rng.permutation([1.0, box.width - 1.0])
        centre = path(rng, box.height, start, end, waver=1.0, scale=20 * canvas.unit)
        line = column_stroke(_shape(box), centre, 0.5, 1.4)
        canvas.add(box, line * (0.4 + speckle(rng, _shape(box), (1, 1), 0)) * np.float32(rng.uniform(10, 45)))
