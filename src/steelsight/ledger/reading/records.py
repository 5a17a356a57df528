"""Pages of sheets, reviews and events by filters, newest first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, Select, or_, select

from steelsight.ledger.database import schema
from steelsight.ledger.reading.paging import (
    LONGEST_PAGE,
    Page,
    check_limit,
    filtered,
    read_page,
    write_cursor,
)
from steelsight.ledger.reading.review_marks import with_marks

__all__ = [
    "EventFilter",
    "ReviewFilter",
    "SheetFilter",
    "list_events",
    "list_reviews",
    "list_sheets",
]

ENTERED: Final = ("entered_us", "writer", "seq")
CAPTURED: Final = ("captured_us", "sheet")
Shown = Callable[[Sequence[Mapping[str, Any]]], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class SheetFilter:
    """Which sheets to list; None = all."""

    station: str | None = None
    coil: str | None = None
    image_hash: str | None = None
    since_us: int | None = None  # captured at or after, microseconds since 1970-01-01 UTC
    until_us: int | None = None  # captured before


@dataclass(frozen=True)
class ReviewFilter:
    """Which reviews to list; None = all."""

    sheet: str | None = None
    person: str | None = None
    answer: str | None = None
    since_us: int | None = None  # entered at or after
    until_us: int | None = None  # entered before


@dataclass(frozen=True)
class EventFilter:
    """Which events to list; None = all."""

    name: str | None = None
    writer: str | None = None
    among: frozenset[str] | None = None  # only events of these names that name no person
    hidden: frozenset[str] | None = None  # no events of these names
    concerning: str | None = None  # a person who did it, or whom or what it is about
    since_us: int | None = None  # entered at or after
    until_us: int | None = None  # entered before


def list_sheets(
    connection: Connection,
    wanted: SheetFilter = SheetFilter(),
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """Sheets, newest capture first.

    limit   rows of the page, 1 to 500
    cursor  of the page before
    raises  BadInput for a cursor that is not of such a page, or a limit out of range
    """
    table = schema.sheets
    query = filtered(select(table), table, wanted, time="captured_us")
    return read_page(connection, query, table, CAPTURED, limit=limit, cursor=cursor)


def list_reviews(
    connection: Connection,
    wanted: ReviewFilter = ReviewFilter(),
    *,
    limit: int = 100,
    cursor: str | None = None,
    shown: Shown | None = None,
) -> Page:
    """Reviews, newest first; limit, cursor and errors as of `list_sheets`.

    shown  of rows those that are shown; a page is filled with these, and its cursor tells nothing of others
    """
    table = schema.reviews
    query = filtered(select(table), table, wanted, time="entered_us")
    if shown is None:
        page = read_page(connection, query, table, ENTERED, limit=limit, cursor=cursor)
    else:
        page = _filled_page(connection, query, shown, limit=limit, cursor=cursor)
    rows = [{**row, "regions": json.loads(row["regions"])} for row in page.rows]
    return Page(tuple(with_marks(connection, rows)), page.cursor)


def _filled_page(
    connection: Connection,
    query: Select[Any],
    shown: Shown,
    *,
    limit: int,
    cursor: str | None,
) -> Page:
    """A page of those rows of `reviews` that are shown; read until one more is found than it holds."""
    check_limit(limit)
    rows: list[dict[str, Any]] = []
    while True:
        step = min(LONGEST_PAGE, limit + 1)
        page = read_page(connection, query, schema.reviews, ENTERED, limit=step, cursor=cursor)
        rows.extend(map(dict, shown(page.rows)))
        cursor = page.cursor
        if cursor is None or len(rows) > limit:
            break
    following = write_cursor([rows[limit - 1][name] for name in ENTERED]) if len(rows) > limit else None
    return Page(tuple(rows[:limit]), following)


def list_events(
    connection: Connection,
    wanted: EventFilter = EventFilter(),
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """Events, newest first; limit, cursor and errors as of `list_sheets`."""
    table = schema.events
    columns = replace(wanted, among=None, hidden=None, concerning=None)
    query = filtered(select(table), table, columns, time="entered_us")
    if wanted.among is not None:
        query = query.where(table.c.name.in_(sorted(wanted.among)), table.c.person.is_(None))
    if wanted.hidden:
        query = query.where(table.c.name.not_in(sorted(wanted.hidden)))
    if wanted.concerning is not None:
        query = query.where(or_(table.c.person == wanted.concerning, table.c.subject == wanted.concerning))
    page = read_page(connection, query, table, ENTERED, limit=limit, cursor=cursor)
    return Page(tuple({**row, "details": json.loads(row["details"])} for row in page.rows), page.cursor)
