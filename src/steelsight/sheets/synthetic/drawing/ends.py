"""The black beyond a sheet's end, its rim, and the strip of worn steel along it."""

from __future__ import annotations

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas, column_stroke, path, speckle
from steelsight.sheets.synthetic.drawing.fields import fine_line, fine_noise, ramp, smooth_line, smooth_noise
from steelsight.sheets.synthetic.drawing.layout import Box, End

__all__ = ["paint_end", "paint_worn_strip"]


def paint_worn_strip(canvas: Canvas, end: End, rng: np.random.Generator) -> None:
    """Steel near the end: darker or brighter upright bands, often rippled; under the defects."""
    if end.side == "none":
        return
    height, width = canvas.shape
    reach = min(round(rng.uniform(30, 220) * canvas.unit), width - end.width_px)
    box = _beside(end, canvas.shape, reach)
    depth = np.linspace(1, 0, reach, dtype=np.float32)  # from the end inwards
    bands = fine_line(rng, reach, rng.uniform(1.5, 8)) * np.float32(rng.uniform(0.03, 0.13)) * depth
    tone = bands + np.float32(rng.normal(-0.03, 0.1)) * depth**2
    tone = tone if end.side == "left" else tone[::-1]
    lean = np.float32(0.5) * smooth_noise(rng, (height, reach), (60 * canvas.unit, 40 * canvas.unit)) + 1
    canvas.gray[box.window] *= np.maximum(1 + tone[None, :] * lean, 0.3)
    if rng.random() < 0.35:
        _ripple_strip(canvas, end, rng)


def _ripple_strip(canvas: Canvas, end: End, rng: np.random.Generator) -> None:
    """A narrow strip of short bright cross ripples beside the end."""
    height, width = canvas.shape
    reach = min(round(rng.uniform(15, 60) * canvas.unit), width - end.width_px)
    box = _beside(end, canvas.shape, reach)
    shape = (height, reach)
    waves = fine_noise(rng, shape, (rng.uniform(0.9, 1.6), rng.uniform(3, 8)))
    fade = np.hanning(reach + 2)[1:-1].astype(np.float32)[None, :] * (
        0.6 + 0.4 * ramp(smooth_line(rng, height, 50 * canvas.unit), 2)[:, None]
    )
    canvas.gray[box.window] *= 1 + np.float32(rng.uniform(0.1, 0.35)) * np.maximum(waves, -1) * fade


def _beside(end: End, shape: tuple[int, int], reach: int) -> Box:
    height, width = shape
    if end.side == "left":
        return Box(0, end.width_px, height, end.width_px + reach)
    return Box(0, width - end.width_px - reach, height, width - end.width_px)


def paint_end(canvas: Canvas, end: End, rng: np.random.Generator) -> None:
    """Black out what lies beyond the end; covers everything painted before, as the empty table would."""
    if end.side == "none":
        return
    gray = canvas.gray if end.side == "left" else canvas.gray[:, ::-1]  # painted as a left end
    height, width = canvas.shape
    unit = canvas.unit
    lean = rng.normal(0, 2.0) * unit
    edge = end.width_px + path(rng, height, -lean, lean, waver=0.6 * unit, scale=50 * unit)
    x = np.arange(width, dtype=np.float32)[None, :]
    rim_px = round(rng.choice([0, rng.uniform(3, 22)], p=[0.3, 0.7]) * unit)
    inside = x - edge[:, None]
    steel = ramp(inside, 1.5)
    black = _table(rng, (height, width), end.width_px)
    if rim_px:  # the sheet's side face, seen dimly
        face = ramp(inside + rim_px, 3.0) * np.float32(rng.uniform(0.08, 0.3))
        black = np.maximum(
            black, gray * face * (1 + np.float32(0.25) * fine_noise(rng, (height, width), (12, 1.5)))
        )
    gray *= steel
    gray += black * (1 - steel)
    if rng.random() < 0.45:
        _bright_rim(gray, edge, rng, unit)


def _table(rng: np.random.Generator, shape: tuple[int, int], end_px: int) -> np.ndarray:
    """Nearly black, sometimes with a faint glow next to the steel."""
    level = np.float32(np.clip(np.exp(rng.normal(1.0, 0.7)), 0.3, 11))
    away = (end_px - np.arange(shape[1], dtype=np.float32))[None, :]
    glow = np.float32(rng.choice([0, rng.uniform(3, 20)], p=[0.6, 0.4])) * np.exp(-np.maximum(away, 0) / 60)
    return np.broadcast_to(level * 0.8 + glow, shape).astype(np.float32)


def _bright_rim(gray: np.ndarray, edge: np.ndarray, rng: np.random.Generator, unit: float) -> None:
    """The burr: a thin bright line, broken into flecks or nearly whole."""
    height, width = gray.shape
    left = max(int(edge.min()) - 4, 0)
    span = min(24, width - left)
    line = column_stroke(
        (height, span), edge - left + rng.uniform(0.5, 5) * unit, rng.uniform(0.5, 1.6) * unit, 1.5
    )
    broken = speckle(rng, (height, span), (rng.uniform(1, 6), 0.8), rng.uniform(-1.2, 0.7))
    gray[:, left : left + span] += line * broken * np.float32(rng.uniform(15, 110))
