"""What a camera, a coil or another exposure could have done to the same sheet. Gray bytes in, gray bytes out.

Geometry moves masks along with their images; exposure touches images alone. Labels never change, so shifts
and zoom must stay short enough not to push a defect out of its sheet; what they uncover repeats the border.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from pydantic import BaseModel, ConfigDict, Field, model_serializer

from steelsight.errors import BadRecipe
from steelsight.types import GrayBatch

__all__ = ["AugmentSpec", "MaskBatch", "augment", "exposure_tables"]

Flags = Bool[np.ndarray, " n"]
MaskBatch = UInt8[np.ndarray, "n h w"] | UInt8[np.ndarray, "k n h w"]  # one mask a sheet, or k of them
LEVELS: Final = 256
_LATER: Final = ("blur", "camera_noise")  # keys that recipes of earlier runs do not have


class AugmentSpec(BaseModel):
    """How far each random change may go; all zeros change nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    hflip: float = Field(default=0.0, ge=0, le=1, description="chance of a left-right flip")
    vflip: float = Field(default=0.0, ge=0, le=1, description="chance of a top-bottom flip")
    transpose: float = Field(
        default=0.0, ge=0, le=1, description="chance of swapping rows and columns, square input only"
    )
    gain: float = Field(default=0.0, ge=0, le=3, description="exposure: factor exp(u), u in ± this")
    gamma: float = Field(default=0.0, ge=0, le=3, description="exposure: power exp(u), u in ± this")
    offset: float = Field(default=0.0, ge=0, le=255, description="exposure: added gray levels, ± this")
    shift: int = Field(default=0, ge=0, le=2**14, description="px, along each axis, ± this")
    zoom: float = Field(default=0.0, ge=0, lt=1, description="scale of each axis: factor 1 ± this")
    blur: float = Field(
        default=0.0, ge=0, le=1 / 3, description="three-pixel average: weight of each neighbour, 0 to this"
    )
    camera_noise: float = Field(
        default=0.0, ge=0, le=255, description="white noise: standard deviation in gray levels, 0 to this"
    )

    @model_serializer(mode="wrap")
    def _without_zero(self, write: Callable[[Any], Any]) -> dict[str, Any]:
        """Leave later keys out at 0, so that the fingerprints of runs from before they existed stay valid."""
        values: dict[str, Any] = write(self)
        return {key: value for key, value in values.items() if value or key not in _LATER}

    @property
    def moves(self) -> bool:
        """Whether pixels change place, so that masks must follow."""
        return bool(self.hflip or self.vflip or self.transpose or self.shift or self.zoom)


def augment(
    images: GrayBatch, spec: AugmentSpec, rng: np.random.Generator, *, masks: MaskBatch | None = None
) -> tuple[GrayBatch, MaskBatch | None]:
    """A changed copy of a batch, each sheet by its own draw.

    images  (n, h, w) uint8, left as they are
    masks   (n, h, w) uint8, or (k, n, h, w), moved like their images
    raises  BadRecipe where `transpose` is asked of images that are not square
    """
    count, height, width = images.shape
    if spec.transpose and height != width:
        raise BadRecipe(
            f"augment.transpose: expected a square input, got {height}x{width}; "
            "set it to 0 or change the input"
        )
    moved = _Geometry(spec, (count, height, width), rng) if spec.moves else None
    if spec.gain or spec.gamma or spec.offset:
        images = _look_up(images, exposure_tables(spec, count, rng))
    if spec.blur or spec.camera_noise:
        images = _as_seen(images, spec, rng)
    if moved is None:
        return images, masks
    if masks is None:
        return moved(images), None
    return moved(images), moved(masks) if masks.ndim == 3 else np.stack([moved(each) for each in masks])


def exposure_tables(spec: AugmentSpec, count: int, rng: np.random.Generator) -> UInt8[np.ndarray, "n 256"]:
    """One table of new gray levels a sheet: 255 · (g / 255)^gamma · gain + offset, rounded and clipped."""
    gain, gamma = (np.exp(rng.uniform(-span, span, (count, 1))) for span in (spec.gain, spec.gamma))
    offset = rng.uniform(-spec.offset, spec.offset, (count, 1))
    level = np.arange(LEVELS) / 255  # (256,)
    tables = 255 * level**gamma * gain + offset  # (n, 256)
    return np.clip(np.rint(tables), 0, 255).astype(np.uint8)


