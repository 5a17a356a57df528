"""The one definition of model input: image file to gray bytes of the model's size.

Training, evaluation and the plant all come through `read_sheet`. The choices, once:
- Gray is the luminance .299 R + .587 G + .114 B (ITU-R 601), the first channel a JPEG stores.
- Gray of more than 8 bits is divided by its full scale, which `value_range` takes from the header, the caller
  or the format. It is never stretched to an image's own range, which would hide exposure.
- Transparent means black, as where no sheet is; an image that is transparent throughout is refused.
- Orientation is applied once: the model sees what a viewer shows, and what masks are drawn on. A mask file's
  own orientation is applied to it in the same way.
- Colour profiles and PNG's gAMA are left out: stored values are read.
- A JPEG much larger than the input is decoded at 1/2, 1/4 or 1/8 by the decoder's own transform, the largest
  step that is not below the target, then averaged by area like every other format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from steelsight.errors import BadImage
from steelsight.sheets.images.gray import (
    Integers,
    has_integers,
    shown_size,
    to_gray,
    turn_of,
    upright_indices,
    upright_integers,
)
from steelsight.sheets.images.image_file import MAX_PIXELS, name_of, open_image
from steelsight.sheets.images.placement import Box, Placement, place, resample
from steelsight.types import AreaFractions, GrayImage, InputSpec

__all__ = [
    "DECODER",
    "MAX_PIXELS",
    "Box",
    "Placement",
    "fit_gray",
    "fit_mask",
    "place",
    "read_gray",
    "read_sheet",
    "read_sheet_and_size",
    "read_size",
    "read_stored",
]

DECODER: Final = (
    "pillow-dct-area/1"  # the identity of every choice above; a card holds it, a cache is keyed by it
)


def read_sheet(source: Path | bytes, spec: InputSpec, *, max_pixels: int = MAX_PIXELS) -> GrayImage:
    """An image file as model input.

    source  a path, or the bytes of a file
    returns (spec.height, spec.width) uint8
    raises  BadImage with the reason; `max_pixels` is checked in the header, before anything is decoded
    """
    return read_sheet_and_size(source, spec, max_pixels=max_pixels)[0]


def read_sheet_and_size(
    source: Path | bytes, spec: InputSpec, *, max_pixels: int = MAX_PIXELS, name: str | None = None
) -> tuple[GrayImage, tuple[int, int]]:
    """As `read_sheet`, with the image's original (height, width) as a viewer shows it.

    name  how messages call the bytes of a file
    """
    with open_image(source, max_pixels=max_pixels, name=name) as image:
        size = shown_size(image)
        placement = place(size, spec)
        if isinstance(image, JpegImageFile) and turn_of(image) is None:
            placement = _draft(image, placement)
        gray = to_gray(image, name or name_of(source), bits=spec.bits)
        return _fit(gray, placement, spec), size


def read_gray(source: Path | bytes, *, max_pixels: int = MAX_PIXELS, bits: int | None = None) -> GrayImage:
    """An image file in gray at its original size.

    bits    full scale of 16-bit files that do not state theirs
    returns (h, w) uint8
    raises  BadImage
    """
    with open_image(source, max_pixels=max_pixels) as image:
        if isinstance(image, JpegImageFile):
            image.draft("L", image.size)
        gray: GrayImage = np.array(to_gray(image, name_of(source), bits=bits))
        return gray


def read_stored(source: Path | bytes) -> tuple[Integers, GrayImage | None]:
    """What a mask file stores, upright and at its own size; transparent pixels are black.

    A file that is black throughout and has an alpha channel is read by that channel.

    returns  indices of a palette, gray of more than 8 bits as it is, else gray; and the gray that indices
             stand for, None for other files
    raises   BadImage
    """
    with open_image(source) as image:
        name = name_of(source)
        if has_integers(image):
            return upright_integers(image, name), None
        indices = upright_indices(image)
        if isinstance(image, JpegImageFile):
            image.draft("L", image.size)
        gray: GrayImage = np.array(to_gray(image, name, refuse_transparent=False))
        if image.mode in {"LA", "RGBA"} and not gray.any():  # black everywhere: the mask is drawn in alpha
            alpha, turn = image.getchannel("A"), turn_of(image)
            gray = np.array(alpha if turn is None else alpha.transpose(turn))
        return (gray.astype(np.uint16), None) if indices is None else (indices, gray)


def read_size(source: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(height, width) as a viewer shows it, from the header alone; raises BadImage."""
    with open_image(source, max_pixels=max_pixels) as image:
        return shown_size(image)


def fit_gray(gray: UInt8[np.ndarray, "original_h original_w"], spec: InputSpec) -> GrayImage:
    """A gray image of any size as model input, (spec.height, spec.width) uint8, by area average."""
    return _fit(Image.fromarray(gray), place((gray.shape[0], gray.shape[1]), spec), spec)


def fit_mask(mask: Bool[np.ndarray, "original_h original_w"], spec: InputSpec) -> AreaFractions:
    """The share of each model pixel that a mask covers, (spec.height, spec.width) float32 in 0..1."""
    fractions = resample(mask, place((mask.shape[0], mask.shape[1]), spec), spec, smooth=False)
    bounded: AreaFractions = np.clip(fractions, 0, 1)  # weights sum to 1 up to rounding
    return bounded


def _fit(gray: Image.Image, placement: Placement, spec: InputSpec) -> GrayImage:
    _refuse_other_decoder(spec)
    width, height = gray.size
    factor_x, factor_y = width // spec.width, height // spec.height
    whole = (
        placement.original_box == (0, 0, spec.width * factor_x, spec.height * factor_y) == (0, 0, *gray.size)
    )
    if whole and placement.model_box == (0, 0, spec.width, spec.height):
        averaged: GrayImage = np.array(gray.reduce((factor_x, factor_y)))  # the same, in integers
        return averaged
    return _round(resample(gray, placement, spec, smooth=True))


def _round(values: Float32[np.ndarray, "h w"]) -> GrayImage:
    """Halves go up, as in Pillow's own averages."""
    return np.clip(np.floor(values + np.float32(0.5)), 0, 255).astype(np.uint8)


def _refuse_other_decoder(spec: InputSpec) -> None:
    if spec.at_bits(None).decoder != DECODER:
        raise BadImage(
            f"input asks for decoder {spec.decoder!r}, this version has {DECODER!r}; "
            "use the version of steelsight that made the model, or train again"
        )


def _draft(image: JpegImageFile, placement: Placement) -> Placement:
    """Ask for luminance at the smallest decoded size not below the target; the placement in its pixels."""
    left, top, right, bottom = placement.original_box
    x0, y0, x1, y1 = placement.model_box
    shrink = min((right - left) / (x1 - x0), (bottom - top) / (y1 - y0))
    step = next((step for step in (8, 4, 2) if step <= shrink), 1)
    width, height = image.size
    drafted = image.draft("L", (max(1, width // step), max(1, height // step)))
    if drafted is None:
        return placement
    scale = width / drafted[1][2]  # a size of 1 can be met by more than `step`
    return Placement((left / scale, top / scale, right / scale, bottom / scale), placement.model_box)
