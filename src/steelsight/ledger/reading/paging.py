"""Pages of lists, and their cursors: where a page ended, as text that a caller hands back."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, tuple_

from steelsight.errors import BadInput

__all__ = ["LONGEST_PAGE", "Page", "check_limit", "filtered", "read_cursor", "read_page", "write_cursor"]

LONGEST_PAGE: Final = 500
Kind = type[int] | type[str] | type[float]


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    rows: tuple[dict[str, Any], ...]
    cursor: str | None  # of the next page; None = this is the last


def filtered(query: Select[Any], table: Table, wanted: Any, *, time: str) -> Select[Any]:
    """A query with the conditions of a filter; what is None in it is no condition.

    wanted  a dataclass; its fields are columns of the table, and since_us and until_us
    time    the column that since_us (at or after) and until_us (before) bound
    """
    conditions = {each.name: getattr(wanted, each.name) for each in fields(wanted)}
    since_us, until_us = conditions.pop("since_us"), conditions.pop("until_us")
    query = query.where(*(table.c[name] == value for name, value in conditions.items() if value is not None))
    if since_us is not None:
        query = query.where(table.c[time] >= since_us)
    if until_us is not None:
        query = query.where(table.c[time] < until_us)
    return query


def read_page(
    connection: Connection,
    query: Select[Any],
    table: Table,
    sorted_by: Sequence[str],
    *,
    limit: int,
    cursor: str | None,
) -> Page:
    """A page of rows by falling values of some columns, which together are unique.

    raises  BadInput for a cursor that is not of such a page, or a limit out of range
    """
    check_limit(limit)
    columns = [table.c[name] for name in sorted_by]
    if cursor is not None:
        kinds = [int if name in ("captured_us", "entered_us", "seq") else str for name in sorted_by]
        query = query.where(tuple_(*columns) < tuple_(*read_cursor(cursor, kinds)))
    query = query.order_by(*(column.desc() for column in columns)).limit(limit + 1)
    rows = [dict(row._mapping) for row in connection.execute(query)]
    following = write_cursor([rows[limit - 1][name] for name in sorted_by]) if len(rows) > limit else None
    return Page(tuple(rows[:limit]), following)


def check_limit(limit: int) -> None:
    """Refuse an impossible length of a page; raises BadInput."""
    if not 1 <= limit <= LONGEST_PAGE:
        raise BadInput(f"limit: expected 1 to {LONGEST_PAGE}, got {limit}")


def write_cursor(place: Sequence[int | str | float]) -> str:
    """The cursor of a row.

    place  the values by which the list is sorted
    """
    text = json.dumps(list(place), separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, kinds: Sequence[Kind]) -> tuple[Any, ...]:
    """The values that a cursor holds.

    kinds   their types
    raises  BadInput where no page of such a list gave it
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(f"cursor: expected one that a page gave, got {cursor!r:.60}") from error
    right = isinstance(values, list) and len(values) == len(kinds)
    if not right or not all(_holds(value, kind) for value, kind in zip(values, kinds, strict=True)):
        raise BadInput(f"cursor: expected one that a page gave, got {cursor!r:.60}")
    return tuple(values)


def _holds(value: Any, kind: Kind) -> bool:
    if kind is str:
        return isinstance(value, str) and "\0" not in value and value.isascii() | _encodes(value)
    if kind is int:
        return type(value) is int and abs(value) < 2**63
    return type(value) in (int, float) and abs(value) <= 1e300  # as places that sort last have


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # an unpaired surrogate, which no database holds
        return False
    return True
