"""What tables beside `reviews` say of reviews: masks, whether they were blind or withdrawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, exists, select

from steelsight.ledger.database import schema

__all__ = ["with_marks", "withdrawn"]

MANY: Final = 200  # reviews in one query


def withdrawn(reviews: FromClause) -> ColumnElement[bool]:
    """The condition that a row of `reviews`, or of an alias of it, was withdrawn, for a query."""
    table = schema.withdrawals
    return exists().where(table.c.review_writer == reviews.c.writer, table.c.review_seq == reviews.c.seq)


def with_marks(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `reviews` with mask, blind and withdrawn."""
    marks, taken_back = schema.review_marks, schema.withdrawals
    names: dict[str, list[int]] = {}
    for row in rows:
        names.setdefault(row["writer"], []).append(row["seq"])
    found: dict[tuple[str, int], dict[str, Any]] = {}
    gone: set[tuple[str, int]] = set()
    for writer, numbers in names.items():
        for start in range(0, len(numbers), MANY):
            part = numbers[start : start + MANY]
            query = select(marks).where(marks.c.writer == writer, marks.c.seq.in_(part))
            found.update({(row.writer, row.seq): dict(row._mapping) for row in connection.execute(query)})
            query = select(taken_back.c.review_seq).where(
                taken_back.c.review_writer == writer, taken_back.c.review_seq.in_(part)
            )
            gone.update((writer, seq) for seq in connection.execute(query).scalars())
    return [_with(row, found.get((row["writer"], row["seq"])), gone) for row in rows]


def _with(row: Mapping[str, Any], mark: dict[str, Any] | None, gone: set[tuple[str, int]]) -> dict[str, Any]:
    return {
        **row,
        "mask": None if mark is None else mark["mask"],
        "blind": mark is not None and mark["blind"],
        "withdrawn": (row["writer"], row["seq"]) in gone,
    }
