"""What others said of a sheet: to whom it is not told yet, and who has seen it.

A person who may yet decide a sheet by herself is not told the answers of others: sheets drawn for audit,
known cases, and sheets for a second review. Pages leave them out for everybody, the API and event streams
for those who review and do not configure. To all others they are told, which is put on record: such a
person's review is then no independent one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, exists, or_, select

from steelsight.ledger.database import schema
from steelsight.ledger.reading.known_cases import was_known
from steelsight.ledger.reading.review_marks import withdrawn
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.context import Service
from steelsight.service.reviewing.people import viewer
from steelsight.service.reviewing.second import is_chosen, second_sheets
from steelsight.service.reviewing.seen import is_noted, note_seen_within

__all__ = ["hidden_answers", "note_told", "only_reviews", "told_answers", "was_told"]

MANY: Final = 500  # values in one IN list
Answers = Sequence[Mapping[str, Any]]  # reviews, each with `sheet` and `person`


def only_reviews(caller: Caller) -> bool:
    """Whether the API leaves out draws and answers of others for a caller: a person who only reviews."""
    reviews = caller.session is not None and caller.may(Permission.REVIEW)
    return reviews and not caller.may(Permission.CONFIGURE)


def hidden_answers(
    connection: Connection, service: Service, person: str, sheets: Collection[str]
) -> set[str]:
    """Those of some sheets of which a person is not told what others said.

    They were drawn for audit and have no review of this person, are or were known cases, or this person's
    review of them would be the second one.
    """
    names = list(dict.fromkeys(sheets))
    share = service.settings.second_review_share
    found = second_sheets(connection, service.ledger.id, person, names, share)
    column, reviews = schema.sheets.c.sheet, schema.reviews
    own = exists().where(reviews.c.sheet == column, reviews.c.person == person, ~withdrawn(reviews))
    drawn = exists().where(schema.draws.c.sheet == column)
    for start in range(0, len(names), MANY):
        among = column.in_(names[start : start + MANY])
        query = select(column).where(among, or_(was_known(column), and_(drawn, ~own)))
        found.update(connection.execute(query).scalars())
    return found


def told_answers(
    connection: Connection, service: Service, caller: Caller, reviews: Answers
) -> list[Mapping[str, Any]]:
    """Reviews without those that the caller is not told; one's own are always among them."""
    person = viewer(service, caller)
    if person is None or not only_reviews(caller):
        return list(reviews)
    others = {row["sheet"] for row in reviews if row["person"] != person}
    hidden = hidden_answers(connection, service, person, others)
    return [row for row in reviews if row["person"] == person or row["sheet"] not in hidden]


def note_told(service: Service, person: str | None, reviews: Iterable[Mapping[str, Any]]) -> None:
    """Put on record that a person is told reviews of others; call it before they are shown.

    Of sheets for a second review alone; nothing is kept of a machine (None).
    raises  BadLedger where that cannot be written: then they are not to be shown
    """
    if person is None:
        return
    share, ledger = service.settings.second_review_share, service.ledger.id
    others = dict.fromkeys(row["sheet"] for row in reviews if row["person"] != person)
    names = [name for name in others if is_chosen(ledger, name, share)]
    if not names:
        return
    column = schema.sheets.c.sheet
    new: list[str] = []
    with service.ledger.read() as connection:
        for start in range(0, len(names), MANY):
            among = column.in_(names[start : start + MANY])
            new.extend(connection.execute(select(column).where(among, ~is_noted(person, column))).scalars())
    if new:
        with service.ledger.write() as connection:
            note_seen_within(connection, person, new)


def was_told(connection: Connection, person: str, sheet: str) -> bool:
    """Whether it is on record that a person was told what others said of a sheet."""
    column = schema.sheets.c.sheet
    query = select(column).where(column == sheet, is_noted(person, column))
    return connection.execute(query).one_or_none() is not None
