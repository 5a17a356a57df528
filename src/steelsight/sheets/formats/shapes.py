"""Annotated shapes to masks: polygons, boxes and run lengths, to the pixel as the COCO tools draw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadAnnotation
from steelsight.types import Mask

__all__ = ["decode_coco_text", "fill_box", "fill_ellipse", "fill_polygon", "fill_runs"]

Counts = Int[np.ndarray, "_"]

_FINER = 5  # edges are drawn on a grid this many times finer, as pycocotools does
MAX_CORNERS = 1_000_000


def fill_polygon(corners: Sequence[float] | np.ndarray, size: tuple[int, int], *, where: str = "") -> Mask:
    """The pixels of a polygon, equal to pycocotools' to the pixel.

    corners  x, y, x, y, … in pixels, the first pixel from 0 to 1; what lies outside the image is cut off
    size     (height, width)
    raises   BadAnnotation for fewer than three corners, an odd count or a number that is none
    source   rleFrPoly of the COCO API
    """
    flat = np.asarray(corners, dtype=np.float64).ravel()
    if flat.size < 6 or flat.size % 2 or flat.size > 2 * MAX_CORNERS:
        raise BadAnnotation(
            f"{where}: expected a polygon of x and y of three corners or more, found {flat.size} numbers"
        )
    if not np.isfinite(flat).all():
        raise BadAnnotation(f"{where}: expected numbers as corners, found {flat[~np.isfinite(flat)][0]}")
    height, width = size
    far = 16 * max(size) + 1000
    if np.abs(flat).max() > far:
        raise BadAnnotation(
            f"{where}: a corner at {flat[np.abs(flat).argmax()]:.0f} lies far outside the image of "
            f"{size[1]}x{size[0]} pixels; check the units"
        )
    points = np.trunc(_FINER * flat.reshape(-1, 2) + 0.5).astype(np.int64)
    us, vs = _outline(points)
    flips = _crossings(us, vs, height, width)
    counts = np.diff(np.sort(np.append(flips, height * width)), prepend=0)
    return fill_runs(counts, size, where=where)


def _outline(points: Int[np.ndarray, "k 2"]) -> tuple[Counts, Counts]:
    """Every step of the finer outline: whole x and y along each edge's longer side."""
    us, vs = [], []
    for (xs, ys), (xe, ye) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
        dx, dy = abs(xe - xs), abs(ys - ye)
        flip = (dx >= dy and xs > xe) or (dx < dy and ys > ye)
        if flip:
            xs, xe, ys, ye = xe, xs, ye, ys
        steps = np.arange(max(dx, dy) + 1)
        if flip:
            steps = steps[::-1]
        slope = ((ye - ys) / dx if dx >= dy else (xe - xs) / dy) if dx or dy else 0.0
        across = np.trunc((ys if dx >= dy else xs) + slope * steps + 0.5).astype(np.int64)
        us.append(steps + xs if dx >= dy else across)
        vs.append(across if dx >= dy else steps + ys)
    return np.concatenate(us), np.concatenate(vs)


def _crossings(us: Counts, vs: Counts, height: int, width: int) -> Counts:
    """Positions, down the columns first, where the outline flips pixels between outside and inside."""
    changed = us[1:] != us[:-1]
    xd = np.where(us[1:] < us[:-1], us[1:], us[1:] - 1)[changed]
    x = (xd + 0.5) / _FINER - 0.5
    inside = (np.floor(x) == x) & (x >= 0) & (x <= width - 1)
    y = (np.minimum(vs[1:], vs[:-1])[changed] + 0.5) / _FINER - 0.5
    rows = np.ceil(np.clip(y, 0, height))
    found: Counts = (x[inside] * height + rows[inside]).astype(np.int64)
    return found


def fill_box(
    left: float, top: float, width: float, height: float, size: tuple[int, int], *, where: str = ""
) -> Mask:
    """The pixels of an upright box, as of a polygon of four corners; raises BadAnnotation if empty."""
    if not (width > 0 and height > 0 and np.isfinite([left, top, width, height]).all()):
        raise BadAnnotation(f"{where}: expected a box with a width and a height, found {width} x {height}")
    right, bottom = left + width, top + height
    return fill_polygon([left, top, left, bottom, right, bottom, right, top], size, where=where)


def fill_ellipse(
    centre: tuple[float, float],
    radii: tuple[float, float],
    turn: float,
    size: tuple[int, int],
    *,
    where: str = "",
) -> Mask:
    """The pixels whose centre lies in an ellipse.

    centre  x, y in pixels; radii along its own axes; turn clockwise in degrees
    raises  BadAnnotation for a radius of 0 or less
    """
    if not (min(radii) > 0 and np.isfinite([*centre, *radii, turn]).all()):
        raise BadAnnotation(
            f"{where}: expected an ellipse with radii above 0, found {radii[0]} and {radii[1]}"
        )
    y, x = np.indices(size) + 0.5
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    along, across = (x - centre[0]) * c + (y - centre[1]) * s, (y - centre[1]) * c - (x - centre[0]) * s
    mask: Mask = (along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1
    return mask


def fill_runs(counts: Sequence[int] | Counts, size: tuple[int, int], *, where: str = "") -> Mask:
    """A mask from COCO's uncompressed run lengths: outside, inside, outside, …, down the columns first.

    raises  BadAnnotation unless the runs cover the image exactly
    """
    runs = np.asarray(counts)
    if runs.ndim != 1 or runs.dtype.kind not in "iu" or (runs.size and (runs < 0).any()):
        raise BadAnnotation(f"{where}: expected run lengths as whole numbers from 0 on; export them again")
    if int(runs.sum()) != size[0] * size[1]:
        raise BadAnnotation(
            f"{where}: run lengths cover {int(runs.sum())} pixels, the image has {size[0]}x{size[1]} = "
            f"{size[0] * size[1]}; check the size"
        )
    inside = np.arange(runs.size) % 2 == 1
    mask: Mask = np.repeat(inside, runs).reshape(size[::-1]).T
    return mask


def decode_coco_text(text: str, *, where: str = "") -> Counts:
    """COCO's compressed run lengths: five bits a character, the difference to the run before last.

    raises  BadAnnotation where a character is none of the code or the text ends within a number
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 60:
            raise BadAnnotation(
                f"{where}: expected compressed run lengths, found {letter!r}; export them again"
            )
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            if code & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise BadAnnotation(f"{where}: compressed run lengths end within a number; the text was cut off")
    return np.array(counts, dtype=np.int64)
