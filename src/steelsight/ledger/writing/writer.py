"""Append entries to one writer's chain, in one transaction with the read models they imply.

One process at a time writes under a name: it holds a lease, which is checked in the transaction of every
append. A process that lost its lease, because it hung or its network was away, cannot write any more.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from steelsight.errors import BadEntry, BadInput, LeaseLost
from steelsight.ledger.chain.canonical import Link, first_hash, link_entry
from steelsight.ledger.chain.entries import Entry
from steelsight.ledger.database import schema
from steelsight.ledger.database.bulk import insert_rows
from steelsight.ledger.database.connect import ledger_command
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.writing.projection import write_rows

__all__ = [
    "LEASE_S",
    "SYSTEM_WRITER",
    "Writer",
    "database_us",
    "has_ended",
    "now_us",
    "open_writer",
    "release_name",
    "this_process",
]

LEASE_S: Final = 15.0  # without an append or `renew`, another process may take the name
LONGEST_NAME: Final = 100
SYSTEM_WRITER: Final = "ledger"  # writes the events of the ledger itself


def now_us() -> int:
    """This machine's clock in microseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1000


class Writer:
    """Appends to one chain; use `open_writer`. Not safe to share between threads."""

    def __init__(
        self, ledger: Ledger, name: str, token: str, *, lease_s: float, clock: Callable[[], int]
    ) -> None:
        self.ledger = ledger
        self.name = name
        self._token = token
        self._lease_us = int(lease_s * 1e6)
        self._clock = clock

    def append(self, entries: Sequence[Entry]) -> list[Link]:
        """Write entries and their read models, all or none; they are on disk when this returns.

        raises  BadEntry: one is not valid here; LeaseLost; BadLedger: the database failed
        """
        with self.ledger.write() as connection:
            return self.append_within(connection, entries)

    def append_within(self, connection: Connection, entries: Sequence[Entry]) -> list[Link]:
        """`append` inside a transaction of the caller, who has read there what the entries depend on."""
        seq, digest = self.hold(connection)
        epoch = connection.execute(select(schema.ledger.c.epoch)).scalar_one()
        links: list[Link] = []
        for number, entry in enumerate(entries, seq + 1):
            link = link_entry(
                entry, writer=self.name, seq=number, epoch=epoch, time_us=self._clock(), previous=digest
            )
            digest = link.digest
            links.append(link)
        if not links:
            return links
        try:
            insert_rows(connection, schema.entries, [link.as_row() for link in links])
            write_rows(connection, links)
        except IntegrityError as error:
            raise BadEntry(f"entries of {self.name}: one is in the ledger already ({error.orig})") from error
        head = {"seq": links[-1].seq, "digest": digest}
        connection.execute(update(schema.writers).where(schema.writers.c.name == self.name).values(head))
        return links

    def hold(self, connection: Connection) -> tuple[int, bytes]:
        """Extend the lease inside a transaction; the number and digest of the last entry.

        raises  LeaseLost where another process holds the name
        """
        table = schema.writers
        until = {"lease_until_us": database_us(connection) + self._lease_us}
        done = connection.execute(
            update(table).where(table.c.name == self.name, table.c.holder == self._token).values(until)
        )
        row = connection.execute(select(table).where(table.c.name == self.name)).one_or_none()
        if done.rowcount != 1 or row is None:
            raise LeaseLost(
                f"ledger {self.ledger.address}: {_who_writes(row)} as {self.name!r} now; nothing was "
                "written; where no other process is to write under this name, start this one again; "
                "otherwise give it another name"
            )
        return int(row.seq), bytes(row.digest)

    def renew(self) -> None:
        """Extend the lease where nothing was appended for a while; raises LeaseLost."""
        with self.ledger.write() as connection:
            self.hold(connection)

    def release(self) -> None:
        """Give the name back, if this process still holds it."""
        table = schema.writers
        with self.ledger.write() as connection:
            connection.execute(
                update(table)
                .where(table.c.name == self.name, table.c.holder == self._token)
                .values(holder=None, holder_name=None, lease_until_us=0)
            )


