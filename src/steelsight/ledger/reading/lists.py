"""Pages of verdicts by filters, newest first; a cursor continues where a page ended, however deep."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, select, tuple_

from steelsight.errors import BadInput
from steelsight.ledger.database import schema

__all__ = ["Page", "VerdictFilter", "list_verdicts", "sheet_history"]

LONGEST_PAGE: Final = 500


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


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    rows: tuple[dict[str, Any], ...]
    cursor: str | None  # of the next page; None = this is the last


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
    if not 1 <= limit <= LONGEST_PAGE:
        raise BadInput(f"limit: expected 1 to {LONGEST_PAGE}, got {limit}")
    table = schema.verdicts
    place = (table.c.captured_us, table.c.writer, table.c.seq)
    query = _filtered(select(table), wanted)
    if cursor is not None:
        query = query.where(tuple_(*place) < tuple_(*_read_cursor(cursor)))
    query = query.order_by(*(column.desc() for column in place)).limit(limit + 1)
    rows = connection.execute(query).all()
    more = rows[limit - 1] if len(rows) > limit else None
    return Page(tuple(map(_verdict, rows[:limit])), None if more is None else _cursor(more))


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


def _verdict(row: Any) -> dict[str, Any]:
    values = dict(row._mapping)
    return {
        **values,
        "regions": json.loads(values["regions"]),
        "probabilities": json.loads(values["probabilities"]),
    }


def _cursor(row: Any) -> str:
    place = json.dumps([row.captured_us, row.writer, row.seq], separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        captured, writer, seq = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(f"cursor: expected one that a page gave, got {cursor!r:.60}") from error
    numbers = type(captured) is int and type(seq) is int and max(abs(captured), abs(seq)) < 2**63
    if not numbers or not isinstance(writer, str) or "\0" in writer:
        raise BadInput(f"cursor: expected one that a page gave, got {cursor!r:.60}")
    return captured, writer, seq


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
            _verdict(row)
            for row in connection.execute(verdicts.order_by(*(schema.verdicts.c[name] for name in order)))
        ],
        "draw": None if draw is None else dict(draw._mapping),
        "reviews": [
            {**row._mapping, "regions": json.loads(row.regions)}
            for row in connection.execute(reviews.order_by(*(schema.reviews.c[name] for name in order)))
        ],
    }
