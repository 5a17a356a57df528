"""Defects of a coil as points: metres along the strip, millimetres across it, side and type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from steelsight.errors import BadInput
from steelsight.ledger.coils.defects import MergedDefect

__all__ = ["Floats", "StripPoints", "points_of"]

Floats = npt.NDArray[np.float64]
FARTHEST_M: Final = 1e5  # no coil is as long
FARTHEST_MM: Final = 1e5  # nor as wide


@dataclass(frozen=True, eq=False)
class StripPoints:
    """Centres of defects; raises BadInput for lists of different length and places no strip has."""

    along_m: Floats  # (n,)
    across_mm: Floats  # (n,) from the reference edge of the strip
    labels: tuple[str, ...]  # (n,) type of defect
    sides: tuple[str | None, ...]  # (n,) top, bottom; None = unknown

    def __post_init__(self) -> None:
        count = len(self.labels)
        sizes = {
            "along_m": self.along_m.shape,
            "across_mm": self.across_mm.shape,
            "sides": (len(self.sides),),
        }
        for name, shape in sizes.items():
            if shape != (count,):
                raise BadInput(f"{name}: expected {count} values, one a label, got the shape {shape}")
        for name, limit in (("along_m", FARTHEST_M), ("across_mm", FARTHEST_MM)):
            values = getattr(self, name)
            bad = np.flatnonzero(~(np.abs(values) <= limit))  # NaN is refused too
            if bad.size:
                raise BadInput(
                    f"{name}, value {bad[0]}: expected a number from {-limit:g} to {limit:g}, "
                    f"got {values[bad[0]]}; check the positions of the coil's sheets"
                )

    def __len__(self) -> int:
        return len(self.labels)


def points_of(defects: Sequence[MergedDefect]) -> StripPoints:
    """The centres of merged defects, in their order."""
    places = [each.place for each in defects]
    return StripPoints(
        np.array([(place.start_m + place.end_m) / 2 for place in places], dtype=np.float64),
        np.array([(place.left_mm + place.right_mm) / 2 for place in places], dtype=np.float64),
        tuple(each.label for each in defects),
        tuple(each.side for each in defects),
    )
