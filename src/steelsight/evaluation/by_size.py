"""Recall of defects by their area and by their position on the sheet.

One overall number would hide that small defects, or those near an edge, are missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import Groups, group_index, share_interval, wilson
from steelsight.evaluation.probabilities import check_scores
from steelsight.types import Interval

__all__ = [
    "AreaRow",
    "PlaceRow",
    "SmallestFound",
    "recall_by_area",
    "recall_by_place",
    "reliable_size",
    "smallest_found",
]

ENOUGH = 0.9  # recall from which defects of an area count as reliably found
LEAST_BOUND = 0.8  # lower 95 % bound of that recall; with no miss it takes 16 groups
STEP = 2**0.5  # between the ends of a range of areas

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
    reliable_px: float | None  # the smallest area from which on nine of ten are found; None if not shown
    refuted: bool = False  # even of the largest defects fewer are found, beyond chance


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


def smallest_found(area_px: Areas, found: Found, groups: Groups | None = None) -> SmallestFound:
    """The smallest defect found, and from which area on defects are found reliably.

    Defects are found reliably from an area on where all of these hold for the defects at least as large:

    * counted from the smallest of them upwards, the recall never falls below ENOUGH;
    * in each range of a factor STEP from that area on, and in each quarter of them, it is at least ENOUGH;
    * the lower 95 % bound of their recall (Wilson's, over groups) is at least LEAST_BOUND.

    groups  one name a sheet; None = every sheet its own

    >>> area = np.arange(1.0, 31.0)
    >>> smallest_found(area, area > 5)
    SmallestFound(found_px=6.0, reliable_px=6.0, refuted=False)
    """
    _check(area_px, found, 1, groups)
    if not found.size:
        return SmallestFound(None, None)
    order = np.argsort(area_px, kind="stable")
    area, hit, group = area_px[order], found[order], group_index(groups, found.size)[order]
    starts = [row for row in range(area.size) if row == 0 or area[row] > area[row - 1]]
    reliable = next(
        (float(area[row]) for row in starts if _reliable(area[row:], hit[row:], group[row:])), None
    )
    smallest = float(area_px[found].min()) if found.any() else None
    largest = area >= area[-1] / STEP
    refuted = reliable is None and _pooled(hit[largest], group[largest]).high < ENOUGH
    return SmallestFound(smallest, reliable, refuted)


def reliable_size(smallest: Mapping[str, Any]) -> str:
    """The claim of `smallest_found` as a clause.

    smallest  its fields by name; older files lack `refuted` and had a weaker rule

    >>> reliable_size({"reliable_px": None, "refuted": False})
    'too few defects, or too many misses, to say from which size on nine of ten are found'
    """
    if smallest["reliable_px"] and "refuted" in smallest:
        return f"nine of ten are found from {smallest['reliable_px']:,.0f} pixels on"
    if smallest.get("refuted"):
        return "fewer than nine of ten are found, of the largest too"
    return "too few defects, or too many misses, to say from which size on nine of ten are found"


def _reliable(area: Areas, hit: Found, group: Int[np.ndarray, " k"]) -> bool:
    """The rule of `smallest_found`, for defects in order of area."""
    if _pooled(hit, group).low < LEAST_BOUND:
        return False
    ends = np.append(area[1:] != area[:-1], True)  # sheets of equal area count together
    upwards = np.cumsum(hit) / np.arange(1, hit.size + 1)
    steps = np.floor(np.log(np.maximum(area, 1) / max(float(area[0]), 1.0)) / np.log(STEP) + 1e-9)
    quarters = np.arange(hit.size) * 4 // hit.size
    ranges = [hit[place == number] for place in (steps, quarters) for number in np.unique(place)]
    return bool((upwards[ends] >= ENOUGH).all() and all(some.mean() >= ENOUGH for some in ranges))


def _pooled(hit: Found, group: Int[np.ndarray, " k"]) -> Interval:
    units = int(np.unique(group).size)
    return wilson(units * float(hit.mean()), units)


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
