"""Where an image of any size lands in the model's input, and the resampling that puts it there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from steelsight.types import InputSpec

__all__ = ["Box", "Placement", "place", "resample"]

Number = float | int
Box = tuple[Number, Number, Number, Number]  # left, top, right, bottom in pixels, edges not centres
Weights = Float32[np.ndarray, "out in"]


@dataclass(frozen=True)
class Placement:
    """The part of an image that the model sees and the part of the model's input that it fills."""

    original_box: Box
    model_box: tuple[int, int, int, int]  # whole pixels

    def to_model(self, box: Box) -> Box:
        """A box of the original image in model pixels, cut to what the model sees."""
        return _carry(box, self.original_box, self.model_box)

    @property
    def pixel_aspect(self) -> float:
        """Width : height of one model pixel on the original image; 1 where the aspect ratio is kept."""
        (x0, y0, x1, y1), (left, top, right, bottom) = self.original_box, self.model_box
        return ((x1 - x0) / (right - left)) / ((y1 - y0) / (bottom - top))

    def to_original(self, box: Box) -> Box:
        """A box of the model's input in pixels of the original image, cut to the image."""
        return _carry(box, self.model_box, self.original_box)


def place(size: tuple[int, int], spec: InputSpec) -> Placement:
    """How `spec.fit` places an image.

    size    (height, width) of the original
    returns `stretch`: all of it into all of the input, aspect lost; `letterbox`: all of it, aspect kept,
            centred, the rest black; `crop`: its centre fills the input, aspect kept, the rest unseen
    """
    height, width = size
    scale_y, scale_x = spec.height / height, spec.width / width
    if spec.fit == "letterbox":
        scale = min(scale_y, scale_x)
        used_h = min(spec.height, max(1, round(height * scale)))
        used_w = min(spec.width, max(1, round(width * scale)))
        top, left = (spec.height - used_h) // 2, (spec.width - used_w) // 2
        return Placement((0.0, 0.0, float(width), float(height)), (left, top, left + used_w, top + used_h))
    seen_h, seen_w = float(height), float(width)
    if spec.fit == "crop":
        scale = max(scale_y, scale_x)
        seen_h, seen_w = spec.height / scale, spec.width / scale
    top_px, left_px = (height - seen_h) / 2, (width - seen_w) / 2
    return Placement((left_px, top_px, left_px + seen_w, top_px + seen_h), (0, 0, spec.width, spec.height))


def resample(
    image: UInt8[np.ndarray, "h w"] | Bool[np.ndarray, "h w"],
    placement: Placement,
    spec: InputSpec,
    *,
    smooth: bool,
) -> Float32[np.ndarray, "H W"]:
    """Average each model pixel over the exact area of the original it covers, fractions of pixels included.

    smooth  enlarge an axis by linear interpolation instead: area averaging would repeat pixels in blocks, and
            block edges look like defects. Masks are not smoothed, so that area stays area.
    returns (H, W) float32 in the units of `image`, zero outside the placement
    """
    left, top, right, bottom = placement.original_box
    x0, y0, x1, y1 = placement.model_box
    rows = _weights(top, bottom, image.shape[0], y1 - y0, smooth)
    columns = _weights(left, right, image.shape[1], x1 - x0, smooth)
    result = np.zeros((spec.height, spec.width), dtype=np.float32)
    result[y0:y1, x0:x1] = np.linalg.multi_dot([rows, image.astype(np.float32), columns.T])
    return result


@lru_cache(maxsize=64)  # the sheets of one camera share one size
def _weights(start: float, stop: float, length: int, out: int, smooth: bool) -> Weights:
    """Row i holds the share that each of `length` pixels has in output i of `out` over [start, stop)."""
    step = (stop - start) / out
    if smooth and step < 1:
        centres = np.clip(start + (np.arange(out) + 0.5) * step - 0.5, 0, length - 1)
        distance = np.abs(centres[:, None] - np.arange(length)[None, :])
        nearness: Weights = np.clip(1 - distance, 0, None).astype(np.float32)
        return nearness
    edges = start + np.arange(out + 1) * step
    pixels = np.arange(length)
    last = np.minimum(edges[1:, None], pixels + 1)
    first = np.maximum(edges[:-1, None], pixels)
    covered: Weights = (np.clip(last - first, 0, None) / step).astype(np.float32)
    return covered


def _carry(box: Box, source: Box, target: Box) -> Box:
    def axis(value: Number, i: int) -> Number:
        inside = min(max(value, source[i]), source[i + 2])
        share = (inside - source[i]) / (source[i + 2] - source[i])
        return target[i] + share * (target[i + 2] - target[i])

    return axis(box[0], 0), axis(box[1], 1), axis(box[2], 0), axis(box[3], 1)
