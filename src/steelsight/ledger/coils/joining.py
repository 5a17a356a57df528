"""Which rectangles on a strip are joined, and the groups that follow; pairs are compared in arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from steelsight.errors import BadInput

__all__ = ["Rectangles", "connected"]

ROUNDING_MM: Final = 1e-6  # of sums of metres
BLOCK: Final = 200_000  # pairs that are compared at a time
MOST_PAIRS: Final = 20_000_000  # that lie at one place along the coil: a few seconds
Spans = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rectangles:
    """Regions and their images, sorted by where the regions begin along the strip."""

    places: Spans  # (n, 2, 2): along and across, from and to, in mm
    images: Spans  # (n, 2, 2) likewise, of the whole image
    sheets: Numbers  # (n,) equal for regions of one sheet, which are never joined to each other
    stations: Numbers  # (n,) likewise; regions of two stations are joined only where both are `known`
    known: npt.NDArray[np.bool_]  # (n,) whether the place across is known


def connected(regions: Rectangles, tolerance_mm: float) -> Iterator[list[int]]:
    """Groups of regions that are joined by pairs, each in order; the groups by their first region.

    raises  BadInput where more than 20 million pairs lie at one place along the coil
    """
    labels = np.arange(len(regions.sheets))
    for one, other in _near_along(regions.places[:, 0], tolerance_mm + 2 * ROUNDING_MM):
        apart = labels[one] != labels[other]
        one, other = one[apart], other[apart]
        joined = _joined(regions, one, other, tolerance_mm + ROUNDING_MM)
        labels = _unite(labels, one[joined], other[joined])
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    yield from (part.tolist() for part in np.split(order, starts[1:]) if len(part))


def _near_along(along: Spans, most_mm: float) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs of regions with no larger gap along the strip, in blocks: the earlier and the later of each."""
    numbers = np.arange(len(along))
    behind = np.searchsorted(along[:, 0], along[:, 1] + most_mm, side="right")
    counts = np.maximum(behind - numbers - 1, 0)
    sums = np.cumsum(counts)
    total = int(counts.sum())
    if total > MOST_PAIRS:
        raise BadInput(
            f"{len(along)} regions of one label lie so close along the coil that {total} pairs would be "
            f"compared, and {MOST_PAIRS} are possible; check whether the positions of the coil's sheets are "
            "right"
        )
    for start in range(0, total, BLOCK):
        pairs = np.arange(start, min(start + BLOCK, total))
        one = np.searchsorted(sums, pairs, side="right")
        yield one, one + 1 + pairs - (sums[one] - counts[one])


def _joined(regions: Rectangles, one: Numbers, other: Numbers, most_mm: float) -> Any:
    """For each pair, whether the two are parts of one defect."""
    place, beside = regions.places[one], regions.places[other]
    gaps = np.maximum(place[..., 0], beside[..., 0]) - np.minimum(place[..., 1], beside[..., 1])
    gap = gaps.max(axis=1)
    faces = _face(regions, one, other, most_mm).any(axis=1)
    allowed = regions.sheets[one] != regions.sheets[other]
    allowed &= (regions.stations[one] == regions.stations[other]) | (
        regions.known[one] & regions.known[other]
    )
    return allowed & ((gap < -ROUNDING_MM) | ((gap <= most_mm) & faces))


def _face(regions: Rectangles, one: Numbers, other: Numbers, most_mm: float) -> Any:
    """For each pair and axis, whether both reach the borders of their images that face each other."""
    image, beside = regions.images[one], regions.images[other]
    tie = image[..., 0] == beside[..., 0]
    later = (image[..., 0] > beside[..., 0]) | (tie & (image[..., 1] > beside[..., 1]))
    first = np.where(later, other[:, None], one[:, None])
    second = np.where(later, one[:, None], other[:, None])
    axes = np.arange(2)
    end, start = regions.images[first, axes, 1], regions.images[second, axes, 0]
    reaches = end - regions.places[first, axes, 1] <= most_mm
    reaches &= regions.places[second, axes, 0] - start <= most_mm
    return reaches & (start - end <= most_mm)


def _unite(labels: Numbers, one: Numbers, other: Numbers) -> Numbers:
    """Labels after some pairs were joined: of each group the number of its first member."""
    while True:
        low = np.minimum(labels[one], labels[other])
        high = np.maximum(labels[one], labels[other])
        if (low == high).all():
            return labels
        np.minimum.at(labels, high, low)
        while (labels != labels[labels]).any():
            labels = labels[labels]
