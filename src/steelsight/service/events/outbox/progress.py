"""What a worker reads and writes of a destination: its lease, its position, its failures.

One process at a time delivers to a destination. Its lease and the destination's version are checked in the
transaction that moves the position, so that a process that hung, or that knows an earlier state of the
destination, cannot move it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from steelsight.errors import LeaseLost
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import DESTINATION_PAUSED
from steelsight.ledger.database import outbox as tables
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.reading.tail import read_heads
from steelsight.ledger.writing.writer import Writer, database_us, has_ended, now_us, this_process
from steelsight.service.events.outbox.destinations import (
    ACTIVE,
    NO_FAILURE,
    PAUSED,
    Destination,
    list_destinations,
)

__all__ = ["LEASE_S", "Failure", "give_back", "note_failure", "pause", "save", "take"]

LEASE_S: Final = 15.0  # without `take` or `save`, another process may deliver
RENEW_US: Final = 10_000_000  # a lease that has more than this left is not extended
RESTORED_REASON: Final = "the ledger was restored from a backup; resume to go on from what was restored"


@dataclass(frozen=True)
class Failure:
    """A message that was not accepted."""

    writer: str | None  # None = no connection could be made
    seq: int | None
    error: str
    next_us: int  # of the next attempt


def take(connection: Connection, token: str) -> tuple[list[Destination], Cursor]:
    """Extend the leases of this process and take free ones.

    token    of this process
    returns  the active destinations that it may deliver to, and the heads of the ledger
    """
    table = tables.destinations
    heads = read_heads(connection)
    now = database_us(connection)
    lease = {"holder": token, "holder_name": this_process(), "lease_until_us": now + int(LEASE_S * 1e6)}
    query = select(table.c.id, table.c.holder, table.c.holder_name, table.c.lease_until_us, table.c.epoch)
    for row in connection.execute(
        query.where(table.c.state == ACTIVE).order_by(table.c.id).with_for_update()
    ).all():
        if row.epoch != heads.epoch:
            _set_paused(connection, row.id, RESTORED_REASON)
        elif row.holder == token and row.lease_until_us - now > RENEW_US:
            continue
        elif row.holder in (None, token) or row.lease_until_us <= now or has_ended(row.holder_name):
            connection.execute(update(table).where(table.c.id == row.id).values(lease))
    held = select(table.c.id).where(table.c.state == ACTIVE, table.c.holder == token)
    ids = set(connection.execute(held).scalars())
    return [each for each in list_destinations(connection) if each.id in ids], heads


def give_back(connection: Connection, token: str) -> None:
    """End the leases of a process."""
    table = tables.destinations
    free = {"holder": None, "holder_name": None, "lease_until_us": 0}
    connection.execute(update(table).where(table.c.holder == token).values(free))


def save(
    connection: Connection,
    found: Destination,
    token: str,
    seqs: Mapping[str, int],
    delivered: int,
) -> None:
    """Move the position of a destination.

    seqs       by writer, the last entry that was delivered or is not to be sent
    delivered  messages that were accepted since the last call
    raises     LeaseLost where another process delivers, or the destination was changed
    """
    values: dict[str, Any] = {"lease_until_us": database_us(connection) + int(LEASE_S * 1e6)}
    if delivered:
        table = tables.destinations
        values |= {
            "delivered": table.c.delivered + delivered,
            "delivered_us": now_us(),
            **NO_FAILURE,
        }
    _set_held(connection, found, token, values)
    positions = tables.positions
    for writer, seq in seqs.items():
        mine = (positions.c.destination == found.id, positions.c.writer == writer)
        if connection.execute(update(positions).where(*mine).values(seq=seq)).rowcount == 0:
            row = {"destination": found.id, "writer": writer, "seq": seq}
            connection.execute(insert(positions).values(row))


def note_failure(connection: Connection, found: Destination, token: str, failure: Failure) -> None:
    """Put on record that a message was not accepted; raises LeaseLost as `save`."""
    table = tables.destinations
    since = select(table.c.failing_since_us).where(table.c.id == found.id)
    values = {
        "failures": table.c.failures + 1,
        "failing_since_us": connection.execute(since).scalar() or now_us(),
        "failing_writer": failure.writer,
        "failing_seq": failure.seq,
        "error": failure.error[:500],
        "next_us": failure.next_us,
    }
    _set_held(connection, found, token, values)


def pause(connection: Connection, writer: Writer, found: Destination, token: str, reason: str) -> None:
    """Stop delivering until a person resumes; nothing is lost. Raises LeaseLost as `save`."""
    _set_held(connection, found, token, {"state": PAUSED, "reason": reason[:500]})
    details = {"reason": reason[:500]}
    event = Event(name=DESTINATION_PAUSED, subject=found.id, details=details)
    writer.append_within(connection, [event])


def _set_paused(connection: Connection, identity: str, reason: str) -> None:
    table = tables.destinations
    connection.execute(update(table).where(table.c.id == identity).values(state=PAUSED, reason=reason))


def _set_held(connection: Connection, found: Destination, token: str, values: Mapping[str, Any]) -> None:
    table = tables.destinations
    query = update(table).where(
        table.c.id == found.id, table.c.holder == token, table.c.version == found.version
    )
    if connection.execute(query.values(values)).rowcount != 1:
        raise LeaseLost(f"destination {found.id}: another process delivers to it, or it was changed")
