"""Read what was entered after a cursor: every entry once, each writer's in their order, none missed.

An idle ledger costs one small query: the last number of each writer. Entries are read only of writers that
went on.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, and_, func, or_, select

from steelsight.errors import BadCursor, LedgerAltered
from steelsight.ledger.chain.event_names import RESTORED
from steelsight.ledger.database import schema
from steelsight.ledger.reading.cursors import Cursor, ledger_mark, parse_cursor, writer_mark

__all__ = [
    "Lost",
    "Resumed",
    "TailBatch",
    "TailEntry",
    "first_entered_after",
    "read_after",
    "read_heads",
    "resume",
    "rewind",
]

Range = tuple[str, int, int]  # of a writer: after the first number, up to the last
MOST_BYTES: Final = 8 * 2**20  # of entries that are read at once
UNKNOWN: Final = "unknown writer"  # of a cursor; the ledger has none of that name
WRITERS_AT_ONCE: Final = 50  # in one query; SQLite limits the depth of a condition


@dataclass(frozen=True)
class TailEntry:
    """An entry as it is stored."""

    id: int  # of the database; not in the order of commits
    writer: str
    seq: int
    epoch: int
    kind: str
    body: bytes  # canonical JSON
    digest: bytes  # SHA-256 of the body


@dataclass(frozen=True)
class TailBatch:
    """Entries after a cursor."""

    entries: tuple[TailEntry, ...]  # each writer's in the order of their numbers
    cursor: Cursor  # after them
    more: bool  # whether further entries were there already


@dataclass(frozen=True)
class Lost:
    """Entries that were read before a restore, and that the restored ledger does not have."""

    writer: str
    kept: int  # number of its last entry that was restored
    seen: int  # number of the last entry that was read


@dataclass(frozen=True)
class Resumed:
    """Where a reader goes on."""

    cursor: Cursor
    lost: tuple[Lost, ...]  # empty unless the ledger was restored from an older backup


def read_heads(connection: Connection) -> Cursor:
    """The cursor after everything that is entered now."""
    table = schema.writers
    epoch = select(schema.ledger.c.epoch).scalar_subquery()
    rows = connection.execute(select(table.c.name, table.c.seq, epoch.label("epoch"))).all()
    if not rows:  # no writer yet
        return Cursor(int(connection.execute(select(schema.ledger.c.epoch)).scalar_one()))
    return Cursor(int(rows[0].epoch), {row.name: int(row.seq) for row in rows if row.seq > 0})


def read_after(
    connection: Connection, cursor: Cursor, *, limit: int, until: Cursor | None = None
) -> TailBatch:
    """The next entries after a cursor; of each writer that went on at least one, as far as the limit allows.

    connection  in a transaction that sees one state: `Ledger.read`
    limit       entries, at least 1; fewer are read where they are large, so that they take bounded memory
    until       read nothing after this cursor
    raises      BadCursor where the cursor is past the end or of another epoch: use `resume`;
                LedgerAltered where an entry is missing
    """
    heads = read_heads(connection)
    if heads.epoch != cursor.epoch:
        raise BadCursor(
            f"cursor: is of epoch {cursor.epoch}, the ledger of {heads.epoch}: it was restored; resume"
        )
    _refuse_past(cursor, heads)
    ends = (
        heads.seqs if until is None else {name: min(seq, until.seq(name)) for name, seq in heads.seqs.items()}
    )
    waiting = {name: end - cursor.seq(name) for name, end in ends.items() if end > cursor.seq(name)}
    taken = _share(waiting, limit, turn=sum(cursor.seqs.values()))
    ranges = _within_bytes(
        connection, [(name, cursor.seq(name), cursor.seq(name) + count) for name, count in taken.items()]
    )
    entries = _entries(connection, ranges)
    return TailBatch(
        entries,
        cursor.moved({name: last for name, _, last in ranges}) if ranges else cursor,
        more=sum(waiting.values()) > len(entries),
    )


def _refuse_past(cursor: Cursor, heads: Cursor) -> None:
    for writer, seq in cursor.seqs.items():
        if seq > heads.seq(writer):
            raise BadCursor(
                f"cursor: {writer} ends with entry {heads.seq(writer)}, the cursor is after entry {seq}; "
                "it is of another ledger, or entries were cut off: run `steelsight ledger verify`"
            )


def _share(waiting: Mapping[str, int], limit: int, turn: int) -> dict[str, int]:
    """How many entries to read of each writer: equal shares, and what some do not need goes to the others."""
    names = sorted(waiting)
    if len(names) > limit:  # another part of the writers at each turn
        start = turn % len(names)
        return dict.fromkeys((names[start:] + names[:start])[:limit], 1)
    taken: dict[str, int] = {}
    for count, name in enumerate(sorted(names, key=waiting.__getitem__)):
        taken[name] = min(waiting[name], limit // (len(names) - count))
        limit -= taken[name]
    return taken


def _within_bytes(connection: Connection, ranges: Sequence[Range]) -> list[Range]:
    """Ranges whose entries together have bounded bytes: cut at their ends, with at least one entry left."""
    table = schema.entries
    ends: dict[str, int] = {}
    total = 0
    for row in _rows(
        connection, ranges, (table.c.writer, table.c.seq, func.length(table.c.body).label("size"))
    ):
        total += row.size
        if total > MOST_BYTES and ends:
            break
        ends[row.writer] = int(row.seq)
    if total <= MOST_BYTES:
        return list(ranges)
    return [(name, first, ends[name]) for name, first, _ in ranges if name in ends]


def _rows(connection: Connection, ranges: Sequence[Range], columns: Sequence[Any]) -> Iterator[Any]:
    """Columns of the entries of ranges, each writer's in the order of their numbers."""
    table = schema.entries
    for start in range(0, len(ranges), WRITERS_AT_ONCE):
        wanted = [
            and_(table.c.writer == name, table.c.seq > first, table.c.seq <= last)
            for name, first, last in ranges[start : start + WRITERS_AT_ONCE]
        ]
        query = select(*columns).where(or_(*wanted)).order_by(table.c.writer, table.c.seq)
        yield from connection.execute(query).all()


