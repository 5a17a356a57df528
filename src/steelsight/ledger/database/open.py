"""Make a ledger, or open one that exists."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, insert, select

from steelsight.errors import BadLedger
from steelsight.ledger.database import schema
from steelsight.ledger.database.connect import connect, reading, shown_address, writing
from steelsight.ledger.database.migrate import check_empty, check_schema, upgrade_within

__all__ = ["Ledger", "create_ledger", "identify", "open_ledger", "opened"]


@dataclass(frozen=True)
class Ledger:
    """An open ledger; safe to share between threads."""

    engine: Engine
    id: str  # random, part of every chain

    @property
    def address(self) -> str:
        """Its address without a password, for messages."""
        return shown_address(self.engine)

    def read(self) -> AbstractContextManager[Connection]:
        """A connection that sees one state of the ledger throughout."""
        return reading(self.engine)

    def write(self) -> AbstractContextManager[Connection]:
        """A transaction that may write."""
        return writing(self.engine)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def create_ledger(address: str, *, restored_id: str | None = None) -> Ledger:
    """Make a new ledger, in one transaction.

    address      a file, sqlite:///FILE, or postgresql://USER@HOST/NAME
    restored_id  of a ledger that is restored: it has no identity, and nothing opens it, until `identify`
    raises       BadLedger where the database cannot be used, or holds a ledger or anything else
    """
    with ExitStack() as undo:
        engine = connect(address, create=True)
        undo.callback(engine.dispose)
        identity = restored_id or secrets.token_hex(16)
        with writing(engine) as connection:
            check_empty(connection)
            upgrade_within(connection)
            if restored_id is None:
                identify(connection, identity, epoch=1)
        undo.pop_all()
    return Ledger(engine, identity)


def identify(connection: Connection, identity: str, *, epoch: int) -> None:
    """Write who the ledger is: from then on it can be opened."""
    row = {"id": identity, "epoch": epoch, "created_us": time.time_ns() // 1000}
    connection.execute(insert(schema.ledger).values(row))


def open_ledger(address: str, *, earlier: bool = False) -> Ledger:
    """Open a ledger of this version's schema; raises BadLedger.

    earlier  or of an earlier one, to read its entries
    """
    with ExitStack() as undo:
        engine = connect(address)
        undo.callback(engine.dispose)
        check_schema(engine, earlier=earlier)
        with reading(engine) as connection:
            rows = connection.execute(select(schema.ledger.c.id)).scalars().all()
        if len(rows) != 1:
            place = shown_address(engine)
            why = "a restore into it was not finished, or" if not rows else "probably"
            raise BadLedger(
                f"ledger {place}: expected one identity, found {len(rows)}; {why} its table `ledger` was "
                "changed; restore a backup into another, empty database"
            )
        undo.pop_all()
    return Ledger(engine, rows[0])


@contextmanager
def opened(address: str, *, earlier: bool = False) -> Iterator[Ledger]:
    """`open_ledger`, closed at the end."""
    ledger = open_ledger(address, earlier=earlier)
    try:
        yield ledger
    finally:
        ledger.close()
