"""Which known cases a person gets, and how: before the verdict is shown, as audit draws are, or with it.

Nothing of the page tells a known case from another sheet: those that are decided first take the places of
audit draws, the others those of ordinary sheets, and answers of other people are never shown with them.
Whether a person sees the verdict of one, and the order in which they come, follow from hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, exists, func, select

from steelsight.ledger.database import schema
from steelsight.ledger.database.reviewing import claims
from steelsight.ledger.reading.known_cases import known_cases, was_known
from steelsight.ledger.reading.review_marks import withdrawn
from steelsight.service.reviewing.claims import is_taken, not_ended
from steelsight.service.reviewing.seen import was_seen
from steelsight.types import State

__all__ = [
    "KnownWaiting",
    "between_zero_and_one",
    "count_held_known",
    "is_known",
    "is_shown",
    "known_waiting",
    "place_chance",
]


@dataclass(frozen=True)
class KnownWaiting:
    """Known cases that a person has not answered, in the person's own order."""

    blind: tuple[str, ...]  # to be decided before the verdict is shown
    shown: tuple[str, ...]  # with the verdict


def between_zero_and_one(*names: str) -> float:
    """A number in [0, 1) that follows from names, uniform over them."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def is_shown(ledger: str, person: str, sheet: str, share: float) -> bool:
    """Whether a person gets a known case with its verdict.

    ledger  its id
    share   of the known cases that are shown so
    """
    return between_zero_and_one("known case shown", ledger, person, sheet) < share


def is_known(connection: Connection, sheet: str) -> bool:
    """Whether a sheet is a known case now."""
    found = known_cases(connection, sheet).get(sheet)
    return found is not None and not found.ended


def count_held_known(connection: Connection, person: str) -> int:
    """How many known cases a person holds a claim of that has not ended."""
    held = select(func.count()).where(
        claims.c.person == person, not_ended(connection), was_known(claims.c.sheet)
    )
    return int(connection.execute(held).scalar_one())


def known_waiting(
    connection: Connection, ledger: str, person: str, share: float, *, skip: Collection[str] = ()
) -> KnownWaiting:
    """Known cases for a person: with a live verdict, not claimed, not entered and not answered by the person.

    share  of them that are shown with the verdict
    skip   sheets that the person has put off or has on the page
    """
    cases = known_cases(connection)
    there = {name for name, each in cases.items() if not each.ended and person not in each.by}
    if not there:
        return KnownWaiting((), ())
    verdicts, reviews = schema.verdicts, schema.reviews
    own = exists().where(reviews.c.sheet == verdicts.c.sheet, reviews.c.person == person, ~withdrawn(reviews))
    drawn = exists().where(schema.draws.c.sheet == verdicts.c.sheet)
    query = select(verdicts.c.sheet, was_seen(person, verdicts).label("seen"), drawn.label("drawn")).where(
        was_known(verdicts.c.sheet),
        verdicts.c.mode == "live",
        verdicts.c.state != State.BAD_IMAGE.value,
        ~is_taken(connection, verdicts.c.sheet),
        ~own,
    )
    rows = [row for row in connection.execute(query) if row.sheet in there]
    seen = {row.sheet for row in rows if row.seen}
    draws = {row.sheet for row in rows if row.drawn}  # decided first by everybody
    names = sorted(
        {row.sheet for row in rows} - set(skip),
        key=lambda name: between_zero_and_one("known case", ledger, person, name),
    )
    shown = tuple(name for name in names if name not in draws and is_shown(ledger, person, name, share))
    return KnownWaiting(tuple(name for name in names if name not in seen.union(shown)), shown)


def place_chance(share: float, between: int, *, draws: bool) -> float:
    """The chance that a place of an audit draw has a known case, so that they are a share of all sheets.

    share    of a person's sheets that are to be such known cases
    between  ordinary sheets between two places
    draws    whether draws wait: then every place is taken; else a place stays open until it is

    >>> place_chance(0.25, 3, draws=True), place_chance(0.25, 3, draws=False)
    (1.0, 1.0)
    >>> place_chance(0.1, 3, draws=True), round(place_chance(0.1, 3, draws=False), 3)
    (0.4, 0.143)
    """
    if draws:
        return min(1.0, share * (between + 1))
    return 1.0 if share * between >= 1 else min(1.0, share / (1 - share * between))
