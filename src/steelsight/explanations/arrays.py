"""The maps of explained sheets as numbers: one .npz file a sheet, read without this package.

`docs/maps.md` documents the keys, shapes and the coordinate frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from steelsight.explanations.sources import ReadSheet
from steelsight.explanations.verdicts import Explanation
from steelsight.files import pack_arrays, replace_file
from steelsight.models.card import Card
from steelsight.sheets.images.pixels import place, read_size

__all__ = ["save_arrays"]


def save_arrays(
    sheets: Sequence[ReadSheet],
    explanations: Sequence[Explanation],
    card: Card,
    figures: Sequence[Path],
    *,
    method: str,
) -> list[Path]:
    """Write one .npz a sheet, beside its figure and named as it.

    raises  BadOutput where a file cannot be written
    """
    paths = []
    for sheet, explanation, figure in zip(sheets, explanations, figures, strict=True):
        path = figure.with_name(f"{figure.stem}.npz")
        replace_file(path, pack_arrays(_arrays(sheet, explanation, card, method)))
        paths.append(path)
    return paths


def _arrays(sheet: ReadSheet, explanation: Explanation, card: Card, method: str) -> dict[str, np.ndarray]:
    size = read_size(sheet.item.path)
    placement = place(size, card.input)
    arrays = {
        "maps": explanation.maps,
        "map_classes": np.array([card.class_names[index] for index in explanation.targets]),
        "image": sheet.gray,
        "class_names": np.array(card.class_names),
        "probabilities": explanation.probabilities.astype(np.float64),
        "temperature": np.array(explanation.temperature),
        "original_size": np.array(size, dtype=np.int64),
        "original_box": np.array(placement.original_box, dtype=np.float64),
        "model_box": np.array(placement.model_box, dtype=np.int64),
        "method": np.array(method),
    }
    if sheet.mask is not None:
        arrays["mask"] = np.asarray(sheet.mask, dtype=np.float32)
    return arrays
