"""Sheets on which a shadow bundle, whose verdicts are not shown, gives another label than the live one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, exists, func, select
from sqlalchemy.orm import aliased

from steelsight.ledger.database import schema
from steelsight.ledger.reading.paging import Page, read_page

__all__ = ["Judging", "list_disagreements", "other_shadow_label", "recent_judging"]

PLACE: Final = ("captured_us", "writer", "seq")
SHOWN: Final = ("label", "state", "probability", "bundle")


def other_shadow_label(verdicts: FromClause) -> ColumnElement[bool]:
    """The condition that a shadow verdict on the sheet of a row has another label, for a query."""
    shadow = aliased(schema.verdicts)
    return exists().where(
        shadow.c.sheet == verdicts.c.sheet,
        shadow.c.mode == "shadow",
        shadow.c.label != verdicts.c.label,
    )


def list_disagreements(
    connection: Connection, bundle: str, since_us: int, *, limit: int = 50, cursor: str | None = None
) -> Page:
    """Shadow verdicts of a bundle whose label is not that of a live verdict on the sheet, newest first.

    since_us  captured at or after
    returns   rows of the shadow verdict, with `live`: label, state, probability, bundle of the last live one
    raises    BadInput for a cursor that is not of such a page
    """
    table, live = schema.verdicts, aliased(schema.verdicts)
    differs = exists().where(
        live.c.sheet == table.c.sheet, live.c.mode == "live", live.c.label != table.c.label
    )
    query = select(table).where(
        table.c.mode == "shadow", table.c.bundle == bundle, table.c.captured_us >= since_us, differs
    )
    page = read_page(connection, query, table, PLACE, limit=limit, cursor=cursor)
    live_ones = _last_live(connection, [row["sheet"] for row in page.rows])
    rows = [{**row, "live": live_ones[row["sheet"]]} for row in page.rows]
    return Page(tuple(rows), page.cursor)


def _last_live(connection: Connection, sheets: list[str]) -> dict[str, dict[str, Any]]:
    table = schema.verdicts
    query = select(table).where(table.c.sheet.in_(sheets), table.c.mode == "live")
    query = query.order_by(table.c.entered_us, table.c.seq)
    return {row.sheet: {name: row._mapping[name] for name in SHOWN} for row in connection.execute(query)}


@dataclass(frozen=True)
class Judging:
    """How many sheets a station had judged by a bundle."""

    station: str
    mode: str  # live, shadow
    bundle: str
    sheets: int


def recent_judging(connection: Connection, since_us: int) -> list[Judging]:
    """Which bundle judged at which station, of sheets captured since then; the live ones first."""
    table = schema.verdicts
    columns = (table.c.station, table.c.mode, table.c.bundle)
    query = (
        select(*columns, func.count().label("sheets"))
        .where(table.c.captured_us >= since_us, table.c.mode != "replay")
        .group_by(*columns)
        .order_by(*columns)
    )
    return [Judging(row.station, row.mode, row.bundle, int(row.sheets)) for row in connection.execute(query)]
