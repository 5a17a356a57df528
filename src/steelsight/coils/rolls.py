"""A table of roll diameters, and which rolls a repeat distance may come from.

The table is CSV with the columns `name`, `diameter_mm` and `tolerance_mm` (how far the diameter may lie from
the one stated, by grinding and wear), in any order, and `stretch` where wanted: how much longer the strip is
at the camera than at the roll, 1 without the column. A roll marks the strip every π x diameter x stretch.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

from steelsight.csv_text import read_cell
from steelsight.errors import BadInput
from steelsight.reading import read_regular

__all__ = ["NamedRoll", "Roll", "name_rolls", "parse_rolls", "read_rolls"]

LARGEST: Final = 2**20  # bytes
MOST_ROLLS: Final = 10_000
LONGEST_NAME: Final = 200
COLUMNS: Final = ("name", "diameter_mm", "tolerance_mm")
STRETCH: Final = "stretch"
DIAMETERS_MM: Final = (10.0, 10_000.0)
STRETCHES: Final = (0.01, 1000.0)
EXAMPLE: Final = "name,diameter_mm,tolerance_mm"
ERRORS: Final = 3.0  # standard errors that a period may be off


@dataclass(frozen=True)
class Roll:
    """A roll of the line."""

    name: str
    diameter_mm: float
    tolerance_mm: float
    stretch: float = 1.0  # length of the strip at the camera divided by its length at the roll

    @property
    def distance_m(self) -> float:
        """The repeat distance of its marks at the camera."""
        return math.pi * self.diameter_mm * self.stretch / 1000


@dataclass(frozen=True)
class NamedRoll:
    """A roll that a repeat distance may come from."""

    roll: Roll
    off_mm: float  # diameter by the repeat distance, less the roll's own

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self.roll), "distance_m": self.roll.distance_m, "off_mm": self.off_mm}


def name_rolls(period_m: float, error_m: float, rolls: Sequence[Roll]) -> tuple[NamedRoll, ...]:
    """The rolls whose circumference a repeat distance is, the nearest one first.

    error_m  standard error of the period; three of them are added to each roll's tolerance

    >>> [each.roll.name for each in name_rolls(1.885, 0.0, [Roll("F6", 600.0, 2.0), Roll("F7", 500.0, 2.0)])]
    ['F6']
    """
    found = []
    for roll in rolls:
        to_mm = 1000 / (math.pi * roll.stretch)
        off = period_m * to_mm - roll.diameter_mm
        if abs(off) <= roll.tolerance_mm + ERRORS * error_m * to_mm:
            found.append(NamedRoll(roll, off))
    return tuple(sorted(found, key=lambda each: (abs(each.off_mm), each.roll.name)))


def read_rolls(path: Path) -> tuple[Roll, ...]:
    """The rolls of a CSV file.

    raises  BadInput: it cannot be read, or as `parse_rolls`
    """
    try:
        content = read_regular(path, most_bytes=LARGEST)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from error
    return parse_rolls(content, str(path))


def parse_rolls(content: bytes, where: str = "rolls") -> tuple[Roll, ...]:
    """The rolls of a table.

    where   of the table, for messages
    raises  BadInput, with the row: no UTF-8, a column or cell that is missing, unknown or given twice, a
            number out of range, a name that is empty or comes twice, no roll, more than 10,000
    """
    rows = _rows(content, where)
    columns = _columns(rows[0][1] if rows else [], where)
    rolls: dict[str, Roll] = {}
    for line, cells in rows[1:]:
        place = f"{where} line {line}"
        roll = _roll(dict(zip(columns, cells, strict=False)), len(cells), columns, place)
        if roll.name in rolls:
            raise BadInput(
                f"{place}: the name {roll.name!r:.120} comes a second time; give each roll its own"
            )
        rolls[roll.name] = roll
        if len(rolls) > MOST_ROLLS:
            raise BadInput(f"{where}: more than {MOST_ROLLS} rolls; give the rolls of one line only")
    if not rolls:
        raise BadInput(f"{where}: expected a row for each roll below the heading, got none")
    return tuple(rolls.values())


def _rows(content: bytes, where: str) -> list[tuple[int, list[str]]]:
    """Rows with anything in them, and the number of the line each ends at."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{where}: expected text in UTF-8, got the byte {content[error.start]:#04x} at {error.start}; "
            "save the table as CSV in UTF-8"
        ) from error
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, [read_cell(cell.strip()) for cell in row]) for row in reader]
    except csv.Error as error:
        raise BadInput(
            f"{where} line {reader.line_num}: expected CSV, got a row that is none ({error})"
        ) from error
    return [(line, cells) for line, cells in rows if any(cells)]


def _columns(heading: list[str], where: str) -> list[str]:
    names = [cell.lower() for cell in heading]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise BadInput(f"{where}: expected columns separated by commas, got {heading[0]!r:.120}")
    for name in COLUMNS:
        if name not in names:
            raise BadInput(
                f"{where}: expected a heading with the columns {EXAMPLE}, found no {name} in {heading!s:.200}"
            )
    unknown = [name for name in names if name not in (*COLUMNS, STRETCH)]
    twice = [name for name in names if names.count(name) > 1]
    if unknown or twice:
        problem = f"unknown column {unknown[0]!r:.80}" if unknown else f"column {twice[0]} twice"
        raise BadInput(f"{where}: expected the columns {EXAMPLE} and {STRETCH} where wanted, got {problem}")
    return names


def _roll(cells: dict[str, str], count: int, columns: list[str], place: str) -> Roll:
    if count != len(columns):
        raise BadInput(
            f"{place}: expected {len(columns)} cells, got {count}; write numbers with a decimal point"
        )
    name = cells["name"]
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(f"{place}, name: expected 1 to {LONGEST_NAME} printable characters, got {name!r:.120}")
    diameter = _number(cells, "diameter_mm", place, *DIAMETERS_MM)
    tolerance = _number(cells, "tolerance_mm", place, 0.0, diameter / 2)
    stretch = _number(cells, STRETCH, place, *STRETCHES) if STRETCH in cells else 1.0
    return Roll(name, diameter, tolerance, stretch)


def _number(cells: dict[str, str], name: str, place: str, least: float, most: float) -> float:
    text = cells[name]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:  # NaN is refused too
        raise BadInput(f"{place}, {name}: expected a number from {least:g} to {most:g}, got {text!r:.60}")
    return value
