"""What the estimates need of a period: sheets by outcome, reviewed draws, and answers to known cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

__all__ = ["AuditData", "AuditedSheet", "KnownAnswer", "Outcome", "SheetGroup", "parts_of", "week_of"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Outcome(StrEnum):
    """What a verdict did with a sheet."""

    PASSED = "passed"  # decided, without a defect
    REJECTED = "rejected"  # decided, with a defect
    REFERRED = "referred"  # not decided: a person is asked


@dataclass(frozen=True)
class SheetGroup:
    """What sheets of one group have in common."""

    station: str
    week: str  # ISO week of the capture, such as 2026-W48, by UTC
    outcome: Outcome


@dataclass(frozen=True)
class AuditedSheet:
    """A drawn sheet with the first review of a person who had not seen its verdict."""

    sheet: str
    group: SheetGroup
    coil: str | None
    probability: float  # of inclusion
    verdict: str  # the model's label
    answer: str  # the person's label
    person: str
    reviewed_us: int  # microseconds since 1970-01-01 UTC
    answers: tuple[tuple[str, str], ...]  # (person, label) of all who reviewed it without seeing the verdict


@dataclass(frozen=True)
class KnownAnswer:
    """What a person said of a sheet whose right label is known."""

    sheet: str
    coil: str | None
    person: str
    answer: str
    truth: str
    verdict: str | None  # the model's label; None = there was none
    shown: bool  # whether the person saw it before


@dataclass(frozen=True)
class AuditData:
    """A period of one or several stations."""

    sheets: Mapping[
        tuple[SheetGroup, str | None], tuple[int, int]
    ]  # by group and coil: sheets, of them drawn
    audited: tuple[AuditedSheet, ...]
    known: tuple[KnownAnswer, ...]
    clean: str = "none"  # the label of sheets without a defect
    unsure: int = 0  # draws whose reviewers could not tell
    not_blind: int = 0  # reviews of draws by people who had seen the verdict; not used
    blind_known: bool = True  # whether the ledger says which reviews were blind; else all are taken for it

    def count(self, outcome: Outcome) -> int:
        """Sheets with an outcome."""
        return sum(number for (group, _coil), (number, _) in self.sheets.items() if group.outcome is outcome)

    def of_station(self, station: str) -> AuditData:
        """The part of one station; known cases are kept, because they are of the reviewers."""
        return self._where(lambda group: group.station == station)

    def of_week(self, week: str) -> AuditData:
        """The part of one week, likewise."""
        return self._where(lambda group: group.week == week)

    def _where(self, keep: Callable[[SheetGroup], bool]) -> AuditData:
        return replace(
            self,
            sheets={key: value for key, value in self.sheets.items() if keep(key[0])},
            audited=tuple(each for each in self.audited if keep(each.group)),
        )


def week_of(captured_us: int) -> str:
    """The ISO week of a time by UTC.

    >>> week_of(1_700_000_000_000_000)
    '2023-W46'
    """
    year, week, _day = (EPOCH + timedelta(microseconds=captured_us)).isocalendar()
    return f"{year}-W{week:02}"


def parts_of(label: str, clean: str) -> frozenset[str]:
    """The types in a label; none for a sheet without a defect.

    >>> sorted(parts_of("scratch + dent", "none")), sorted(parts_of("none", "none"))
    (['dent', 'scratch'], [])
    """
    return frozenset(part for part in label.split(" + ") if part != clean)
