"""What tables beside `reviews` say of reviews: masks, recommendations, how they came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, Table, exists, select

from steelsight.ledger.database import schema

__all__ = ["reviewed_blind", "with_marks", "withdrawn"]

MANY: Final = 200  # reviews in one query
RECOMMENDED: Final = ("action", "rule", "policy", "chosen")


def withdrawn(reviews: FromClause) -> ColumnElement[bool]:
    """The condition that a row of `reviews`, or of an alias of it, was withdrawn, for a query."""
    table = schema.withdrawals
    return exists().where(table.c.review_writer == reviews.c.writer, table.c.review_seq == reviews.c.seq)


def reviewed_blind(sheet: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a sheet has a review, not withdrawn, that came before its verdict was shown.

    sheet  a column with identities of sheets
    """
    marks, reviews = schema.review_marks, schema.reviews
    return exists().where(
        marks.c.sheet == sheet,
        marks.c.blind,
        reviews.c.writer == marks.c.writer,
        reviews.c.seq == marks.c.seq,
        ~withdrawn(reviews),
    )


def with_marks(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `reviews` with mask, blind, recommended, independent and withdrawn."""
    names: dict[str, list[int]] = {}
    for row in rows:
        names.setdefault(row["writer"], []).append(row["seq"])
    marks = _rows_of(connection, schema.review_marks, names)
    advised = _rows_of(connection, schema.recommendations, names)
    second = _rows_of(connection, schema.second_reviews, names)
    gone = _rows_of(connection, schema.withdrawals, names, "review_")
    found = []
    for row in rows:
        name = (row["writer"], row["seq"])
        mark, action = marks.get(name), advised.get(name)
        found.append(
            {
                **row,
                "mask": None if mark is None else mark["mask"],
                "blind": mark is not None and mark["blind"],
                "recommended": None if action is None else {each: action[each] for each in RECOMMENDED},
                "independent": name in second,
                "withdrawn": name in gone,
            }
        )
    return found


def _rows_of(
    connection: Connection, table: Table, names: Mapping[str, Sequence[int]], prefix: str = ""
) -> dict[tuple[str, int], Mapping[str, Any]]:
    """Rows of a table about reviews, by writer and number of the review.

    prefix  of the columns that name the review
    """
    writers, numbers = table.c[f"{prefix}writer"], table.c[f"{prefix}seq"]
    found: dict[tuple[str, int], Mapping[str, Any]] = {}
    for writer, wanted in names.items():
        for start in range(0, len(wanted), MANY):
            query = select(table).where(writers == writer, numbers.in_(wanted[start : start + MANY]))
            for row in connection.execute(query):
                values = dict(row._mapping)
                found[writer, values[numbers.name]] = values
    return found
