"""What repeat distances are searched, and how far marks may lie from where they are expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from steelsight.errors import BadInput

__all__ = ["RepeatSettings"]

SHORTEST_M: Final = 0.1
LONGEST_M: Final = 50.0
TOLERANCES_MM: Final = (1.0, 100.0)
LATERAL_MM: Final = (1.0, 500.0)


@dataclass(frozen=True)
class RepeatSettings:
    """Raises BadInput for numbers that exclude each other or lie out of range."""

    shortest_m: float = 0.5  # period; rolls of 160 mm diameter and more
    longest_m: float = 6.0  # rolls of up to 1.9 m diameter
    lateral_mm: float = 10.0  # how far a mark may lie from the middle of its marks, across
    tolerance_mm: float = 15.0  # along, from where its turn expects it: three times a jitter of 5 mm
    false_alarms: float = 0.01  # most coils without roll marks that may show a candidate, as a share

    def __post_init__(self) -> None:
        if not SHORTEST_M <= self.shortest_m < self.longest_m <= LONGEST_M:
            raise BadInput(
                f"period: expected a range inside {SHORTEST_M:g} to {LONGEST_M:g} m, the smaller one first, "
                f"got {self.shortest_m} to {self.longest_m}"
            )
        bounds = {"tolerance": TOLERANCES_MM, "lateral": LATERAL_MM}
        for name, (least, most) in bounds.items():
            value = getattr(self, f"{name}_mm")
            if not least <= value <= most:
                raise BadInput(f"{name}: expected {least:g} to {most:g} mm, got {value}")
        if not 0 < self.false_alarms < 1:
            raise BadInput(f"false alarms: expected a share above 0 and below 1, got {self.false_alarms}")
        if self.tolerance_mm > self.shortest_m * 1000 / 8:
            raise BadInput(
                f"tolerance: expected at most an eighth of the shortest period, "
                f"{self.shortest_m * 125:g} mm, "
                f"got {self.tolerance_mm:g} mm; search longer periods or give a smaller tolerance"
            )

    @property
    def tolerance_m(self) -> float:
        """The tolerance along, in metres."""
        return self.tolerance_mm / 1000
