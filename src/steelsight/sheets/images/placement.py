"""Where an image of any size lands in the model's input, and the resampling that puts it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from steelsight.sheets.images.axis_weights import Axis
from steelsight.types import InputSpec

__all__ = ["Box", "Placement", "place", "resample"]

WHOLE: Final = 2**22  # pixels of an image that is resampled at once; of one block of a larger image
DENSE: Final = 2**21  # weights of a side, likewise

Number = float | int
Box = tuple[Number, Number, Number, Number]  # left, top, right, bottom in pixels, edges not centres
Pixels = UInt8[np.ndarray, "h w"] | Bool[np.ndarray, "h w"] | Image.Image


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
    image: Pixels,
    placement: Placement,
    spec: InputSpec,
    *,
    smooth: bool,
) -> Float32[np.ndarray, "H W"]:
    """Average each model pixel over the exact area of the original it covers, fractions of pixels included.

    Memory does not depend on the length of a side: a large image is averaged block by block.

    image   gray of mode L, or uint8 or bool (h, w)
    smooth  enlarge an axis by linear interpolation instead: area averaging would repeat pixels in blocks, and
            block edges look like defects. Masks are not smoothed, so that area stays area.
    returns (H, W) float32 in the units of `image`, zero outside the placement
    """
    left, top, right, bottom = placement.original_box
    x0, y0, x1, y1 = placement.model_box
    height, width = (image.height, image.width) if isinstance(image, Image.Image) else image.shape
    rows = Axis(top, bottom, height, y1 - y0, smooth)
    columns = Axis(left, right, width, x1 - x0, smooth)
    result = np.zeros((spec.height, spec.width), dtype=np.float32)
    if height * width <= WHOLE and max(rows.values, columns.values) <= DENSE:
        whole = np.asarray(image).astype(np.float32)
        dense = [rows.weights(), whole, columns.weights().T]
        result[y0:y1, x0:x1] = np.linalg.multi_dot(dense)
    else:
        _add_blocks(image, rows, columns, result[y0:y1, x0:x1])
    return result


def _add_blocks(image: Pixels, rows: Axis, columns: Axis, result: Float32[np.ndarray, "H W"]) -> None:
    """Add the share of each block of the image to the result."""
    width = columns.block
    height = max(1, min(rows.block, WHOLE // width))
    for left in range(0, columns.length, width):
        right = min(left + width, columns.length)
        x, across = columns.part(left, right)
        for top in range(0, rows.length, height):
            bottom = min(top + height, rows.length)
            y, down = rows.part(top, bottom)
            if isinstance(image, Image.Image):
                block = np.asarray(image.crop((left, top, right, bottom)))
            else:
                block = image[top:bottom, left:right]
            shares = np.linalg.multi_dot([down, block.astype(np.float32), across.T])
            result[y : y + len(down), x : x + len(across)] += shares


def _carry(box: Box, source: Box, target: Box) -> Box:
    def axis(value: Number, i: int) -> Number:
        inside = min(max(value, source[i]), source[i + 2])
        share = (inside - source[i]) / (source[i + 2] - source[i])
        return target[i] + share * (target[i + 2] - target[i])

    return axis(box[0], 0), axis(box[1], 1), axis(box[2], 0), axis(box[3], 1)
