"""Days that people choose in forms, by UTC."""

from __future__ import annotations

from datetime import date
from typing import Final

from steelsight.service.problem import Problem

__all__ = ["FIRST_DAY", "bad_period", "day_range", "read_day"]

FIRST_DAY: Final = date(1970, 1, 1)
LAST_DAY: Final = date(2200, 1, 1)
DAY_US: Final = 86_400_000_000


def read_day(text: str) -> date | None:
    """The day of a form's field; None for an empty one. raises Problem 422 bad_period"""
    if not text.strip():
        return None
    try:
        found = date.fromisoformat(text.strip())
    except ValueError as error:
        raise bad_period(f"a day such as 2026-11-01, got {text!r:.60}") from error
    if not FIRST_DAY <= found <= LAST_DAY:
        raise bad_period(f"a day from {FIRST_DAY} to {LAST_DAY}, got {found}")
    return found


def day_range(first: date | None, last: date | None) -> tuple[int | None, int | None]:
    """Microseconds since 1970 of the begin of the first day, and of the end of the last."""
    begin = None if first is None else (first - FIRST_DAY).days * DAY_US
    end = None if last is None else ((last - FIRST_DAY).days + 1) * DAY_US
    return begin, end


def bad_period(expected: str) -> Problem:
    """The refusal of days."""
    return Problem(422, "bad_period", f"period: expected {expected}", "choose other days")
