"""Coils: which there are, what was found on each, and its sheets along the strip."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Connection, func, literal, select, text, tuple_

from steelsight.ledger.database import schema
from steelsight.ledger.reading.lists import verdict_values
from steelsight.ledger.reading.paging import Page, check_limit, read_cursor, write_cursor

__all__ = ["CoilFilter", "CoilMetres", "coil_metres", "coil_sheets", "list_coils"]

DECIDED: Final = "decided"  # the state
FAR: Final = 1e300  # sorts sheets without a position behind all others
# Every coil once, by steps through the index: its cost grows with the coils and not with the sheets.
NAMES: Final = """
WITH RECURSIVE names(coil) AS (
    SELECT min(coil) FROM verdicts WHERE coil IS NOT NULL
    UNION ALL
    SELECT (SELECT min(coil) FROM verdicts WHERE coil > names.coil) FROM names WHERE names.coil IS NOT NULL
), lasts AS (
    SELECT coil, (SELECT max(captured_us) FROM verdicts WHERE verdicts.coil = names.coil) AS last_us
    FROM names WHERE coil IS NOT NULL {wanted}
)
SELECT coil, last_us FROM lasts {where} ORDER BY last_us DESC, coil DESC LIMIT :limit
"""
AFTER: Final = "WHERE (last_us, coil) < (:last_us, :coil)"
NAMED: Final = "AND lower(coil) LIKE lower(:part) ESCAPE '!'"
JUDGED: Final = "AND EXISTS (SELECT 1 FROM verdicts WHERE coil = names.coil AND mode = 'live' {conditions})"


@dataclass(frozen=True)
class CoilFilter:
    """Which coils to list: those with a live verdict as stated; None = all."""

    part: str | None = None  # of the name; the case of letters does not count, on SQLite that of ASCII
    station: str | None = None
    since_us: int | None = None  # a sheet was captured at or after, microseconds since 1970-01-01 UTC
    until_us: int | None = None  # and before

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Conditions on `names.coil`, and their values."""
        bounds = {"station": "=", "since_us": ">=", "until_us": "<"}
        values = {name: getattr(self, name) for name in bounds if getattr(self, name) is not None}
        columns = {"station": "station", "since_us": "captured_us", "until_us": "captured_us"}
        conditions = " ".join(f"AND {columns[name]} {bounds[name]} :{name}" for name in values)
        found = [JUDGED.format(conditions=conditions)] if values else []
        if self.part is not None:
            found.append(NAMED)
            values["part"] = f"%{re.sub('[!%_]', lambda sign: '!' + sign[0], self.part)}%"
        return " ".join(found), values


@dataclass(frozen=True)
class CoilMetres:
    """How the metres of a coil run with the time of capture."""

    first_m: float | None  # the least position; None = no sheet has one
    last_m: float | None  # the greatest
    # forward: metres grow with time; backward: they fall, as on a strip that is wound back; mixed: both;
    # unknown: fewer than two sheets have different positions
    direction: str
    turns: int  # how often the direction changes, at any of its stations


