"""Pages of verdicts by filters, newest first; a cursor continues where a page ended, however deep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from steelsight.ledger.database import schema
from steelsight.ledger.reading.paging import Page, filtered, read_page
from steelsight.ledger.reading.review_marks import with_marks

__all__ = ["VerdictFilter", "list_verdicts", "sheet_history", "verdict_values"]

PLACE: Final = ("captured_us", "writer", "seq")  # what the list is sorted by


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
    table = schema.verdicts
    query = filtered(select(table), table, wanted, time="captured_us")
    page = read_page(connection, query, table, PLACE, limit=limit, cursor=cursor)
    return Page(tuple(map(verdict_values, page.rows)), page.cursor)


def verdict_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `verdicts` with its JSON columns read."""
    return {
        **row,
        "regions": json.loads(row["regions"]),
        "probabilities": json.loads(row["probabilities"]),
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
            verdict_values(dict(row._mapping))
            for row in connection.execute(verdicts.order_by(*(schema.verdicts.c[name] for name in order)))
        ],
        "draw": None if draw is None else dict(draw._mapping),
        "reviews": with_marks(
            connection,
            [
                {**row._mapping, "regions": json.loads(row.regions)}
                for row in connection.execute(reviews.order_by(*(schema.reviews.c[name] for name in order)))
            ],
        ),
    }
