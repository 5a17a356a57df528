"""The table of a coil's defects: filters, pages, and counts by type."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from steelsight.service.api.models.values import Parameters
from steelsight.service.pages.coil.reading import Coil, ShownDefect

__all__ = ["DefectFilter", "DefectTable", "Placed", "TypeCount", "count_types", "defect_table", "largest"]

ROWS: Final = 50  # of a page
PRINTED: Final = 20  # defects in the printed report
Name = Annotated[str, Field(max_length=200)]


class DefectFilter(Parameters):
    """Which defects to show; empty = all."""

    label: Name = ""
    state: Name = ""
    station: Name = ""
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1

    def fits(self, each: ShownDefect) -> bool:
        """Whether a defect is shown."""
        return (
            self.label in ("", each.defect.label)
            and self.state in ("", each.state)
            and self.station in ("", each.station)
        )


@dataclass(frozen=True)
class Placed:
    """A defect and its number on the map."""

    number: int
    shown: ShownDefect
    sheets: tuple[str, ...]  # along the coil


@dataclass(frozen=True)
class DefectTable:
    """A page of the table."""

    rows: tuple[Placed, ...]
    found: int  # on all pages
    page: int
    pages: int
    first: int  # number of the first row, from 1


@dataclass(frozen=True)
class TypeCount:
    """Defects of one type."""

    label: str
    count: int
    doubtful: int  # on a sheet that was not decided
    head: int
    tail: int
    per_100_m: float | None  # None = the coil has no length
    longest_mm: float


def defect_table(coil: Coil, wanted: DefectFilter) -> DefectTable:
    """The page that was asked for, or the last one where there are fewer."""
    found = [number for number, each in enumerate(coil.defects) if wanted.fits(each)]
    pages = max(1, -(-len(found) // ROWS))
    page = min(wanted.page, pages)
    start = (page - 1) * ROWS
    rows = tuple(_placed(coil, number) for number in found[start : start + ROWS])
    return DefectTable(rows, len(found), page, pages, start + 1)


def largest(coil: Coil, wanted: DefectFilter) -> tuple[Placed, ...]:
    """The defects with the largest area, for the printed report, along the coil."""
    found = [number for number, each in enumerate(coil.defects) if wanted.fits(each)]
    found.sort(key=lambda number: (-coil.defects[number].defect.area_mm2, number))
    return tuple(_placed(coil, number) for number in sorted(found[:PRINTED]))


def _placed(coil: Coil, number: int) -> Placed:
    shown = coil.defects[number]
    return Placed(number, shown, tuple(dict.fromkeys(sheet for sheet, _ in shown.defect.members)))


def count_types(coil: Coil, ends_m: float) -> tuple[TypeCount, ...]:
    """Counts by type, the most frequent first.

    ends_m  of head and tail; a defect lies where its middle does
    """
    by_label: dict[str, list[ShownDefect]] = defaultdict(list)
    for each in coil.defects:
        by_label[each.defect.label].append(each)
    counts = [_count(label, found, coil, ends_m) for label, found in by_label.items()]
    return tuple(sorted(counts, key=lambda each: (-each.count, each.label)))


def _count(label: str, found: Sequence[ShownDefect], coil: Coil, ends_m: float) -> TypeCount:
    places = [each.defect.place for each in found]
    middles = [(place.start_m + place.end_m) / 2 for place in places]
    ends = coil.ends(ends_m)
    return TypeCount(
        label,
        len(found),
        sum(each.state != "decided" for each in found),
        0 if ends is None else sum(middle < ends[0] for middle in middles),
        0 if ends is None else sum(middle > ends[1] for middle in middles),
        100 * len(found) / coil.length_m if coil.length_m else None,
        max((place.end_m - place.start_m) * 1000 for place in places),
    )
