"""Destinations in the database: made, changed, listed and deleted; each change is an event in the ledger.

The secret of a destination is stored as it is, because every delivery is signed with it (or the broker asks
for it). It is shown once, when it is made. No event holds it, nor the whole address, which may hold one too.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from steelsight.errors import BadInput
from steelsight.ledger.chain.canonical import as_json
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database import outbox as tables
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.reading.tail import rewind
from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.events.messages import Filter
from steelsight.service.events.outbox.addresses import parse_endpoint
from steelsight.service.events.outbox.signing import new_key

__all__ = [
    "ACTIVE",
    "NO_FAILURE",
    "PAUSED",
    "SCHEMES",
    "Destination",
    "NewDestination",
    "add_destination",
    "change_destination",
    "find_destination",
    "list_destinations",
    "remove_destination",
    "rotate_key",
    "skip_message",
    "stored_cursor",
]

ACTIVE: Final = "active"
PAUSED: Final = "paused"
SCHEMES: Final[Mapping[str, Sequence[str]]] = {"webhook": ("https", "http"), "mqtt": ("mqtts", "mqtt")}
NO_FAILURE: Final[Mapping[str, Any]] = {  # columns of a destination that accepted the last message
    "failures": 0,
    "failing_since_us": None,
    "failing_writer": None,
    "failing_seq": None,
    "error": None,
    "next_us": None,
}
RESUMED: Final = {"reason": None, **NO_FAILURE}  # columns that begin anew when a paused destination goes on


@dataclass(frozen=True)
class Destination:
    """Where messages go, and how far it has come."""

    id: str
    name: str
    kind: str  # webhook or mqtt
    address: str
    options: Mapping[str, Any]
    wanted: Filter
    state: str
    reason: str | None
    version: int
    created_us: int
    epoch: int
    delivered: int
    delivered_us: int | None
    failures: int
    failing_since_us: int | None
    failing: tuple[str, int] | None  # writer and seq of the message that was not accepted
    error: str | None
    next_us: int | None
    holder_name: str | None
    secret: bytes | None = field(repr=False)
    earlier_secret: bytes | None = field(repr=False)
    earlier_until_us: int | None

    def keys(self, at_us: int) -> tuple[bytes, ...]:
        """The keys that sign at a time: the newest first, and the one before while it is valid."""
        earlier = self.earlier_secret if at_us < (self.earlier_until_us or 0) else None
        return tuple(key for key in (self.secret, earlier) if key is not None)


@dataclass(frozen=True)
class NewDestination:
    """What a destination is made from."""

    name: str
    kind: str
    address: str
    options: Mapping[str, Any] = field(default_factory=dict)
    wanted: Filter = field(default_factory=Filter)
    secret: bytes | None = field(default=None, repr=False)  # of a broker; a webhook gets a new one


def find_destination(connection: Connection, identity: str) -> Destination | None:
    """A destination by id; None where there is none."""
    table = tables.destinations
    row = connection.execute(select(table).where(table.c.id == identity)).one_or_none()
    return None if row is None else _destination(row)


def list_destinations(connection: Connection) -> list[Destination]:
    """All destinations, the oldest first."""
    table = tables.destinations
    rows = connection.execute(select(table).order_by(table.c.created_us, table.c.id))
    return [_destination(row) for row in rows]


def _destination(row: Any) -> Destination:
    values = dict(row._mapping)
    failing = None if row.failing_writer is None else (row.failing_writer, int(row.failing_seq))
    made = {
        **values,
        "options": json.loads(row.options),
        "wanted": _read_filter(row.filter),
        "failing": failing,
        **{name: None if values[name] is None else bytes(values[name]) for name in _SECRETS},
    }
    return Destination(**{each.name: made[each.name] for each in fields(Destination)})


_SECRETS: Final = ("secret", "earlier_secret")


def _read_filter(text: str) -> Filter:
    stored: dict[str, Any] = json.loads(text)
    audit = bool(stored.pop("audit"))
    return Filter(**{name: frozenset(values) for name, values in stored.items()}, audit=audit)


def _filter_text(wanted: Filter) -> str:
    values = asdict(wanted)
    return as_json({name: value if name == "audit" else sorted(value) for name, value in values.items()})


def add_destination(
    connection: Connection, writer: Writer, new: NewDestination, *, begin: Cursor, by: str | None
) -> Destination:
    """Make a destination; a webhook gets a random secret.

    begin   what lies before this cursor is not sent
    by      id of the person
    raises  BadInput for an impossible address
    """
    parse_endpoint(new.address, SCHEMES[new.kind])
    identity = secrets.token_hex(8)
    row = {
        "id": identity,
        "name": new.name,
        "kind": new.kind,
        "address": new.address,
        "options": as_json(dict(new.options)),
        "filter": _filter_text(new.wanted),
        "state": ACTIVE,
        "version": 1,
        "created_us": now_us(),
        "secret": new_key() if new.kind == "webhook" else new.secret,
        "epoch": begin.epoch,
        "delivered": 0,
        "failures": 0,
        "lease_until_us": 0,
    }
    connection.execute(insert(tables.destinations).values(row))
    _put_positions(connection, identity, begin)
    made = _known(connection, identity)
    _note(connection, writer, "destination_created", made, by)
    return made


def change_destination(
    connection: Connection, writer: Writer, identity: str, changes: Mapping[str, Any], *, by: str | None
) -> Destination:
    """Change fields of a destination; one that was paused goes on where it stopped.

    changes  any of name, address, options, wanted, secret, state
    raises   BadInput: no such destination, an impossible address
    """
    found = _known(connection, identity)
    values = {name: changes[name] for name in ("name", "address", "secret", "state") if name in changes}
    if "address" in values:
        parse_endpoint(values["address"], SCHEMES[found.kind])
    if "options" in changes:
        values["options"] = as_json(dict(changes["options"]))
    if "wanted" in changes:
        values["filter"] = _filter_text(changes["wanted"])
    if values.get("state") == ACTIVE and found.state != ACTIVE:
        values |= RESUMED | {"epoch": _rewind(connection, found)}
    _update(connection, found, values)
    _note(connection, writer, "destination_changed", found, by, changed=sorted(changes))
    return _known(connection, identity)


def _rewind(connection: Connection, found: Destination) -> int:
    """After a restore of the ledger: go on after what was restored; the ledger's epoch."""
    cursor = rewind(connection, stored_cursor(connection, found)).cursor
    _put_positions(connection, found.id, cursor)
    return cursor.epoch