def _entries(connection: Connection, ranges: Sequence[Range]) -> tuple[TailEntry, ...]:
    """The entries of ranges, merged by the database's numbers."""
    by_writer: dict[str, list[TailEntry]] = {name: [] for name, _, _ in ranges}
    for row in _rows(connection, ranges, tuple(schema.entries.c)):
        by_writer[row.writer].append(_entry(row))
    for name, first, last in ranges:
        _refuse_gap(name, first, last, by_writer[name])
    return tuple(heapq.merge(*by_writer.values(), key=attrgetter("id")))


def _entry(row: Any) -> TailEntry:
    return TailEntry(
        id=int(row.id),
        writer=row.writer,
        seq=int(row.seq),
        epoch=int(row.epoch),
        kind=row.kind,
        body=bytes(row.body),
        digest=bytes(row.digest),
    )


def _refuse_gap(writer: str, first: int, last: int, entries: Sequence[TailEntry]) -> None:
    for seq, entry in enumerate(entries, first + 1):
        if entry.seq != seq:
            raise LedgerAltered(f"entry {seq} of {writer} is missing; run `steelsight ledger verify`")
    if len(entries) != last - first:
        raise LedgerAltered(
            f"entry {first + len(entries) + 1} of {writer} is missing; run `steelsight ledger verify`"
        )


def resume(connection: Connection, ledger: str, text: str) -> Resumed:
    """Where the reader of a cursor's text goes on; see `rewind`.

    ledger  id of the ledger
    raises  BadCursor: it is no cursor, of another ledger, or past the end
    """
    marks = parse_cursor(text)
    if marks.ledger != ledger_mark(ledger):
        raise BadCursor(f"cursor: is of another ledger, got {text!r:.60}")
    names = _names(connection, ledger)
    seqs = {names.get(mark, f"{UNKNOWN} {mark.hex()}"): seq for mark, seq in marks.seqs.items()}
    return rewind(connection, Cursor(marks.epoch, seqs))


def rewind(connection: Connection, cursor: Cursor) -> Resumed:
    """Where a reader goes on that may have read before the ledger was restored.

    After a restore from an older backup a reader may have read entries that are lost. It goes on after the
    last entry of each writer that was restored, and is told which were lost.
    raises  BadCursor where the cursor is past the end
    """
    heads = read_heads(connection)
    if cursor.epoch > heads.epoch:
        raise BadCursor(
            f"cursor: is of epoch {cursor.epoch}, the ledger of {heads.epoch}: it is of another copy"
        )
    seqs, lost = dict(cursor.seqs), []
    if cursor.epoch < heads.epoch:
        restored = _restored_heads(connection, cursor.epoch)
        for writer, seen in cursor.seqs.items():
            seqs[writer] = min([seen, *(each.get(writer, 0) for each in restored)])
            if seqs[writer] < seen:
                lost.append(Lost(writer, seqs[writer], seen))
    found = Cursor(heads.epoch, {writer: seq for writer, seq in seqs.items() if seq > 0})
    _refuse_past(found, heads)
    return Resumed(found, tuple(lost))


def first_entered_after(connection: Connection, seqs: Mapping[str, int]) -> list[int]:
    """When the first verdict of each writer after a cursor was entered; microseconds since 1970-01-01 UTC.

    seqs  by writer, the last entry that was read; writers not in it were not read
    """
    table = schema.verdicts
    found: list[int] = []
    for writer in connection.execute(select(schema.writers.c.name)).scalars().all():
        later = (table.c.writer == writer, table.c.seq > seqs.get(writer, 0))
        query = select(table.c.entered_us).where(*later).order_by(table.c.seq).limit(1)
        found.extend(connection.execute(query).scalars())
    return found


def _names(connection: Connection, ledger: str) -> dict[bytes, str]:
    names = connection.execute(select(schema.writers.c.name)).scalars()
    return {writer_mark(ledger, name): name for name in names}


def _restored_heads(connection: Connection, epoch: int) -> list[dict[str, int]]:
    """What each restore after an epoch restored: of each writer the number of its last entry."""
    entries, events = schema.entries, schema.events
    query = (
        select(events.c.details)
        .join(entries, and_(entries.c.writer == events.c.writer, entries.c.seq == events.c.seq))
        .where(events.c.name == RESTORED, entries.c.epoch > epoch)
    )
    return [json.loads(details)["heads"] for details in connection.execute(query).scalars()]
