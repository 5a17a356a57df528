"""Recall of defects by their area and by their position on the sheet.

One overall number would hide that small defects, or those near an edge, are missed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import Groups, group_index, share_interval
from steelsight.evaluation.probabilities import check_scores
from steelsight.types import Interval

__all__ = ["AreaRow", "PlaceRow", "SmallestFound", "recall_by_area", "recall_by_place", "smallest_found"]

ENOUGH = 0.9  # recall from which defects of an area count as reliably found

Areas = Float[np.ndarray, " n"]
Found = Bool[np.ndarray, " m"]


@dataclass(frozen=True)
class AreaRow:
    """Defective sheets of a range of areas."""

    low_px: float
    high_px: float
    sheets: int
    recall: Interval


@dataclass(frozen=True)
class PlaceRow:
    """Defective sheets whose defect has its centre in one field of the sheet."""

    left: float  # all four: shares of the width or height
    right: float
    top: float
    bottom: float
    sheets: int
    recall: Interval


@dataclass(frozen=True)
class SmallestFound:
    """The smallest areas of defects that are found."""

    found_px: float | None  # area of the smallest defect found; None if none is
    reliable_px: float | None  # the smallest area above which at least 90 % are found; None if there is none


def recall_by_area(
    area_px: Areas,
    found: Found,
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    bins: int = 4,
    resamples: int = 1000,
) -> tuple[AreaRow, ...]:
    """Recall in ranges of area with equal numbers of sheets, quartiles by default.

    area_px  (n,) masked pixels of each defective sheet
    found    (n,) whether the verdict was defective, or the right type
    returns  fewer rows where areas repeat so often that a range would be empty; none for no sheets
    raises   BadInput for an area that is not finite or below 0, or fewer than one range
    """
    _check(area_px, found, bins, groups)
    if not found.size:
        return ()
    edges = np.unique(np.quantile(area_px, np.linspace(0, 1, bins + 1)))
    place = np.clip(np.searchsorted(edges, area_px, side="right") - 1, 0, max(0, edges.size - 2))
    rows = []
    for number in range(max(1, edges.size - 1)):
        inside = place == number
        if inside.any():
            high = edges[min(number + 1, edges.size - 1)]
            recall = share_interval(found, inside, groups, rng=rng, resamples=resamples)
            rows.append(AreaRow(float(edges[number]), float(high), int(inside.sum()), recall))
    return tuple(rows)


def smallest_found(area_px: Areas, found: Found) -> SmallestFound:
    """The smallest defect found, and from which area on defects are found reliably.

    >>> smallest_found(np.array([10.0, 20, 30, 40]), np.array([True, False, True, True]))
    SmallestFound(found_px=10.0, reliable_px=30.0)
    """
    _check(area_px, found, 1, None)
    if not found.any():
        return SmallestFound(None, None)
    order = np.argsort(-area_px, kind="stable")
    ranked = area_px[order]
    share = np.cumsum(found[order]) / np.arange(1, found.size + 1)
    ends = np.append(ranked[1:] != ranked[:-1], True)  # sheets of equal area count together
    good = ends & (share >= ENOUGH)
    reliable = float(ranked[good].min()) if good.any() else None
    return SmallestFound(float(area_px[found].min()), reliable)


def recall_by_place(
    x: Areas,
    y: Float[np.ndarray, " k"],
    found: Found,
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    columns: int = 4,
    rows: int = 2,
    resamples: int = 1000,
) -> tuple[PlaceRow, ...]:
    """Recall by the position of the defect's centre, field by field; empty fields are left out.

    x, y    (n,) shares of the sheet's width and height, in 0..1
    raises  BadInput for a centre outside the sheet, or a grid without fields
    """
    _check(x, found, min(columns, rows), groups)
    check_scores(y, found.size)
    if x.size and not (min(x.min(), y.min()) >= 0 and max(x.max(), y.max()) <= 1):
        raise BadInput("recall by place: expected centres as shares from 0 to 1 of width and height")
    column = np.minimum((x * columns).astype(np.int64), columns - 1)
    row = np.minimum((y * rows).astype(np.int64), rows - 1)
    fields = []
    for i in range(rows):
        for j in range(columns):
            inside = (row == i) & (column == j)
            if inside.any():
                recall = share_interval(found, inside, groups, rng=rng, resamples=resamples)
                bounds = (j / columns, (j + 1) / columns, i / rows, (i + 1) / rows)
                fields.append(PlaceRow(*bounds, int(inside.sum()), recall))
    return tuple(fields)


def _check(values: Areas, found: Found, fields: int, groups: Groups | None) -> None:
    check_scores(values, found.size)
    group_index(groups, found.size)  # refuses another number of names
    if values.size and values.min() < 0:
        raise BadInput(f"recall: expected values of at least 0, got {values.min():g}")
    if fields < 1:
        raise BadInput(f"recall: expected at least one range, got {fields}")
