"""The map of one class over one sheet, as a transparent picture of the part that the model sees."""

from __future__ import annotations

import numpy as np

from steelsight.reports.overlay import overlay_png
from steelsight.runtime.engine.inspector import Inspector
from steelsight.runtime.engine.reading import decode
from steelsight.runtime.engine.regions import upsample
from steelsight.service.problem import Problem

__all__ = ["class_map"]


def class_map(inspector: Inspector, content: bytes, label: str) -> bytes:
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
    read = decode(content, "image", card.input)
    if read.gray is None:
        raise Problem(409, "bad_image", read.detail, "the sheet has no map: its image cannot be read")
    outputs = inspector.engine(read.gray[np.newaxis])
    grid = outputs.maps[0, card.class_names.index(label)]
    whole = upsample(grid, (card.input.height, card.input.width))
    left, top, right, bottom = read.placement(card.input).model_box
    return overlay_png(np.ascontiguousarray(whole[top:bottom, left:right]))
