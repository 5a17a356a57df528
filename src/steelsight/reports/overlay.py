"""Colours of signed maps over sheets, without a plotting library: red supports a class, blue opposes it."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, UInt8
from PIL import Image

from steelsight.types import GrayImage

__all__ = ["BLUE", "OPACITY", "RED", "blend", "overlay_png"]

RED: Final = (0.86, 0.08, 0.10)
BLUE: Final = (0.07, 0.28, 0.92)  # distinguishable from RED with red-green colour blindness
OPACITY: Final = 0.75  # at the maximum of a map: the sheet stays visible


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
    buffer = BytesIO()
    Image.fromarray(pixels, "RGBA").save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
