"""The map of one class over one sheet, as a transparent picture of the part that the model sees."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np

from steelsight.reports.overlay import contours_png, overlay_png
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.engine.regions import upsample
from steelsight.service.pages.review.explained import model_input
from steelsight.service.problem import Problem

__all__ = ["MapStyle", "class_map"]

FINER: Final = 4  # contours are drawn on so many times the model's pixels, up to a width of WIDEST
WIDEST: Final = 1600  # px


class MapStyle(StrEnum):
    """How a map is drawn."""

    HEAT = "heat"
    CONTOURS = "contours"


def class_map(inspector: Inspector, content: bytes, label: str, style: MapStyle = MapStyle.HEAT) -> bytes:
    """The evidence for a class, red, and against it, blue.

    content  the image file
    returns  a PNG file
    raises   Problem: 422 bad_label for a class without a map, 409 bad_image
    """
    card = inspector.bundle.card
    if label not in card.class_names:
        raise Problem(
            422,
            "bad_label",
            f"expected a class with a map, got {label!r:.120}",
            f"choose one of {', '.join(card.class_names)}",
        )
    gray, placement = model_input(inspector, content)
    grid = inspector.engine(gray[np.newaxis]).maps[0, card.class_names.index(label)]
    lines = style is MapStyle.CONTOURS
    finer = max(1, min(FINER, WIDEST // card.input.width)) if lines else 1
    whole = upsample(grid, (card.input.height * finer, card.input.width * finer))
    left, top, right, bottom = (edge * finer for edge in placement.model_box)
    draw = contours_png if lines else overlay_png
    return draw(np.ascontiguousarray(whole[top:bottom, left:right]))
