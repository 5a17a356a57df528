"""One defect across the borders of images is one defect.

Two regions are parts of one defect where they carry one label on one side of one coil, come from different
sheets, and either their places overlap, or both reach the borders of their images that face each other and
lie no farther apart than a tolerance, along and across. Regions of one sheet are joined only through a region
of another; regions of two stations only where both are known to lie across the strip. The result depends on
the regions alone and not on the order in which they came.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from steelsight.errors import BadInput
from steelsight.ledger.coils.calibration import StripBox
from steelsight.ledger.coils.joining import Rectangles, connected

__all__ = ["TOLERANCE_MM", "MergedDefect", "PlacedRegion", "merge_regions"]

TOLERANCE_MM: Final = 5.0


@dataclass(frozen=True)
class PlacedRegion:
    """A region of a verdict, on the strip."""

    sheet: str
    index: int  # in the verdict's regions
    station: str
    label: str
    side: str | None
    place: StripBox
    image: StripBox  # the whole image's place
    across_known: bool  # by a calibration or by the sheet; else images begin at 0 and pixels are square
    score: float
    area_mm2: float

    @property
    def key(self) -> tuple[str, int]:
        """Its identity."""
        return self.sheet, self.index


@dataclass(frozen=True)
class MergedDefect:
    """One defect of a coil: the regions of one or several images."""

    id: str  # of the coil and the region that lies first along it: the same while the defect grows onwards
    label: str
    side: str | None
    place: StripBox
    score: float  # the highest of its regions
    area_mm2: float  # the sum over its regions
    members: tuple[tuple[str, int], ...]  # sheet and number of region, along the coil

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; metres along the coil, millimetres across it."""
        place = self.place
        return {
            "id": self.id,
            "label": self.label,
            "side": self.side,
            "start_m": place.start_m,
            "end_m": place.end_m,
            "left_mm": place.left_mm,
            "right_mm": place.right_mm,
            "length_mm": (place.end_m - place.start_m) * 1000,
            "width_mm": place.right_mm - place.left_mm,
            "area_mm2": self.area_mm2,
            "score": self.score,
            "members": [{"sheet": sheet, "region": index} for sheet, index in self.members],
        }


def merge_regions(
    coil: str, regions: Iterable[PlacedRegion], tolerance_mm: float = TOLERANCE_MM
) -> tuple[MergedDefect, ...]:
    """The defects that regions of one coil are parts of, along the coil.

    tolerance_mm  the largest gap between parts that border on each other; 0 = they touch
    raises        BadInput for an impossible tolerance, and where too many regions lie at one place
    """
    if not 0 <= tolerance_mm <= 1000:
        raise BadInput(f"tolerance: expected 0 to 1000 mm, got {tolerance_mm}")
    groups: dict[tuple[str, str | None], list[PlacedRegion]] = defaultdict(list)
    for region in regions:
        groups[region.label, region.side].append(region)
    defects = [
        _defect(coil, parts)
        for alike in groups.values()
        for parts in _connected(sorted(alike, key=_along), tolerance_mm)
    ]
    return tuple(sorted(defects, key=lambda each: (each.place.start_m, each.id)))


def _along(region: PlacedRegion) -> tuple[float, str, int]:
    return region.place.start_m, region.sheet, region.index


def _connected(regions: Sequence[PlacedRegion], tolerance_mm: float) -> Iterator[list[PlacedRegion]]:
    """Groups of regions that are joined by pairs; the regions are sorted along the coil."""
    found = Rectangles(
        places=_spans([each.place for each in regions]),
        images=_spans([each.image for each in regions]),
        sheets=_numbered([each.sheet for each in regions]),
        stations=_numbered([each.station for each in regions]),
        known=np.array([each.across_known for each in regions]),
    )
    for group in connected(found, tolerance_mm):
        yield [regions[number] for number in group]


def _spans(places: Sequence[StripBox]) -> npt.NDArray[np.float64]:
    """(n, 2, 2): along and across, from and to, in mm."""
    rows = [(each.start_m, each.end_m, each.left_mm, each.right_mm) for each in places]
    return np.array(rows).reshape(-1, 2, 2) * [[1000.0, 1000.0], [1.0, 1.0]]


def _numbered(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """A number for each name, the same for equal ones."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names])


def _defect(coil: str, parts: Sequence[PlacedRegion]) -> MergedDefect:
    ordered = sorted(parts, key=_along)
    first = ordered[0]
    identity = hashlib.sha256(f"{coil}\0{first.sheet}\0{first.index}".encode()).hexdigest()[:32]
    if len(ordered) == 1:  # as most are: coils of 20,000 defects are shown within a second
        key = (first.key,)
        return MergedDefect(identity, first.label, first.side, first.place, first.score, first.area_mm2, key)
    place = StripBox(
        min(each.place.start_m for each in parts),
        max(each.place.end_m for each in parts),
        min(each.place.left_mm for each in parts),
        max(each.place.right_mm for each in parts),
    )
    return MergedDefect(
        identity,
        first.label,
        first.side,
        place,
        max(each.score for each in parts),
        sum(each.area_mm2 for each in ordered),
        tuple(each.key for each in ordered),
    )
