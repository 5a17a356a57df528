"""Colours of signed maps over sheets, without a plotting library: red supports a class, blue opposes it."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image

from steelsight.types import GrayImage, Mask

__all__ = ["BLUE", "CONTOUR_SHARE", "OPACITY", "RED", "blend", "contours_png", "overlay_png"]

RED: Final = (0.86, 0.08, 0.10)
BLUE: Final = (0.07, 0.28, 0.92)  # distinguishable from RED with red-green colour blindness
OPACITY: Final = 0.75  # at the maximum of a map: the sheet stays visible
CONTOUR_SHARE: Final = 0.5  # of the largest value of one side of a map: where its contours are drawn
FAINT: Final = 0.1  # of the other side's largest value: a side below it has no contours
LINE_PX: Final = 2
DASH_PX: Final = 6  # of the lines of evidence against a class, so that colour is not the only difference


def blend(gray: GrayImage, signed: Float32[np.ndarray, "h w"], limit: float) -> Float[np.ndarray, "h w 3"]:
    """The sheet tinted by a map, 0..1: red above 0, blue below, opacity growing up to ±limit."""
    strength = np.clip(np.abs(signed) / limit, 0, 1)[..., None] * OPACITY
    colour = np.where(signed[..., None] > 0, np.array(RED), np.array(BLUE))
    tinted: Float[np.ndarray, "h w 3"] = (gray[..., None] / 255.0) * (1 - strength) + colour * strength
    return tinted


def overlay_png(signed: Float32[np.ndarray, "h w"]) -> bytes:
    """A map as a PNG file to lay over its sheet: colours of `blend`, transparent where the map is 0.

    The scale is that of the map itself: its largest magnitude has the opacity OPACITY.
    """
    largest = float(np.abs(signed).max(initial=0.0))
    strength = np.abs(signed) / largest * OPACITY if largest > 0 else np.zeros_like(signed)
    colour = np.where(signed[..., None] > 0, np.array(RED), np.array(BLUE))
    pixels: UInt8[np.ndarray, "h w 4"] = np.round(np.dstack([colour, strength]) * 255).astype(np.uint8)
    return _png(pixels)


def contours_png(signed: Float32[np.ndarray, "h w"]) -> bytes:
    """Contours of a map as a PNG file to lay over its sheet, transparent elsewhere.

    A red line runs inside the edge of what reaches CONTOUR_SHARE of the largest evidence for the class, and a
    blue dashed line inside the edge of what reaches that share of the largest against it. Each side has its
    own scale, so that evidence against a class everywhere does not hide the place that speaks for it; a side
    that is FAINT beside the other has no line. The picture's frame is no edge.
    """
    sides = {RED: signed, BLUE: -signed}
    largest = {colour: float(side.max(initial=0.0)) for colour, side in sides.items()}
    least = FAINT * max(largest.values())
    pixels: UInt8[np.ndarray, "h w 4"] = np.zeros((*signed.shape, 4), dtype=np.uint8)
    rows, columns = np.indices(signed.shape)
    dash: Bool[np.ndarray, "h w"] = (rows + columns) // DASH_PX % 2 == 0
    drawn = {RED: np.ones_like(dash), BLUE: dash}
    for colour, side in sides.items():
        if largest[colour] > 0 and largest[colour] >= least:
            line = _inner_edge(side >= CONTOUR_SHARE * largest[colour]) & drawn[colour]
            pixels[line] = np.round(np.array([*colour, 1.0]) * 255)
    return _png(pixels)


def _inner_edge(inside: Mask) -> Mask:
    """The pixels within LINE_PX steps, across or down, of what is outside; beyond the frame nothing is."""
    core = inside
    for _ in range(LINE_PX):
        framed = np.pad(core, 1, mode="edge")
        core = core & framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    edge: Mask = inside & ~core
    return edge


def _png(pixels: UInt8[np.ndarray, "h w 4"]) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
