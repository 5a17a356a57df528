"""Who has seen the verdict of a sheet that was drawn for audit: on a page, in a list, in an event stream.

A draw goes only to a reviewer who has not seen its verdict. The same is kept of known cases, from the time
on at which they became ones. Of sheets for a second review it is kept who has seen what others said of them
(`reviewing.answers`), of other sheets nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    and_,
    exists,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from steelsight.ledger.database import schema
from steelsight.ledger.database.reviewing import seen_sheets, watches
from steelsight.ledger.reading.known_cases import was_known
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.roles import Caller
from steelsight.service.context import Service
from steelsight.service.reviewing.people import viewer

__all__ = [
    "Watch",
    "begin_watch",
    "has_seen",
    "is_noted",
    "note_coil_seen",
    "note_image_seen",
    "note_seen",
    "note_seen_within",
    "was_seen",
]

MARGIN_US: Final = 60_000_000  # clocks of stations and of the service may differ by so much
MANY: Final = 500  # values in one IN list


def note_seen(service: Service, caller: Caller, sheets: Iterable[str]) -> None:
    """Put on record that a person is shown verdicts of sheets; call it before they are shown.

    raises  BadLedger where that cannot be written: then they are not to be shown
    """
    person = viewer(service, caller)
    wanted = list(dict.fromkeys(sheets))
    if person is None or not wanted:
        return
    with service.ledger.read() as connection:
        drawn = _drawn_unseen(connection, person, wanted)
    if drawn:
        with service.ledger.write() as connection:
            note_seen_within(connection, person, drawn)


def note_image_seen(service: Service, caller: Caller, digest: str) -> None:
    """Put on record that a person is shown what a bundle says of an image; call it before that is shown.

    It counts as the verdicts of all stored sheets with the same image file.
    digest  SHA-256 of the image file
    raises  BadLedger where that cannot be written: then it is not to be shown
    """
    if viewer(service, caller) is None:
        return
    sheets = schema.sheets
    with service.ledger.read() as connection:
        query = select(sheets.c.sheet).where(sheets.c.image_hash == digest, _is_kept())
        found = list(connection.execute(query).scalars())
    note_seen(service, caller, found)


def note_coil_seen(service: Service, caller: Caller, coil: str) -> None:
    """Put on record that a person is shown all verdicts of a coil; call it before they are shown.

    One statement over the coil's draws and known cases, however many sheets and defects it has; none is
    written where the person has seen them before.
    raises  BadLedger where that cannot be written: then they are not to be shown
    """
    person = viewer(service, caller)
    if person is None:
        return
    sheets = schema.sheets
    now = literal(now_us(), BigInteger).label("seen_us")
    unseen = select(literal(person).label("person"), sheets.c.sheet, now).where(
        sheets.c.coil == coil, _is_kept(), ~is_noted(person, sheets.c.sheet)
    )
    with service.ledger.read() as connection:
        if connection.execute(unseen.limit(1)).first() is None:
            return
    with service.ledger.write() as connection:
        make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        rows = make(seen_sheets).from_select(["person", "sheet", "seen_us"], unseen)
        connection.execute(rows.on_conflict_do_nothing())


def note_seen_within(connection: Connection, person: str, sheets: Collection[str]) -> None:
    """Put on record, in a transaction, that a person is shown what is kept from who decides sheets first."""
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = [{"person": person, "sheet": sheet, "seen_us": now_us()} for sheet in sheets]
    connection.execute(make(seen_sheets).values(rows).on_conflict_do_nothing())


def _drawn_unseen(connection: Connection, person: str, sheets: list[str]) -> list[str]:
    found: list[str] = []
    column = schema.sheets.c.sheet
    for start in range(0, len(sheets), MANY):
        among = column.in_(sheets[start : start + MANY])
        query = select(column).where(among, _is_kept(), ~is_noted(person, column))
        found.extend(connection.execute(query).scalars())
    return found


def _is_kept() -> ColumnElement[bool]:
    """The condition that it is kept who has seen a row of `sheets`."""
    column = schema.sheets.c.sheet
    return or_(exists().where(schema.draws.c.sheet == column), was_known(column))


def is_noted(person: str, sheet: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a person's view of a sheet is on record by itself, not by a watch, for a query.

    sheet  a column with identities of sheets
    """
    return exists().where(seen_sheets.c.person == person, seen_sheets.c.sheet == sheet)


def was_seen(person: str, verdicts: Table) -> ColumnElement[bool]:
    """The condition that a person has seen a row of `verdicts`, for a query."""
    watched = exists().where(
        watches.c.person == person,
        watches.c.from_us - MARGIN_US <= verdicts.c.entered_us,
        verdicts.c.entered_us <= watches.c.until_us + MARGIN_US,
    )
    return or_(is_noted(person, verdicts.c.sheet), watched)


def has_seen(connection: Connection, person: str, sheet: str) -> bool:
    """Whether a person has seen a live verdict of a sheet that was drawn."""
    verdicts = schema.verdicts
    query = select(verdicts.c.seq).where(
        and_(verdicts.c.sheet == sheet, verdicts.c.mode == "live", was_seen(person, verdicts))
    )
    return connection.execute(query.limit(1)).one_or_none() is not None


@dataclass(frozen=True)
class Watch:
    """A time in which a person follows every verdict; it begins before the first is sent."""

    service: Service
    person: str
    ahead_us: int  # it counts as going on for so long after it was last renewed
    id: str

    def renew(self) -> None:
        """The person goes on watching."""
        until = {"until_us": now_us() + self.ahead_us}
        with self.service.ledger.write() as connection:
            connection.execute(update(watches).where(watches.c.watch == self.id).values(until))

    def end(self) -> None:
        """The person has stopped."""
        with self.service.ledger.write() as connection:
            connection.execute(update(watches).where(watches.c.watch == self.id).values(until_us=now_us()))


def begin_watch(service: Service, caller: Caller, since_us: int, ahead_s: float) -> Watch | None:
    """Write that a person begins to follow verdicts; None for a machine.

    since_us  verdicts entered from here on are shown
    ahead_s   longest time until `renew` is called again
    """
    person = viewer(service, caller)
    if person is None:
        return None
    found = Watch(service, person, int(ahead_s * 1e6), secrets.token_hex(16))
    row = {"watch": found.id, "person": person, "from_us": since_us, "until_us": now_us() + found.ahead_us}
    with service.ledger.write() as connection:
        connection.execute(insert(watches).values(row))
    return found
