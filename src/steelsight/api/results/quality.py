"""Result of asking a ledger about quality: escape and overkill from audit draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable
from steelsight.types import Interval

if TYPE_CHECKING:
    from steelsight.quality.correction import CorrectedShare
    from steelsight.quality.escape import Escape, Ratio
    from steelsight.quality.report import QualityReport

__all__ = ["QualityResult"]


@dataclass(frozen=True, eq=False, repr=False)
class QualityResult(NotebookResult):
    """Escape and overkill of a period, and the people who review, with 95 % bounds."""

    report: QualityReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """How many sheets passed, and how many of them were drawn and reviewed."""
        whole = self.report.whole
        passed, reviewed = whole.sheets["passed"], whole.reviewed["passed"]
        return f"{passed:,} passed sheets, {reviewed:,} of them drawn for audit and reviewed"

    @property
    def notes(self) -> tuple[str, ...]:
        """What limits the estimates."""
        return tuple(map(str, self.report.notes))

    @property
    def groups(self) -> dict[str, Escape]:
        """The estimates of all sheets, as `all`, then by type, station and week."""
        found = self.report
        return {"all": found.whole, **found.by_type, **found.by_station, **found.by_week}

    def as_dict(self) -> dict[str, Any]:
        """Escape by group, reviewers, agreement, certificate, confusion and notes."""
        values: dict[str, Any] = plain(self.report.as_dict())
        return values

    def table(self) -> ResultTable:
        """One row a group: passed sheets, reviewed draws of them, and the shares; NaN where unknown."""
        titles = (
            *("group", "passed sheets", "reviewed draws", "defective among passed"),
            *("missed among defective", "good among rejected", "rejected among good"),
        )
        return ResultTable(titles, tuple(_row(name, each) for name, each in self.groups.items()))


def _row(name: str, escape: Escape) -> tuple[Any, ...]:
    return (
        name,
        escape.sheets["passed"],
        escape.reviewed["passed"],
        _interval(escape.defective_among_passed),
        _interval(escape.missed_among_defective),
        _interval(escape.good_among_rejected),
        _interval(escape.rejected_among_good),
    )


def _interval(found: CorrectedShare | Ratio | None) -> Interval:
    if found is None:
        return Interval(math.nan, math.nan, math.nan)
    return Interval(math.nan if found.estimate is None else found.estimate, found.low, found.high)