@contextmanager
def open_writer(
    ledger: Ledger,
    name: str,
    *,
    lease_s: float = LEASE_S,
    clock: Callable[[], int] = now_us,
    force: bool = False,
    token: str | None = None,
) -> Iterator[Writer]:
    """Take a writer's name and give it back at the end.

    name     of a station or another writer; made where the ledger does not have it
    clock    microseconds since 1970-01-01 UTC
    force    take the name although another process holds it
    token    of the holder; one that lost the database takes its own name again with it. None = a new one
    raises   LeaseLost where another live process holds the name; BadInput for an impossible name
    """
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadInput(f"writer: expected 1 to {LONGEST_NAME} printable characters, got {name!r:.80}")
    token = token or secrets.token_hex(16)
    with ledger.write() as connection:
        _take(connection, ledger, name, token, lease_s, force=force)
    writer = Writer(ledger, name, token, lease_s=lease_s, clock=clock)
    try:
        yield writer
    finally:
        writer.release()


def _take(
    connection: Connection, ledger: Ledger, name: str, token: str, lease_s: float, *, force: bool
) -> None:
    table = schema.writers
    now = database_us(connection)
    lease = {"holder": token, "holder_name": this_process(), "lease_until_us": now + int(lease_s * 1e6)}
    row = _locked(connection, ledger, name)
    held = row.holder not in (None, token) and row.lease_until_us > now
    if held and not force and not has_ended(row.holder_name):
        left = (row.lease_until_us - now) / 1e6
        raise LeaseLost(
            f"ledger {ledger.address}: {row.holder_name} writes as {name!r} and may do so for {left:.0f} s "
            "more; wait, or give this process another name; where that process has ended, run "
            f"{ledger_command('release', ledger.address, name)}"
        )
    connection.execute(update(table).where(table.c.name == name).values(lease))


def _locked(connection: Connection, ledger: Ledger, name: str) -> Any:
    """The row of a writer, made where it is missing, and locked until the transaction ends.

    Two processes may make one at the same time: the second waits for the first and finds its row.
    """
    table = schema.writers
    query = select(table).where(table.c.name == name).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        start = {"name": name, "seq": 0, "digest": first_hash(ledger.id, name), "lease_until_us": 0}
        connection.execute(make(table).values(start).on_conflict_do_nothing())
        row = connection.execute(query).one()
    return row


def _who_writes(row: Any) -> str:
    """Who has a writer's name instead of a process that has lost it."""
    if row is None or row.holder_name is None:
        return "the name was freed, and nobody writes"
    return f"{row.holder_name} writes"


def release_name(ledger: Ledger, name: str) -> str | None:
    """End the lease of a writer's name; who held it, None where nobody did.

    A process that still runs under that name cannot write any more: it ends with LeaseLost.
    raises  BadInput where the ledger has no such writer
    """
    table = schema.writers
    with ledger.write() as connection:
        query = select(table).where(table.c.name == name).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            names = ", ".join(connection.execute(select(table.c.name).order_by(table.c.name)).scalars())
            raise BadInput(
                f"ledger {ledger.address}: expected the name of a writer, got {name!r:.80}; it has {names}"
            )
        free = {"holder": None, "holder_name": None, "lease_until_us": 0}
        connection.execute(update(table).where(table.c.name == name).values(free))
    return None if row.holder is None else str(row.holder_name)


def database_us(connection: Connection) -> int:
    """The clock that all writers of this database share."""
    if connection.dialect.name == "postgresql":
        query = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)")
        return int(connection.execute(query).scalar_one())
    return now_us()


def _boot() -> str:
    """Distinguishes this run of this machine, and containers on it; empty where the system does not tell.

    Numbers of processes can be compared within one container only: it does not see those of another.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        return f"{boot}-{Path('/proc/self/ns/pid').readlink().name[5:-1]}"  # pid:[N]
    except OSError:
        return ""


def this_process() -> str:
    """Host, boot and number of this process, for `has_ended`."""
    return f"{socket.gethostname()} {_boot()} process {os.getpid()}"


def has_ended(holder: str) -> bool:
    """Whether the holder was a process of this machine that no longer runs."""
    place, _, number = holder.rpartition(" process ")
    if place != f"{socket.gethostname()} {_boot()}" or not number.isdigit() or not _boot():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
