"""What the ledger says of a coil: its defects and metres, and the repeat distances on it with their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from steelsight.coils.images import image_multiple, image_spacings
from steelsight.coils.marks import Repeat
from steelsight.coils.points import points_of
from steelsight.coils.repeats import find_repeats
from steelsight.coils.rolls import NamedRoll, Roll, name_rolls
from steelsight.coils.settings import RepeatSettings
from steelsight.errors import BadInput
from steelsight.ledger.coils.defects import TOLERANCE_MM, MergedDefect
from steelsight.ledger.database import schema
from steelsight.ledger.reading.defects import coil_defects

__all__ = [
    "CoilRepeats",
    "NamedRepeat",
    "coil_extent",
    "known_defects",
    "repeats_on_coil",
    "unplaced_words",
]


@dataclass(frozen=True)
class NamedRepeat:
    """A repeat distance and what may cause it."""

    repeat: Repeat
    rolls: tuple[NamedRoll, ...]  # the nearest one first; empty = no roll of the table fits
    images: int | None  # the period is this many distances between images: look at the camera first
    defects: tuple[str, ...]  # ids of the marks

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {name: value for name, value in self.repeat.as_dict().items() if name != "members"}
        rolls = [each.as_dict() for each in self.rolls]
        return {**values, "rolls": rolls, "images": self.images, "defects": list(self.defects)}


@dataclass(frozen=True)
class CoilRepeats:
    """The repeat distances on a coil."""

    coil: str
    repeats: tuple[NamedRepeat, ...]  # the least probable by chance first
    outside: tuple[NamedRepeat, ...]  # regular marks with a period outside the range
    searched: int  # defects
    unplaced: int  # regions of sheets without a place, which were not searched
    settings: RepeatSettings

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "coil": self.coil,
            "repeats": [each.as_dict() for each in self.repeats],
            "outside": [each.as_dict() for each in self.outside],
            "searched": self.searched,
            "unplaced": self.unplaced,
            "settings": vars(self.settings),
        }


def known_defects(
    connection: Connection, coil: str, tolerance_mm: float = TOLERANCE_MM
) -> tuple[tuple[MergedDefect, ...], int]:
    """A coil's defects along it, and the number of regions without a place.

    tolerance_mm  the largest gap between parts of one defect at a border
    raises        BadInput where no sheet of the coil is in the ledger, or as `coil_defects`
    """
    found = coil_defects(connection, coil, tolerance_mm)
    if not found.sheets:
        raise BadInput(f"coil {coil!r:.120}: no sheet of it is in the ledger; check the name")
    return found.defects, found.unplaced


def unplaced_words(count: int) -> str:
    """How many regions have no place on the strip, and what gives them one.

    >>> unplaced_words(0)
    '0 regions of sheets without a place'
    >>> unplaced_words(3)
    '3 regions of sheets without a place: `line --pattern` and `--calibration` give one'
    """
    words = f"{count:,} regions of sheets without a place"
    return f"{words}: `line --pattern` and `--calibration` give one" if count else words


def coil_extent(connection: Connection, coil: str, defects: Sequence[MergedDefect]) -> tuple[float, float]:
    """Metre of the coil's first image, and of the end of its last; (0, 0) where no sheet has a position."""
    table = schema.sheets
    end = table.c.position_m + func.coalesce(table.c.length_m, 0.0)
    query = select(func.min(table.c.position_m), func.max(end)).where(table.c.coil == coil)
    first, last = connection.execute(query).one()
    if first is None:
        return 0.0, 0.0
    return (
        min([first, *(each.place.start_m for each in defects)]),
        max([last, *(each.place.end_m for each in defects)]),
    )


def repeats_on_coil(
    connection: Connection,
    coil: str,
    rolls: Sequence[Roll] = (),
    settings: RepeatSettings = RepeatSettings(),
) -> CoilRepeats:
    """The repeat distances on a coil of the ledger.

    rolls   that may be named, see `coils.rolls`
    raises  BadInput where no sheet of the coil is in the ledger
    """
    defects, unplaced = known_defects(connection, coil)
    spacings = image_spacings(connection, coil)
    found = find_repeats(points_of(defects), settings)

    def named(repeat: Repeat) -> NamedRepeat:
        return NamedRepeat(
            repeat,
            name_rolls(repeat.period_m, repeat.error_m, rolls),
            image_multiple(repeat.period_m, repeat.error_m, spacings),
            tuple(defects[number].id for number in repeat.members),
        )

    inside, outside = (tuple(map(named, each)) for each in (found.candidates, found.outside))
    return CoilRepeats(coil, inside, outside, found.defects, unplaced, settings)
