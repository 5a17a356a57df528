"""Pairs of answers to sheets that a second person reviewed, both people having seen the verdict.

Their agreement is another one than that of audit draws, where neither had: a verdict that both follow makes
people agree.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, exists, select
from sqlalchemy.orm import aliased

from steelsight.ledger.chain.entries import Answer
from steelsight.ledger.database import schema
from steelsight.ledger.reading.review_marks import withdrawn
from steelsight.quality.agreement import Pair
from steelsight.quality.ledger import Period

__all__ = ["second_pairs"]


def second_pairs(connection: Connection, period: Period = Period()) -> tuple[Pair, ...]:
    """First and second answer of each sheet of a period, as labels; who could not tell makes no pair."""
    second, verdicts = schema.second_reviews, schema.verdicts
    one, other = aliased(schema.reviews), aliased(schema.reviews)
    drawn = exists().where(schema.draws.c.sheet == second.c.sheet)  # decided before the verdict is shown
    query = (
        select(
            *(one.c.person.label("first"), other.c.person.label("second"), verdicts.c.coil, second.c.sheet),
            *(one.c.label.label("first_label"), other.c.label.label("second_label")),
        )
        .select_from(second)
        .join(other, and_(other.c.writer == second.c.writer, other.c.seq == second.c.seq))
        .join(one, and_(one.c.sheet == second.c.sheet, one.c.person != other.c.person))
        .join(
            verdicts,
            and_(verdicts.c.writer == other.c.verdict_writer, verdicts.c.seq == other.c.verdict_seq),
        )
        .where(
            ~withdrawn(one),
            ~withdrawn(other),
            ~drawn,
            one.c.answer != Answer.UNSURE.value,
            other.c.answer != Answer.UNSURE.value,
            *period.limits(verdicts),
        )
        .order_by(second.c.sheet, one.c.entered_us.desc(), one.c.writer, one.c.seq)
    )
    first = {
        row.sheet: row for row in connection.execute(query)
    }  # the earliest of the other people's answers
    return tuple(
        Pair(
            f"coil {row.coil}" if row.coil is not None else f"sheet {row.sheet}",
            (row.first, row.second),
            (row.first_label, row.second_label),
        )
        for row in first.values()
        if row.first_label is not None and row.second_label is not None
    )
