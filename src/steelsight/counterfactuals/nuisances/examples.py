"""Sheets of a list that lie beside it, as `steelsight reviews export` writes them: how a nuisance looks.

They are other sheets than those that are evaluated: the list says nothing of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from steelsight.errors import BadImage
from steelsight.reading import inside
from steelsight.sheets.images.pixels import fit_mask, read_sheet_and_size
from steelsight.sheets.rle import decode_runs
from steelsight.types import GrayBatch, InputSpec

__all__ = ["NuisanceExamples", "read_examples"]

HALF = 0.5  # share of a model pixel from which it is marked


@dataclass(frozen=True)
class NuisanceExamples:
    """Sheets that have a nuisance, at the size of the model."""

    images: GrayBatch  # (m, h, w)
    marks: Bool[np.ndarray, "m h w"]  # what people marked; all False on a sheet without a mark

    def __len__(self) -> int:
        return len(self.images)


def read_examples(folder: Path, rows: Iterable[tuple[str, str]], spec: InputSpec) -> NuisanceExamples | None:
    """Read the sheets of a list; None where none of them lies in the folder of the list.

    rows    name of each sheet with the nuisance, and its mark as run lengths on the image, "" = none
    raises  BadAnnotation where run lengths do not describe a mask of their image
    """
    images, marks = [], []
    for name, runs in rows:
        try:
            path = inside(folder, name)
            gray, size = read_sheet_and_size(path, spec)
        except (ValueError, OSError, BadImage):  # not there, or no image
            continue
        images.append(gray)
        marks.append(fit_mask(decode_runs(runs, size, where=name), spec) >= HALF)
    return NuisanceExamples(np.stack(images), np.stack(marks)) if images else None
