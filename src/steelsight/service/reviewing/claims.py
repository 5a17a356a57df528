"""Claims: a sheet belongs to one reviewer until it is decided, given back, or the claim ends by time."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from steelsight.ledger.database.reviewing import claims
from steelsight.ledger.writing.writer import database_us

__all__ = [
    "CLAIM_S",
    "Claim",
    "claim_first",
    "drop_claim",
    "free_claims",
    "is_taken",
    "not_ended",
    "renew_claims",
]

CLAIM_S: Final = 300  # a page renews its claims more often than that
LONGEST_S: Final = 2 * 3600  # a claim is renewed for so long
MOST_HELD: Final = 100  # claims of one person, at several browsers too; the oldest ends where there are more


@dataclass(frozen=True)
class Claim:
    """A sheet that is one reviewer's."""

    id: str
    sheet: str


def not_ended(connection: Connection) -> ColumnElement[bool]:
    """The condition that a row of `claims` has not ended by time."""
    return claims.c.until_us > database_us(connection)


def is_taken(connection: Connection, sheet: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that somebody has a sheet, for a query.

    sheet  a column with identities of sheets
    """
    return exists().where(claims.c.sheet == sheet, not_ended(connection))


def claim_first(connection: Connection, person: str, sheets: Iterable[str]) -> Claim | None:
    """Claim the first sheet that nobody has; None where all are taken. In a transaction that may write.

    Two reviewers at the same time never get the same one: the row of a sheet is taken by one statement.
    """
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    now = database_us(connection)
    for sheet in sheets:
        row = {"person": person, "claim": secrets.token_hex(16), "claimed_us": now}
        row["until_us"] = now + CLAIM_S * 1_000_000
        statement = (
            make(claims)
            .values(sheet=sheet, **row)
            .on_conflict_do_update(index_elements=["sheet"], set_=row, where=claims.c.until_us <= now)
            .returning(claims.c.claim)
        )
        if connection.execute(statement).one_or_none() is not None:
            _end_oldest(connection, person)
            return Claim(str(row["claim"]), sheet)
    return None


def _end_oldest(connection: Connection, person: str) -> None:
    newest = (
        select(claims.c.claim)
        .where(claims.c.person == person)
        .order_by(claims.c.claimed_us.desc(), claims.c.claim)
        .limit(MOST_HELD)
    )
    kept = list(connection.execute(newest).scalars())
    connection.execute(delete(claims).where(claims.c.person == person, claims.c.claim.not_in(kept)))


def renew_claims(connection: Connection, person: str, ids: Collection[str]) -> list[str]:
    """Extend claims, at most LONGEST_S after they were made; those of them that are still the person's."""
    now = database_us(connection)
    until = now + CLAIM_S * 1_000_000
    made_us = now - LONGEST_S * 1_000_000
    mine = (claims.c.person == person, claims.c.claim.in_(ids), claims.c.claimed_us > made_us)
    connection.execute(update(claims).where(*mine).values(until_us=until))
    return list(connection.execute(select(claims.c.claim).where(*mine)).scalars())


def free_claims(connection: Connection, person: str, ids: Collection[str]) -> None:
    """Give sheets back."""
    connection.execute(delete(claims).where(claims.c.person == person, claims.c.claim.in_(ids)))


def drop_claim(connection: Connection, sheet: str) -> None:
    """End whatever claim a sheet has: it is decided."""
    connection.execute(delete(claims).where(claims.c.sheet == sheet))
