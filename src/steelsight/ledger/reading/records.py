"""Pages of sheets, reviews and events by filters, newest first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, select, tuple_

from steelsight.ledger.database import schema
from steelsight.ledger.reading.paging import Page, check_limit, read_cursor, write_cursor

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
    query = _within(select(table), table, "captured_us", wanted.since_us, wanted.until_us)
    for name in ("station", "coil", "image_hash"):
        query = _equal(query, table, name, getattr(wanted, name))
    return _page(connection, query, table, CAPTURED, limit, cursor)


def list_reviews(
    connection: Connection,
    wanted: ReviewFilter = ReviewFilter(),
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """Reviews, newest first; limit, cursor and errors as of `list_sheets`."""
    table = schema.reviews
    query = _within(select(table), table, "entered_us", wanted.since_us, wanted.until_us)
    for name in ("sheet", "person", "answer"):
        query = _equal(query, table, name, getattr(wanted, name))
    page = _page(connection, query, table, ENTERED, limit, cursor)
    return Page(tuple({**row, "regions": json.loads(row["regions"])} for row in page.rows), page.cursor)


def list_events(
    connection: Connection,
    wanted: EventFilter = EventFilter(),
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """Events, newest first; limit, cursor and errors as of `list_sheets`."""
    table = schema.events
    query = _within(select(table), table, "entered_us", wanted.since_us, wanted.until_us)
    for name in ("name", "writer"):
        query = _equal(query, table, name, getattr(wanted, name))
    if wanted.among is not None:
        query = query.where(table.c.name.in_(sorted(wanted.among)), table.c.person.is_(None))
    page = _page(connection, query, table, ENTERED, limit, cursor)
    return Page(tuple({**row, "details": json.loads(row["details"])} for row in page.rows), page.cursor)


def _equal(query: Select[Any], table: Table, name: str, value: str | None) -> Select[Any]:
    return query if value is None else query.where(table.c[name] == value)


def _within(
    query: Select[Any], table: Table, column: str, since_us: int | None, until_us: int | None
) -> Select[Any]:
    if since_us is not None:
        query = query.where(table.c[column] >= since_us)
    if until_us is not None:
        query = query.where(table.c[column] < until_us)
    return query


def _page(
    connection: Connection,
    query: Select[Any],
    table: Table,
    sorted_by: tuple[str, ...],
    limit: int,
    cursor: str | None,
) -> Page:
    check_limit(limit)
    columns = [table.c[name] for name in sorted_by]
    if cursor is not None:
        kinds = tuple(int if name in ("captured_us", "entered_us", "seq") else str for name in sorted_by)
        query = query.where(tuple_(*columns) < tuple_(*read_cursor(cursor, kinds)))
    query = query.order_by(*(column.desc() for column in columns)).limit(limit + 1)
    rows = [dict(row._mapping) for row in connection.execute(query)]
    following = write_cursor([rows[limit - 1][name] for name in sorted_by]) if len(rows) > limit else None
    return Page(tuple(rows[:limit]), following)
