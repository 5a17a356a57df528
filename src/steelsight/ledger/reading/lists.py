"""Pages of verdicts by filters, newest first; a cursor continues where a page ended, however deep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, select, tuple_

from steelsight.ledger.database import schema
from steelsight.ledger.reading.paging import Page, check_limit, read_cursor, write_cursor

__all__ = ["VerdictFilter", "list_verdicts", "sheet_history", "verdict_values"]

PLACE: Final = (int, str, int)  # captured, writer, seq: what the list is sorted by


@dataclass(frozen=True)
class VerdictFilter:
    """Which verdicts to list; None = all."""

    station: str | None = None
    coil: str | None = None
    label: str | None = None
    state: str | None = None
    bundle: str | None = None
    mode: str | None = "live"
    since_us: int | None = None  # captured at or after, microseconds since 1970-01-01 UTC
    until_us: int | None = None  # captured before


def list_verdicts(
    connection: Connection,
    wanted: VerdictFilter = VerdictFilter(),
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> Page:
    """Verdicts with their sheets' places, newest capture first.

    limit   rows of the page, 1 to 500
    cursor  of the page before
    raises  BadInput for a cursor that is not of a page, or a limit out of range
    """
    check_limit(limit)
    table = schema.verdicts
    place = (table.c.captured_us, table.c.writer, table.c.seq)
    query = _filtered(select(table), wanted)
    if cursor is not None:
        query = query.where(tuple_(*place) < tuple_(*read_cursor(cursor, PLACE)))
    query = query.order_by(*(column.desc() for column in place)).limit(limit + 1)
    rows = connection.execute(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else write_cursor((last.captured_us, last.writer, last.seq))
    return Page(tuple(map(verdict_values, rows[:limit])), following)


def _filtered(query: Select[Any], wanted: VerdictFilter) -> Select[Any]:
    table = schema.verdicts
    for name in ("station", "coil", "label", "state", "bundle", "mode"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(table.c[name] == value)
    if wanted.since_us is not None:
        query = query.where(table.c.captured_us >= wanted.since_us)
    if wanted.until_us is not None:
        query = query.where(table.c.captured_us < wanted.until_us)
    return query


def verdict_values(row: Any) -> dict[str, Any]:
    """A row of `verdicts` with its JSON columns read."""
    values = dict(row._mapping)
    return {
        **values,
        "regions": json.loads(values["regions"]),
        "probabilities": json.loads(values["probabilities"]),
    }


def sheet_history(connection: Connection, sheet: str) -> dict[str, Any] | None:
    """Everything the ledger says of a sheet: itself, its verdicts, draw and reviews; None where unknown."""
    found = connection.execute(select(schema.sheets).where(schema.sheets.c.sheet == sheet)).one_or_none()
    if found is None:
        return None
    verdicts = select(schema.verdicts).where(schema.verdicts.c.sheet == sheet)
    reviews = select(schema.reviews).where(schema.reviews.c.sheet == sheet)
    draw = connection.execute(select(schema.draws).where(schema.draws.c.sheet == sheet)).one_or_none()
    order = ("entered_us", "writer", "seq")
    return {
        **found._mapping,
        "verdicts": [
            verdict_values(row)
            for row in connection.execute(verdicts.order_by(*(schema.verdicts.c[name] for name in order)))
        ],
        "draw": None if draw is None else dict(draw._mapping),
        "reviews": [
            {**row._mapping, "regions": json.loads(row.regions)}
            for row in connection.execute(reviews.order_by(*(schema.reviews.c[name] for name in order)))
        ],
    }
