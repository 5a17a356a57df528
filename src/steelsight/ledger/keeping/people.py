"""People and their texts: outside the chain, so that they can be erased; the chain holds commitments."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from steelsight.errors import BadInput, BadLedger
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.database.postgres import without_timeout
from steelsight.ledger.writing.writer import Writer, now_us

__all__ = ["Person", "add_person", "commit_text", "erase_person", "find_person", "read_text"]

SALT_BYTES = 16
LONGEST = 10_000  # characters of a name, an address or a text


@dataclass(frozen=True)
class Person:
    """Somebody who reviews or administers."""

    id: str  # random; all that entries hold
    name: str
    address: str


def add_person(connection: Connection, name: str, address: str = "") -> Person:
    """A new person with a random id; raises BadInput for an impossible name."""
    for value in (name, address):
        if len(value) > LONGEST or "\0" in value:
            raise BadInput(f"person: expected at most {LONGEST} characters and no NUL, got {value!r:.80}")
    if not name.strip():
        raise BadInput("person: expected a name, got none")
    person = Person(secrets.token_hex(16), name, address)
    row = {"person": person.id, "name": name, "address": address, "created_us": now_us()}
    connection.execute(insert(schema.people).values(row))
    return person


def find_person(connection: Connection, person: str) -> Person | None:
    """A person by id; None where it was erased or never existed."""
    table = schema.people
    row = connection.execute(select(table).where(table.c.person == person)).one_or_none()
    return None if row is None else Person(row.person, row.name, row.address)


def commit_text(connection: Connection, person: str, text: str) -> str:
    """Store a text where it can be erased; returns the commitment that goes into the chain.

    The commitment is HMAC-SHA256 of the text under a random salt: without the salt nothing about the text can
    be guessed from it, not even a short one.
    raises  BadInput for a text that is too long
    """
    if len(text) > LONGEST or "\0" in text:
        raise BadInput(f"text: expected at most {LONGEST} characters and no NUL, got {len(text)}")
    salt = secrets.token_bytes(SALT_BYTES)
    commitment = _commitment(salt, text)
    row = {"commitment": commitment, "person": person, "salt": salt, "text": text}
    connection.execute(insert(schema.texts).values(row))
    return commitment


def read_text(connection: Connection, commitment: str) -> str | None:
    """The text of a commitment; None where it was erased.

    raises  BadInput where the stored text is not the one that was committed to
    """
    table = schema.texts
    row = connection.execute(select(table).where(table.c.commitment == commitment)).one_or_none()
    if row is None:
        return None
    if not hmac.compare_digest(_commitment(bytes(row.salt), row.text), commitment):
        raise BadInput(f"text {commitment[:12]}…: was altered since it was entered")
    return str(row.text)


def erase_person(ledger: Ledger, writer: Writer, person: str) -> int:
    """Delete a person's name, address, texts and account with its sessions; the entries stay and verify.

    returns  texts that were deleted
    raises   BadInput where neither the person nor a text of it is there; BadLedger where the database's files
             could not be cleared of it
    """
    with ledger.write() as connection:
        counts = {
            table: connection.execute(delete(table).where(table.c.person == person)).rowcount
            for table in schema.ABOUT_PEOPLE
        }
        there, gone = any(counts.values()), counts[schema.texts]
        if there:
            event = Event(name="person_erased", person=person, details={"texts": gone})
            writer.append_within(connection, [event])
    _scrub(ledger)
    if not there:
        raise BadInput(
            f"person {person!r:.80}: not in the ledger, or erased already; expected the random id, which "
            "`steelsight user list` shows"
        )
    return int(gone)


def _scrub(ledger: Ledger) -> None:
    """Remove deleted text from the database's files.

    SQLite overwrites what is deleted (`secure_delete`); its write-ahead log still holds earlier pages and is
    emptied here. PostgreSQL keeps deleted rows: the tables are written anew.
    """
    if ledger.engine.dialect.name == "sqlite":
        with closing(ledger.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise BadLedger(
                f"ledger {ledger.address}: erased, but its write-ahead log is in use and still holds it; "
                "run the same command again when no long read is going on"
            )
        return
    tables = ", ".join(table.name for table in schema.ABOUT_PEOPLE)
    with closing(ledger.engine.raw_connection()) as connection:
        driver: Any = connection.driver_connection
        driver.rollback()
        driver.autocommit = True  # VACUUM runs in no transaction
        try:
            with without_timeout(driver):
                driver.run(f"VACUUM FULL {tables}")
        except (ledger.engine.dialect.loaded_dbapi.Error, OSError) as error:
            raise BadLedger(
                f"ledger {ledger.address}: erased, but the deleted rows could not be removed from its files "
                f"({error!s:.120}); run VACUUM FULL {tables} as the owner of the tables"
            ) from error
        finally:
            driver.autocommit = False


def _commitment(salt: bytes, text: str) -> str:
    return hmac.new(salt, text.encode(), hashlib.sha256).hexdigest()
