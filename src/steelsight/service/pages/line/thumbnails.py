"""Small pictures of sheets, with the places of the verdict drawn on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any, Final

from PIL import Image, ImageDraw

from steelsight.runtime.engine.reading import decode
from steelsight.service.problem import Problem
from steelsight.types import InputSpec

__all__ = ["thumbnail"]

WIDTH: Final = 480  # px
HEIGHT: Final = 160
PLACE: Final = (255, 138, 51)  # beside the black around it, visible on every gray
GROWN: Final = 2  # px around a place, so that the line is not on it


def thumbnail(content: bytes, regions: Sequence[dict[str, Any]], decoder: InputSpec) -> bytes:
    """A JPEG file of at most WIDTH x HEIGHT px, the aspect ratio kept.

    content  the image file
    regions  as a row of `verdicts` holds them, in pixels of the original
    decoder  whose identity of the decoder is used
    raises   Problem 409 where the image cannot be read
    """
    spec = replace(decoder, height=HEIGHT, width=WIDTH, fit="letterbox")
    read = decode(content, "image", spec)
    if read.gray is None:
        raise Problem(409, "bad_image", read.detail, "the sheet has no picture: its image cannot be read")
    placement = read.placement(spec)
    picture = Image.fromarray(read.gray).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for region in regions:
        left, top, right, bottom = placement.to_model(tuple(region["box"]))
        box = (left - GROWN, top - GROWN, max(right, left + 1) + GROWN, max(bottom, top + 1) + GROWN)
        outer = (box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1)
        draw.rectangle(outer, outline=(0, 0, 0), width=4)
        draw.rectangle(box, outline=PLACE, width=2)
    buffer = BytesIO()
    picture.crop(placement.model_box).save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
