"""Results of asking a ledger about coils: defects along a coil, repeat distances, two coils compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable
from steelsight.types import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from steelsight.coils.compare import CoilComparison
    from steelsight.coils.read import CoilRepeats, NamedRepeat
    from steelsight.ledger.coils.defects import MergedDefect

__all__ = ["CoilComparisonResult", "CoilDefectsResult", "CoilRepeatsResult"]


@dataclass(frozen=True, eq=False, repr=False)
class CoilDefectsResult(NotebookResult):
    """The defects of a coil, along it; what lies across borders of images is one defect."""

    coil: str
    defects: tuple[MergedDefect, ...]
    unplaced: int  # regions of sheets without a place

    @property
    def title(self) -> str:
        """How many, and on which coil; and how many regions have no place, where some have none."""
        count = len(self.defects)
        words = f"{count:,} defect{'s' * (count != 1)} on {self.coil}"
        return f"{words}; {self.without_place}" if self.unplaced else words

    @property
    def without_place(self) -> str:
        """How many regions have no place on the strip, in words, and what gives them one."""
        from steelsight.coils.read import unplaced_words

        return unplaced_words(self.unplaced)

    def as_dict(self) -> dict[str, Any]:
        """The coil, its defects with metres along and millimetres across, and the regions without a place."""
        defects = [each.as_dict() for each in self.defects]
        values: dict[str, Any] = plain({"coil": self.coil, "defects": defects, "unplaced": self.unplaced})
        return values

    def table(self) -> ResultTable:
        """One row a defect, with the columns of `write`."""
        from steelsight.coils.table import COLUMNS, defect_rows

        rows = (tuple(row[name] for name in COLUMNS) for row in defect_rows(self.coil, self.defects))
        return ResultTable(tuple(COLUMNS), tuple(rows))

    def summary(self) -> ResultTable:
        """One row a type: how many, their area in mm² and the metres between which they lie."""
        labels = sorted({each.label for each in self.defects})
        return ResultTable(
            ("type", "defects", "area mm²", "from m", "to m"), tuple(map(self._of_type, labels))
        )

    def _of_type(self, label: str) -> tuple[Any, ...]:
        own = [each for each in self.defects if each.label == label]
        ends = min(each.place.start_m for each in own), max(each.place.end_m for each in own)
        return label, len(own), sum(each.area_mm2 for each in own), *ends

    def figures(self) -> dict[str, Figure]:
        """`map`: every defect where it lies on the strip; none where there are no defects."""
        if not self.defects:
            return {}
        from steelsight.reports.figures.coil import draw_coil_map

        boxes = [
            (each.place.start_m, each.place.end_m, each.place.left_mm, each.place.right_mm)
            for each in self.defects
        ]
        return {"map": draw_coil_map(boxes, [each.label for each in self.defects], title=self.coil)}

    def write(self, out: Path | str, form: Literal["csv", "parquet"] = "csv") -> Path:
        """Write the table into a folder; returns the file, `defects.csv` or `defects.parquet`.

        raises  BadOutput where it cannot be written
        """
        from steelsight.coils.table import write_defects

        path = Path(out) / f"defects.{form}"
        write_defects(path, self.coil, self.defects, form)
        return path


@dataclass(frozen=True, eq=False, repr=False)
class CoilRepeatsResult(NotebookResult):
    """Defects of a coil that return with the circumference of a roll."""

    found: CoilRepeats  # all of it; its fields are not part of the API's promise

    @property
    def coil(self) -> str:
        """The name of the coil."""
        return self.found.coil

    @property
    def repeats(self) -> tuple[NamedRepeat, ...]:
        """The repeat distances with the rolls that they fit; the least probable by chance first."""
        return self.found.repeats

    @property
    def outside(self) -> tuple[NamedRepeat, ...]:
        """Regular marks with a period outside the range that was searched."""
        return self.found.outside

    @property
    def title(self) -> str:
        """How many, and among how many defects."""
        found = self.found
        return f"{len(found.repeats)} repeat distances on {found.coil}, {found.searched:,} defects searched"

    def as_dict(self) -> dict[str, Any]:
        """Repeat distances with marks and rolls, counts and settings."""
        values: dict[str, Any] = plain(self.found.as_dict())
        return values

    def table(self) -> ResultTable:
        """One row a repeat distance: period in m, place across in mm, marks, bound of chance, rolls."""
        rows = (
            (
                each.repeat.period_m,
                each.repeat.across_mm,
                each.repeat.side,
                each.repeat.label,
                each.repeat.count,
                each.repeat.p_value,
                ", ".join(named.roll.name for named in each.rolls),
            )
            for each in self.repeats
        )
        titles = ("period m", "across mm", "side", "type", "marks", "p at most", "rolls")
        return ResultTable(titles, tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class CoilComparisonResult(NotebookResult):
    """The defects of two coils by type, in all and in bands of metres."""

    comparison: CoilComparison  # all of it; its fields are not part of the API's promise
    unplaced: tuple[int, int]  # regions of sheets without a place, of each coil

    @property
    def title(self) -> str:
        """The two coils and their inspected lengths."""
        (one, other), lengths = self.comparison.coils, self.comparison.lengths_m
        return f"{one}, {lengths[0]:.1f} m, and {other}, {lengths[1]:.1f} m"

    def as_dict(self) -> dict[str, Any]:
        """Coils, lengths, totals, ratios, bands, and regions without a place."""
        values: dict[str, Any] = plain({**self.comparison.as_dict(), "unplaced": self.unplaced})
        return values

    def table(self) -> ResultTable:
        """One row a type: its counts, and how many times as many a metre the second coil has.

        A ratio without an estimate is NaN; an upper bound that is not defined is infinite.
        """
        found = self.comparison
        rows = ((label, *found.totals[label], _ratio(*found.ratios[label])) for label in sorted(found.totals))
        return ResultTable(("type", *found.coils, "times as many a metre"), tuple(rows))


def _ratio(estimate: float | None, low: float, high: float | None) -> Interval:
    return Interval(
        math.nan if estimate is None else estimate, low, math.inf if high is None else high, level=0.95
    )
