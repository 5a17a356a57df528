"""Which period, station and bundle the page is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Query

from steelsight.quality.ledger import Period
from steelsight.service.pages.days import FIRST_DAY, bad_period, day_range, read_day

__all__ = ["QualityQuery", "read_query"]

WEEKS: Final = 12  # of the period that is shown first
Day = Annotated[str, Query(max_length=40)]
Name = Annotated[str, Query(max_length=4096, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True)
class QualityQuery:
    """What was chosen; days by UTC."""

    since: date
    until: date  # the last day of the period
    station: str | None = None
    bundle: str | None = None  # model id

    @property
    def period(self) -> Period:
        """The period as the estimates take it."""
        since, until = day_range(self.since, self.until)
        return Period(since, until, self.station, self.bundle)

    @property
    def address(self) -> str:
        """The same as parameters of an address."""
        values = {"since": self.since, "until": self.until, "station": self.station, "bundle": self.bundle}
        return urlencode({name: str(value) for name, value in values.items() if value is not None})


def read_query(since: Day = "", until: Day = "", station: Name = "", bundle: Name = "") -> QualityQuery:
    """The query of an address; empty parameters are as absent ones.

    raises  Problem 422 bad_period
    """
    last = read_day(until) or datetime.now(UTC).date()
    monday = last - timedelta(days=last.weekday())
    start = monday - timedelta(weeks=WEEKS - 1)
    first = read_day(since) or max(FIRST_DAY, start)
    if first > last:
        raise bad_period(f"a period that ends on or after its first day, got {first} to {last}")
    return QualityQuery(first, last, station or None, bundle or None)
