"""Sheets that a second person reviews as well, without the first one's answer.

A fixed function of the sheet decides which: the same whoever asks, and whatever the first answer was. Audit
draws are among them; both people decide them before the verdict is shown.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, distinct, exists, func, select
from sqlalchemy.orm import aliased

from steelsight.ledger.database import schema
from steelsight.ledger.reading.known_cases import was_known
from steelsight.ledger.reading.review_marks import reviewed_blind, withdrawn
from steelsight.ledger.writing.writer import database_us
from steelsight.service.reviewing.claims import is_taken
from steelsight.service.reviewing.known import between_zero_and_one
from steelsight.service.reviewing.seen import is_noted, was_seen
from steelsight.types import State

__all__ = ["is_chosen", "is_second", "second_chance", "second_sheets", "second_waiting"]

DAYS_US: Final = 14 * 86_400_000_000  # a first review waits so long for a second one
CONSIDERED: Final = 2000  # newest first reviews
MANY: Final = 500  # values in one IN list


def second_chance(share: float) -> float:
    """The chance that a second review is offered first: twice what keeps pace, at most every other time."""
    return min(0.5, 2 * share)


def is_second(connection: Connection, ledger: str, person: str, sheet: str, share: float) -> bool:
    """Whether a person's review of a sheet is the second one, by another person than the first.

    ledger  its id
    share   of the sheets that a second person reviews
    """
    return sheet in second_sheets(connection, ledger, person, [sheet], share)


def second_sheets(
    connection: Connection, ledger: str, person: str, sheets: Collection[str], share: float
) -> set[str]:
    """Those of some sheets of which a person's review is the second one; one query for MANY of them.

    ledger  its id
    share   of the sheets that a second person reviews
    """
    names = [name for name in dict.fromkeys(sheets) if is_chosen(ledger, name, share)]
    reviews = schema.reviews
    people = func.count(distinct(reviews.c.person))
    own = func.max(case((reviews.c.person == person, 1), else_=0))
    found: set[str] = set()
    for start in range(0, len(names), MANY):
        query = (
            select(reviews.c.sheet)
            .where(
                reviews.c.sheet.in_(names[start : start + MANY]),
                ~withdrawn(reviews),
                ~was_known(reviews.c.sheet),
            )
            .group_by(reviews.c.sheet)
            .having(people == 1, own == 0)
        )
        found.update(connection.execute(query).scalars())
    return found


def second_waiting(
    connection: Connection, ledger: str, person: str, share: float, *, skip: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Sheets that one other person has reviewed and this one is to review, the oldest review first.

    skip     sheets that the person has put off or has on the page
    returns  ordinary sheets whose first answer the person has not seen, and sheets drawn for audit whose
             verdict the person has not seen
    """
    if not share:
        return [], []
    reviews = schema.reviews
    recent = (
        select(reviews.c.sheet)
        .where(
            reviews.c.entered_us > database_us(connection) - DAYS_US,
            reviews.c.person != person,
            ~withdrawn(reviews),
            ~was_known(reviews.c.sheet),
        )
        .order_by(reviews.c.entered_us.desc(), reviews.c.writer, reviews.c.seq)
        .limit(CONSIDERED)
    )
    names = [
        name
        for name in dict.fromkeys(connection.execute(recent).scalars())
        if name not in skip and is_chosen(ledger, name, share)
    ]
    rows = connection.execute(_open(connection, person, names)).all()
    draws = {row.sheet for row in rows if row.drawn}
    hidden = {row.sheet for row in rows if not row.blind} | {row.sheet for row in rows if row.seen}
    waiting = {row.sheet for row in rows if not row.noted}
    found = [name for name in reversed(names) if name in waiting]
    return [name for name in found if name not in draws], [name for name in found if name in draws - hidden]


def is_chosen(ledger: str, sheet: str, share: float) -> bool:
    """Whether a sheet is one of the share that a second person reviews.

    ledger  its id
    """
    return between_zero_and_one("second review", ledger, sheet) < share


def _open(connection: Connection, person: str, names: list[str]) -> Any:
    """Of sheets those that nobody has claimed and exactly one person, another one, has reviewed."""
    verdicts, draws = schema.verdicts, schema.draws
    return select(
        verdicts.c.sheet,
        exists().where(draws.c.sheet == verdicts.c.sheet).label("drawn"),
        reviewed_blind(verdicts.c.sheet).label("blind"),
        was_seen(person, verdicts).label("seen"),
        is_noted(person, verdicts.c.sheet).label("noted"),
    ).where(
        verdicts.c.sheet.in_(names),
        verdicts.c.mode == "live",
        verdicts.c.state != State.BAD_IMAGE.value,
        ~is_taken(connection, verdicts.c.sheet),
        ~_reviewed_by(person),
        ~_reviewed_by_two(),
    )


def _reviewed_by(person: str) -> ColumnElement[bool]:
    reviews = schema.reviews
    return exists().where(
        reviews.c.sheet == schema.verdicts.c.sheet, reviews.c.person == person, ~withdrawn(reviews)
    )


def _reviewed_by_two() -> ColumnElement[bool]:
    one, other = aliased(schema.reviews), aliased(schema.reviews)
    return exists().where(
        one.c.sheet == schema.verdicts.c.sheet,
        other.c.sheet == schema.verdicts.c.sheet,
        one.c.person != other.c.person,
        ~withdrawn(one),
        ~withdrawn(other),
    )
