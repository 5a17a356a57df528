"""The strip's long side of version 2: black above or below it, a bright rim along it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas
from steelsight.sheets.synthetic.drawing.fields import Line, fine_line, ramp, smooth_line
from steelsight.types import Mask

__all__ = ["Side", "draw_side", "paint_side"]

_CHANCE = 0.03
_LEAST_VISIBLE = 0.6  # of every mask; otherwise the sheet is drawn without its side


@dataclass(frozen=True)
class Side:
    """Where the strip stops within the picture."""

    edge: Line  # the row of the rim in every column, counted from the strip's inside
    top: bool  # the black lies above the strip

    def hidden(self, shape: tuple[int, int]) -> Mask:
        """The pixels beyond the rim."""
        rows = np.arange(shape[0], dtype=np.float32)[:, None]
        beyond = rows > self.edge[None, :]
        return beyond[::-1] if self.top else beyond


def draw_side(
    rng: np.random.Generator, shape: tuple[int, int], unit: float, masks: dict[int, Mask]
) -> Side | None:
    """A side, rarely; None where there is none or where it would hide much of a mask."""
    height, width = shape
    if rng.random() >= _CHANCE:
        return None
    first = rng.uniform(0.4, 0.95) * height
    slope = np.linspace(0, rng.normal(0, 0.04) * height, width, dtype=np.float32)
    edge = np.float32(first) + slope + np.float32(0.4 * unit) * smooth_line(rng, width, 120 * unit)
    side = Side(np.clip(edge, 0.3 * height, None), bool(rng.random() < 0.4))
    hidden = side.hidden(shape)
    if any((mask & ~hidden).sum() < _LEAST_VISIBLE * mask.sum() for mask in masks.values()):
        return None
    return side


def paint_side(canvas: Canvas, side: Side, rng: np.random.Generator) -> None:
    """Black out what lies beyond the side; covers everything painted before."""
    gray = canvas.gray[::-1] if side.top else canvas.gray
    rows = np.arange(canvas.shape[0], dtype=np.float32)[:, None]
    beyond = rows - side.edge[None, :]
    rim = np.exp(-((beyond / np.float32(rng.uniform(1.0, 3.5))) ** 2))
    flecks = 1 + np.float32(0.4) * fine_line(rng, canvas.shape[1], 1.5)
    glow = np.exp(-np.maximum(-beyond, 0) / np.float32(rng.uniform(4, 40) * canvas.unit))
    gray += np.float32(rng.uniform(0, 60)) * glow
    black = np.float32(rng.uniform(0.5, 8))
    gray += ramp(beyond, 1.5) * (black - gray)
    gray += np.float32(rng.uniform(0, 170)) * rim * flecks[None, :]