def rotate_key(
    connection: Connection, writer: Writer, identity: str, *, overlap_s: float, by: str | None
) -> Destination:
    """Give a webhook a new secret; the one before also signs for a time.

    raises  BadInput: no such destination, or no webhook
    """
    found = _known(connection, identity)
    if found.kind != "webhook":
        raise BadInput(f"destination {identity}: is no webhook; change its password instead")
    until = now_us() + int(overlap_s * 1e6)
    values = {"secret": new_key(), "earlier_secret": found.secret, "earlier_until_us": until}
    _update(connection, found, values)
    _note(connection, writer, "destination_rotated", found, by, overlap_s=overlap_s)
    return _known(connection, identity)


def skip_message(
    connection: Connection, writer: Writer, identity: str, message: tuple[str, int], *, by: str | None
) -> Destination:
    """Pass over the one message that a receiver does not accept.

    message  writer and seq of it, so that no other is passed over
    raises   BadInput: no such destination, or another message waits
    """
    found = _known(connection, identity)
    if found.failing != message:
        waits = "none is refused now" if found.failing is None else "{} {}".format(*found.failing)
        raise BadInput(f"destination {identity}: cannot skip entry {message[1]} of {message[0]}: {waits}")
    position = stored_cursor(connection, found)
    if position.seq(message[0]) != message[1] - 1:
        raise BadInput(f"destination {identity}: entry {message[1]} of {message[0]} does not wait any more")
    _put_positions(connection, identity, position.moved({message[0]: message[1]}))
    _update(connection, found, RESUMED)
    _note(connection, writer, "destination_skipped", found, by, writer_skipped=message[0], seq=message[1])
    return _known(connection, identity)


def remove_destination(connection: Connection, writer: Writer, identity: str, *, by: str | None) -> None:
    """Delete a destination; what was not delivered is not sent any more. Raises BadInput."""
    found = _known(connection, identity)
    connection.execute(delete(tables.destinations).where(tables.destinations.c.id == identity))
    connection.execute(delete(tables.positions).where(tables.positions.c.destination == identity))
    _note(connection, writer, "destination_deleted", found, by)


def stored_cursor(connection: Connection, found: Destination) -> Cursor:
    """How far a destination has come."""
    table = tables.positions
    query = select(table.c.writer, table.c.seq).where(table.c.destination == found.id)
    return Cursor(found.epoch, {row.writer: int(row.seq) for row in connection.execute(query)})


def _known(connection: Connection, identity: str) -> Destination:
    found = find_destination(connection, identity)
    if found is None:
        raise BadInput(f"destination {identity!r:.40}: there is none with this id")
    return found


def _update(connection: Connection, found: Destination, values: Mapping[str, Any]) -> None:
    table = tables.destinations
    changed = {**values, "version": found.version + 1}
    connection.execute(update(table).where(table.c.id == found.id).values(changed))


def _put_positions(connection: Connection, identity: str, cursor: Cursor) -> None:
    table = tables.positions
    connection.execute(delete(table).where(table.c.destination == identity))
    rows = [{"destination": identity, "writer": name, "seq": seq} for name, seq in cursor.seqs.items() if seq]
    if rows:
        connection.execute(insert(table), rows)


def _note(
    connection: Connection, writer: Writer, name: str, found: Destination, by: str | None, **details: Any
) -> None:
    facts = {"kind": found.kind, "host": parse_endpoint(found.address, SCHEMES[found.kind]).host, **details}
    writer.append_within(connection, [Event(name=name, person=by, subject=found.id, details=facts)])
