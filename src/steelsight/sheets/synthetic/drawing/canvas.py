"""The sheet while it is painted: its luminance, and the strokes every mark is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from steelsight.sheets.synthetic.drawing.fields import Field, Line, Px, fine_noise, ramp, smooth_line
from steelsight.sheets.synthetic.drawing.layout import Box

__all__ = ["Canvas", "blob", "column_stroke", "grid", "path", "shade_relief", "speckle"]


@dataclass(frozen=True)
class Canvas:
    """Luminance in gray levels, painted in place; unit = sheet height / 256."""

    gray: Field
    unit: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.gray.shape[0], self.gray.shape[1]

    def clip(self, box: Box) -> Box:
        """The part of a box inside the canvas, at least one pixel."""
        height, width = self.shape
        top, left = min(max(box.top, 0), height - 1), min(max(box.left, 0), width - 1)
        return Box(top, left, max(min(box.bottom, height), top + 1), max(min(box.right, width), left + 1))

    def darken(self, box: Box, amount: Field) -> None:
        """Take away a share of the light; `amount` (h, w) of the box, 0..1."""
        self.gray[box.window] *= 1 - amount

    def scale(self, factor: Field) -> None:
        """Multiply the light of the whole sheet by factors, at least .3: nothing turns black."""
        np.multiply(self.gray, np.maximum(factor, np.float32(0.3)), out=self.gray, casting="same_kind")

    def add(self, box: Box, levels: Field) -> None:
        """Add gray levels."""
        self.gray[box.window] += levels

    def cover(self, box: Box, alpha: Field, levels: Field | Px) -> None:
        """Paint over with `levels`, as opaque as `alpha`."""
        view = self.gray[box.window]
        view += alpha * (np.float32(levels) - view if isinstance(levels, float | int) else levels - view)

    def level(self, box: Box) -> float:
        """The usual gray level in a box: what is bright or dark is so against it."""
        return float(np.median(self.gray[box.window][::3, ::3]))


def grid(shape: tuple[int, int]) -> tuple[Float[np.ndarray, "h 1"], Float[np.ndarray, "1 w"]]:
    """Row and column coordinates that broadcast."""
    return np.arange(shape[0], dtype=np.float32)[:, None], np.arange(shape[1], dtype=np.float32)[None, :]


def column_stroke(shape: tuple[int, int], centre: Line | Px, half_width: Line | Px, soft: Px) -> Field:
    """An upright stroke: alpha 1 within half_width(y) of centre(y), with a soft edge."""
    _, x = grid(shape)
    c = np.broadcast_to(np.asarray(centre, np.float32), (shape[0],))[:, None]
    w = np.broadcast_to(np.asarray(half_width, np.float32), (shape[0],))[:, None]
    return np.asarray(ramp(w - np.abs(x - c), soft), np.float32)


def blob(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre: tuple[Px, Px],
    radii: tuple[Px, Px],
    *,
    rough: Px = 0.25,
    tilt: Px = 0.0,
) -> Field:
    """How deep each pixel lies in an irregular ellipse: 1 at its centre, 0 at the outline, negative outside.

    rough   how far the outline wanders, as a share of the radius
    tilt    of the long axis, radians
    """
    y, x = grid(shape)
    dy, dx = y - np.float32(centre[0]), x - np.float32(centre[1])
    cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    v, u = (cos * dy + sin * dx) / np.float32(radii[0]), (cos * dx - sin * dy) / np.float32(radii[1])
    turn = np.arctan2(v, u)
    outline = np.ones_like(turn)
    for order in (2, 3, 5, 7):
        amount, phase = rng.normal(0, rough / order**0.5), rng.uniform(0, 2 * np.pi)
        outline = outline + np.float32(amount) * np.cos(order * turn + np.float32(phase))
    return np.asarray(np.maximum(outline, 0.3) - np.sqrt(u * u + v * v), np.float32)


def shade_relief(height: Field, light: tuple[Px, Px]) -> Field:
    """Slope towards the light, positive on lit flanks; `light` = (from below, from the right)."""
    down, across = np.gradient(height)
    return np.asarray(np.float32(light[0]) * down + np.float32(light[1]) * across, np.float32)


def speckle(rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[Px, Px], above: Px) -> Field:
    """Sparse flecks, 0..1, where fine noise rises above a level in standard deviations."""
    return np.asarray(np.clip(fine_noise(rng, shape, sigma) - np.float32(above), 0, 1), np.float32)


def path(rng: np.random.Generator, size: int, start: Px, end: Px, *, waver: Px, scale: Px) -> Line:
    """A wandering way from start to end over `size` pixels."""
    straight = np.linspace(start, end, size, dtype=np.float32)
    return straight + np.float32(waver) * smooth_line(rng, size, scale)
