"""From pixels of an image to places on the strip, and back.

The entries of the ledger hold pixels. A station's calibration is on record as an event; a sheet is placed by
the last calibration that its station entered before it. So a place can be computed again at any time, and a
better calibration changes no entry.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from steelsight.errors import BadInput
from steelsight.ledger.chain.canonical_json import canonical_json

__all__ = ["Box", "Calibration", "StripBox"]

VERSION: Final = 1
SCALES: Final = (1e-4, 1e3)  # mm per pixel: from a microscope to a crane's camera
FARTHEST_MM: Final = 1e5  # of an image's edge from the edge of the strip

BOUNDS: Final = {
    "mm_per_px_along": SCALES,
    "mm_per_px_across": SCALES,
    "offset_across_mm": (-FARTHEST_MM, FARTHEST_MM),
}
CHOICES: Final = {
    "along": ("x", "y"),
    "direction": ("forward", "backward"),
    "metres": ("growing", "falling"),
}

Pixel = int | float
Box = tuple[Pixel, Pixel, Pixel, Pixel]  # left, top, right, bottom in pixels; edges


@dataclass(frozen=True)
class StripBox:
    """A rectangle on the strip."""

    start_m: float  # the smaller metre
    end_m: float
    left_mm: float  # from the reference edge of the strip
    right_mm: float


@dataclass(frozen=True)
class Calibration:
    """How the images of one station lie on the strip; raises BadInput for a number out of bounds."""

    mm_per_px_along: float
    mm_per_px_across: float
    offset_across_mm: float = 0.0  # of pixel 0 across; a sheet that states its own place across has that
    along: Literal["x", "y"] = "x"  # the axis of the image that runs along the strip
    direction: Literal["forward", "backward"] = "forward"  # forward: pixel 0 along is the leading edge
    metres: Literal["growing", "falling"] = "growing"  # from the leading edge to the trailing edge

    def __post_init__(self) -> None:
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if not least <= value <= most:  # NaN is refused too
                raise BadInput(f"{name}: expected a number from {least:g} to {most:g}, got {value!r:.40}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values with the version and a hash over them, as the event holds them."""
        values = {"version": VERSION, **asdict(self)}
        return {**values, "sha256": hashlib.sha256(canonical_json(values)).hexdigest()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Calibration:
        """Of the details of an event, or of a file; keys of events that are no values are passed over.

        raises  BadInput for another version, a missing or an impossible value
        """
        if values.get("version") != VERSION:
            raise BadInput(f"version: expected {VERSION}, got {values.get('version')!r:.40}")
        missing = [name for name in ("mm_per_px_along", "mm_per_px_across") if name not in values]
        if missing:
            raise BadInput(f"{missing[0]}: expected a number of millimetres per pixel, got none")
        checks = {**dict.fromkeys(BOUNDS, _number), **dict.fromkeys(CHOICES, _choice)}
        found: dict[str, Any] = {
            name: check(name, values[name]) for name, check in checks.items() if name in values
        }
        return cls(**found)

    def to_strip(
        self, box: Box, size: tuple[int, int], position_m: float, across_mm: float | None = None
    ) -> StripBox:
        """Where a box of an image lies on the strip.

        box         left, top, right, bottom in pixels of the image, edges
        size        (height, width) of the image in pixels
        position_m  of the image's leading edge, as the sheet states it
        across_mm   of pixel 0 across, where the sheet states it
        """
        along, across = self._axes(box)
        ends = [self._metre(each, size, position_m) for each in along]
        offset = self.offset_across_mm if across_mm is None else across_mm
        left, right = (offset + each * self.mm_per_px_across for each in across)
        return StripBox(min(ends), max(ends), left, right)

    def to_pixels(
        self, place: StripBox, size: tuple[int, int], position_m: float, across_mm: float | None = None
    ) -> Box:
        """The inverse of `to_strip`."""
        ends = sorted(self._pixel(each, size, position_m) for each in (place.start_m, place.end_m))
        offset = self.offset_across_mm if across_mm is None else across_mm
        left, right = ((each - offset) / self.mm_per_px_across for each in (place.left_mm, place.right_mm))
        return (ends[0], left, ends[1], right) if self.along == "x" else (left, ends[0], right, ends[1])

    def _axes(self, box: Box) -> tuple[tuple[float, float], tuple[float, float]]:
        left, top, right, bottom = map(float, box)
        return ((left, right), (top, bottom)) if self.along == "x" else ((top, bottom), (left, right))

    def _length_px(self, size: tuple[int, int]) -> int:
        return size[1] if self.along == "x" else size[0]

    def _metre(self, pixel: float, size: tuple[int, int], position_m: float) -> float:
        from_leading = pixel if self.direction == "forward" else self._length_px(size) - pixel
        metres = from_leading * self.mm_per_px_along / 1000
        return position_m + metres if self.metres == "growing" else position_m - metres

    def _pixel(self, metre: float, size: tuple[int, int], position_m: float) -> float:
        metres = metre - position_m if self.metres == "growing" else position_m - metre
        from_leading = metres * 1000 / self.mm_per_px_along
        return from_leading if self.direction == "forward" else self._length_px(size) - from_leading


def _number(name: str, value: object) -> float:
    least, most = BOUNDS[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{name}: expected a number from {least:g} to {most:g}, got {value!r:.40}")
    return float(value)


def _choice(name: str, value: object) -> Any:
    if value not in CHOICES[name]:
        raise BadInput(f"{name}: expected {' or '.join(CHOICES[name])}, got {value!r:.40}")
    return value