def list_coils(
    connection: Connection,
    wanted: CoilFilter = CoilFilter(),
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Coils with counts of their live verdicts, the one captured last first.

    returns  for each coil: coil, first_us, last_us, sheets, states, labels and decided (counts; the last one
             by label, of decided sheets), stations, first_m, last_m
    raises   BadInput for a cursor that is not of such a page, or a limit out of range
    """
    check_limit(limit)
    place: dict[str, Any] = {}
    if cursor is not None:
        place = dict(zip(("last_us", "coil"), read_cursor(cursor, (int, str)), strict=True))
    conditions, values = wanted.sql()
    query = text(NAMES.format(where=AFTER if place else "", wanted=conditions))
    rows = connection.execute(query, {**place, **values, "limit": limit + 1}).all()
    following = write_cursor((rows[limit - 1].last_us, rows[limit - 1].coil)) if len(rows) > limit else None
    found = _counts(connection, [row.coil for row in rows[:limit]])
    return Page(tuple(found[row.coil] for row in rows[:limit]), following)


def _counts(connection: Connection, coils: list[str]) -> dict[str, dict[str, Any]]:
    table = schema.verdicts
    columns = (table.c.coil, table.c.state, table.c.label, table.c.station)
    bounds = (
        func.count().label("number"),
        func.min(table.c.captured_us).label("first_us"),
        func.max(table.c.captured_us).label("last_us"),
        func.min(table.c.position_m).label("first_m"),
        func.max(table.c.position_m).label("last_m"),
    )
    query = (
        select(*columns, *bounds).where(table.c.coil.in_(coils), table.c.mode == "live").group_by(*columns)
    )
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        groups[row.coil].append(row)
    return {coil: _coil(coil, groups[coil]) for coil in coils}


def _coil(coil: str, rows: list[Any]) -> dict[str, Any]:
    states: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    decided: Counter[str] = Counter()
    for row in rows:
        states[row.state] += row.number
        labels[row.label] += row.number
        if row.state == DECIDED:
            decided[row.label] += row.number
    labels.pop("", None)  # of images that could not be read

    def bound(name: str, choose: Any) -> Any:
        return choose((value for row in rows if (value := getattr(row, name)) is not None), default=None)

    return {
        "coil": coil,
        "sheets": sum(states.values()),
        "states": dict(states),
        "labels": dict(labels),
        "decided": dict(decided),
        "stations": sorted({row.station for row in rows}),
        "first_us": bound("first_us", min),
        "last_us": bound("last_us", max),
        "first_m": bound("first_m", min),
        "last_m": bound("last_m", max),
    }


def coil_metres(connection: Connection, coil: str) -> CoilMetres:
    """How the metres of a coil run; each station is looked at by itself."""
    table = schema.sheets
    query = (
        select(table.c.station, table.c.position_m)
        .where(table.c.coil == coil, table.c.position_m.is_not(None))
        .order_by(table.c.station, table.c.captured_us, table.c.sheet)
    )
    rows = connection.execute(query).all()
    positions = [row.position_m for row in rows]
    if not positions:
        return CoilMetres(None, None, "unknown", 0)
    by_station: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        by_station[row.station].append(row.position_m)
    steps = [
        [after > before for before, after in pairwise(run) if after != before] for run in by_station.values()
    ]
    signs = {sign for each in steps for sign in each}
    words = {frozenset(): "unknown", frozenset({True}): "forward", frozenset({False}): "backward"}
    turns = sum(one != other for each in steps for one, other in pairwise(each))
    return CoilMetres(min(positions), max(positions), words.get(frozenset(signs), "mixed"), turns)


def coil_sheets(connection: Connection, coil: str, *, limit: int = 100, cursor: str | None = None) -> Page:
    """Sheets of a coil by their metres, each with its live verdicts; those without a position come last.

    The order is that of the strip, also where the metres ran backwards in time; equal positions, as of two
    sides, follow in the order of their capture.
    raises  BadInput for a cursor that is not of such a page, or a limit out of range
    """
    check_limit(limit)
    table = schema.sheets
    place = (func.coalesce(table.c.position_m, literal(FAR)), table.c.captured_us, table.c.sheet)
    query = select(table, place[0].label("place")).where(table.c.coil == coil)
    if cursor is not None:
        query = query.where(tuple_(*place) > tuple_(*read_cursor(cursor, (float, int, str))))
    rows = connection.execute(query.order_by(*place).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else write_cursor((last.place, last.captured_us, last.sheet))
    verdicts = _live_verdicts(connection, [row.sheet for row in rows[:limit]])
    values = [
        {name: value for name, value in row._mapping.items() if name != "place"} for row in rows[:limit]
    ]
    return Page(tuple({**each, "verdicts": verdicts[each["sheet"]]} for each in values), following)


def _live_verdicts(connection: Connection, sheets: list[str]) -> dict[str, list[dict[str, Any]]]:
    table = schema.verdicts
    query = select(table).where(table.c.sheet.in_(sheets), table.c.mode == "live")
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(query.order_by(table.c.entered_us, table.c.writer, table.c.seq)):
        found[row.sheet].append(verdict_values(dict(row._mapping)))
    return found
