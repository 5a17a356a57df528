"""Recall of defects by their area and position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Bool

from steelsight.evaluation.by_size import recall_by_area, recall_by_place, smallest_found
from steelsight.evaluation.intervals.bootstrap import Groups
from steelsight.plain import plain
from steelsight.sheets.masks import read_mask
from steelsight.types import SheetItem

__all__ = ["report_places"]


def report_places(
    items: Sequence[SheetItem],
    predicted: Bool[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    resamples: int = 200,
) -> dict[str, Any] | None:
    """Recall of defects by area and by position, for the sheets whose masks are known.

    items      the sheets; those without a defect or without a mask are left out
    predicted  (n,) whether each was predicted to be defective
    returns    areas in pixels of the image files; None where no sheet has a mask
    """
    masked = [i for i, item in enumerate(items) if item.types and item.evidence == "mask" and item.masks]
    places = [_place(items[i]) for i in masked]
    seen = [(i, place) for i, place in zip(masked, places, strict=True) if place[0] > 0]
    if not seen:
        return None
    rows = [i for i, _ in seen]
    area, x, y = np.array([place for _, place in seen], dtype=np.float64).T
    found = predicted[rows]
    names = None if groups is None else [str(groups[i]) for i in rows]
    common: dict[str, Any] = {"rng": rng, "groups": names, "resamples": resamples}
    return {
        "sheets": len(rows),
        "smallest": asdict(smallest_found(area, found, names)),
        "by_area": [plain(asdict(row)) for row in recall_by_area(area, found, **common)],
        "by_place": [plain(asdict(row)) for row in recall_by_place(x, y, found, **common)],
    }


def _place(item: SheetItem) -> tuple[float, float, float]:
    """Number of masked pixels, and their centre as shares of width and height."""
    union: Bool[np.ndarray, "h w"] | None = None
    for mask in read_mask(item).values():
        union = mask if union is None else union | mask
    if union is None or not union.any():
        return 0.0, 0.0, 0.0
    y, x = np.nonzero(union)
    centre_x, centre_y = (x.mean() + 0.5) / union.shape[1], (y.mean() + 0.5) / union.shape[0]
    return float(x.size), float(centre_x), float(centre_y)