def _look_up(images: GrayBatch, tables: UInt8[np.ndarray, "n 256"]) -> GrayBatch:
    changed = np.empty_like(images)
    for image, table, out in zip(images, tables, changed, strict=True):
        np.take(table, image, out=out)  # bytes need no bounds
    return changed


def _as_seen(images: GrayBatch, spec: AugmentSpec, rng: np.random.Generator) -> GrayBatch:
    """Each sheet a little out of focus and with the noise of its own camera, rounded and clipped."""
    changed = np.empty_like(images)
    for image, out in zip(images, changed, strict=True):
        levels = _blurred(image.astype(np.float32), np.float32(rng.uniform(0, spec.blur)))
        sigma = np.float32(rng.uniform(0, spec.camera_noise))
        levels += sigma * rng.standard_normal(image.shape, dtype=np.float32)
        out[...] = np.clip(np.rint(levels), 0, 255)
    return changed


def _blurred(levels: Float[np.ndarray, "h w"], weight: np.float32) -> Float[np.ndarray, "h w"]:
    """An average of three pixels along both axes; beyond the border its pixels repeat."""
    for axis in (0, 1):
        last = levels.shape[axis] - 1
        before = levels.take(np.maximum(np.arange(last + 1) - 1, 0), axis=axis)
        after = levels.take(np.minimum(np.arange(last + 1) + 1, last), axis=axis)
        levels = levels + weight * (before + after - 2 * levels)
    return levels


class _Geometry:
    """One drawn movement for each sheet, to be applied alike to images and masks."""

    def __init__(self, spec: AugmentSpec, shape: tuple[int, int, int], rng: np.random.Generator) -> None:
        count, height, width = shape
        self.hflip, self.vflip, self.transpose = (
            rng.random(count) < chance for chance in (spec.hflip, spec.vflip, spec.transpose)
        )
        self.bends = bool(spec.shift or spec.zoom)
        if self.bends:
            self.rows = _source_lines(height, count, spec, rng)
            self.columns = _source_lines(width, count, spec, rng)

    def __call__(self, images: GrayBatch) -> GrayBatch:
        moved = np.empty_like(images)
        for i, image in enumerate(images):
            view = image.T if self.transpose[i] else image
            view = view[:: -1 if self.vflip[i] else 1, :: -1 if self.hflip[i] else 1]
            moved[i] = _resample(view, self.rows[i], self.columns[i]) if self.bends else view
        return moved


def _source_lines(
    length: int, count: int, spec: AugmentSpec, rng: np.random.Generator
) -> Float[np.ndarray, "n length"]:
    """Where each line of the new image lies in the old one, in lines; beyond the border is the border."""
    scale = rng.uniform(1 - spec.zoom, 1 + spec.zoom, (count, 1))
    shift = rng.integers(-spec.shift, spec.shift + 1, (count, 1))
    middle = (length - 1) / 2
    lines = (np.arange(length) - middle) / scale + middle - shift
    return np.clip(lines, 0, length - 1)


def _resample(
    image: UInt8[np.ndarray, "h w"], rows: Float[np.ndarray, " h"], columns: Float[np.ndarray, " w"]
) -> UInt8[np.ndarray, "h w"]:
    """Bilinear, one axis after the other; whole-line shifts copy bytes exactly."""
    if np.all(rows % 1 == 0) and np.all(columns % 1 == 0):
        exact: UInt8[np.ndarray, "h w"] = image[rows.astype(int)[:, None], columns.astype(int)]
        return exact
    upper, share = _neighbours(rows)
    blended = (
        image[upper] * (1 - share[:, None]) + image[np.minimum(upper + 1, rows.size - 1)] * share[:, None]
    )
    left, share = _neighbours(columns)
    blended = blended[:, left] * (1 - share) + blended[:, np.minimum(left + 1, columns.size - 1)] * share
    rounded: UInt8[np.ndarray, "h w"] = np.rint(blended).astype(np.uint8)
    return rounded


def _neighbours(lines: Float[np.ndarray, " l"]) -> tuple[Int[np.ndarray, " l"], Float[np.ndarray, " l"]]:
    below = np.floor(lines).astype(np.int64)
    return below, (lines - below).astype(np.float32)
