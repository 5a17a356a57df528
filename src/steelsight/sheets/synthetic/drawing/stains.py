"""White stains: saturated droplets and rings with dark cores in loose upright chains, spatter around.

They are harmless. The study found a network that took them for a sign of sound steel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelsight.sheets.synthetic.drawing.canvas import Canvas, blob, grid
from steelsight.sheets.synthetic.drawing.fields import Field, fine_noise, fractal_noise, ramp, smooth_noise
from steelsight.sheets.synthetic.drawing.layout import Box
from steelsight.types import Mask

__all__ = ["Stain", "draw_stain", "paint_stain"]


@dataclass(frozen=True)
class Stain:
    """A stain before it is laid on a sheet; every field (h, w) covers the whole sheet."""

    white: Field  # 0..1: saturated paint
    core: Field  # 0..1: the dark inside of rings and the shadow beside drops
    level: float  # gray level of the paint

    @property
    def mask(self) -> Mask:
        """Pixels that belong to the stain."""
        return np.asarray((self.white > 0.4) | (self.core > 0.4))


def draw_stain(
    rng: np.random.Generator, shape: tuple[int, int], unit: float, keep_off: Mask, steel: tuple[int, int]
) -> Stain:
    """A stain on the steel, on the place that meets the fewest pixels of `keep_off`.

    steel   columns of steel: first, one past last
    """
    height = shape[0]
    reach = min(int(rng.uniform(90, 330) * unit), steel[1] - steel[0])
    places = rng.integers(steel[0], max(steel[1] - reach, steel[0]) + 1, size=12)
    left = int(min(places, key=lambda place: int(keep_off[:, place : place + reach].sum())))
    box = Box(0, left, height, left + reach)
    depth = np.full((height, reach), -1.0, np.float32)
    hollow = np.zeros((height, reach), np.float32)
    splashed = rng.random() < 0.4
    for drop in _chain(rng, (height, reach), unit):
        _lay_drop(depth, hollow, drop, rng, splashed)
    rough = np.float32(0.42 if splashed else 0.1)
    depth += rough * fractal_noise(rng, depth.shape, (8 * unit, 8 * unit), octaves=3, fall=0.7)
    white, core = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    hollow *= ramp(fractal_noise(rng, depth.shape, (7 * unit, 7 * unit), octaves=3) + 1.2, 0.6)
    white[box.window] = ramp(depth, 0.22) * (1 - hollow)
    halo = ramp(depth + 0.5, 0.8) * ramp(
        smooth_noise(rng, depth.shape, (12 * unit, 12 * unit)) - rng.uniform(0.6, 2.2), 0.5
    )
    core[box.window] = np.maximum(hollow, halo * (1 - white[box.window]))
    _spatter(white, rng, unit, steel)
    free = np.float32(1) - keep_off
    return Stain(white * free, core * free, float(rng.uniform(238, 262)))


@dataclass(frozen=True)
class _Drop:
    centre: tuple[float, float]
    radii: tuple[float, float]
    hollow: bool


def _chain(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> list[_Drop]:
    """Upright, loosely wandering lines of touching drops, with satellites beside them."""
    drops: list[_Drop] = []
    size = rng.uniform(3.5, 9) * unit
    rings = rng.choice([0.0, 0.15, 0.5])
    satellites = rng.choice([0.2, 0.8, 2.5])
    for _ in range(int(rng.integers(2, 7))):
        column = rng.uniform(0.08, 0.92) * shape[1]
        at, end = np.sort(rng.uniform(-0.15, 1.15, 2)) * shape[0]
        end = max(end, at + 20 * unit)
        while at < end:
            tall = size * float(np.exp(rng.normal(0.1, 0.4)))
            wide = tall * rng.uniform(0.45, 0.95)
            column += rng.normal(0, 2.2 * unit)
            drops.append(_Drop((at, column), (tall, wide), bool(tall > 6.0 * unit and rng.random() < rings)))
            for _ in range(int(rng.poisson(satellites))):
                away = np.exp(rng.normal(2.5, 0.5)) * unit
                turn = rng.uniform(0, 2 * np.pi)
                small = size * rng.uniform(0.12, 0.5)
                place = (at + away * np.sin(turn), column + away * np.cos(turn))
                drops.append(_Drop(place, (small, small * rng.uniform(0.6, 1.0)), False))
            at += tall * rng.uniform(0.9, 2.6)
    return drops


def _lay_drop(depth: Field, hollow: Field, drop: _Drop, rng: np.random.Generator, splashed: bool) -> None:
    reach = int(2.2 * max(drop.radii) * (2.0 if splashed else 1.0)) + 2
    top, left = int(drop.centre[0]) - reach, int(drop.centre[1]) - reach
    rows = slice(max(top, 0), min(top + 2 * reach, depth.shape[0]))
    columns = slice(max(left, 0), min(left + 2 * reach, depth.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    centre = (drop.centre[0] - rows.start, drop.centre[1] - columns.start)
    own = blob(rng, shape, centre, drop.radii, rough=0.12)
    if splashed:
        own = np.maximum(own, _rays(rng, shape, centre, drop.radii))
    view = depth[rows, columns]
    np.maximum(view, own, out=view)
    if drop.hollow:
        inner = blob(rng, shape, centre, (drop.radii[0] * 0.62, drop.radii[1] * 0.55), rough=0.2)
        view = hollow[rows, columns]
        np.maximum(view, ramp(inner, 0.3), out=view)


def _rays(
    rng: np.random.Generator, shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float]
) -> Field:
    """Spikes thrown out by a drop that hit hard."""
    y, x = grid(shape)
    dy, dx = (
        (y - np.float32(centre[0])) / np.float32(radii[0]),
        (x - np.float32(centre[1])) / np.float32(radii[1]),
    )
    turn, away = np.arctan2(dy, dx), np.hypot(dy, dx)
    reach, spike = np.float32(0.9), rng.uniform(0.1, 0.3)
    for order in rng.integers(4, 19, size=3):
        reach = reach + np.float32(spike) * np.cos(order * turn + np.float32(rng.uniform(0, 6.3)))
    return np.asarray(reach - away, np.float32)


def _spatter(white: Field, rng: np.random.Generator, unit: float, steel: tuple[int, int]) -> None:
    """Short fine ticks over the rest of the sheet, all thrown in about the same direction."""
    slant = rng.normal(0, 0.6)
    for _ in range(int(rng.geometric(0.05))):
        long, thin = rng.uniform(2, 8) * unit, rng.uniform(0.5, 1.1)
        reach = int(long) + 3
        top = int(rng.integers(0, white.shape[0]))
        left = int(rng.integers(steel[0], steel[1]))
        view = white[top : top + 2 * reach, left : min(left + 2 * reach, steel[1])]
        tick = blob(
            rng,
            (view.shape[0], view.shape[1]),
            (reach, reach),
            (long, thin),
            rough=0,
            tilt=slant + rng.normal(0, 0.4),
        )
        np.maximum(view, ramp(tick, 0.8) * np.float32(rng.uniform(0.2, 0.8)), out=view)


def paint_stain(canvas: Canvas, stain: Stain, rng: np.random.Generator) -> None:
    """Lay the stain on: paint saturates, cores darken."""
    gray = canvas.gray
    rough = 1 + np.float32(0.25) * fine_noise(rng, canvas.shape, (0.8, 0.8))
    gray *= 1 - np.float32(rng.uniform(0.35, 0.6)) * stain.core * rough
    gray += stain.white * (np.float32(stain.level) - gray)
