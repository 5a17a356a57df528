"""Find altered, dropped, inserted, swapped and truncated entries, and read models that differ from them.

A change made by somebody who can also recompute every hash after it is found only against an anchor kept
elsewhere (`anchors`).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, exists, func, select, true

from steelsight.errors import BadEntry
from steelsight.ledger.chain.canonical import Link, first_hash, read_link
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import PRUNED, RESTORED, REVIEW_WITHDRAWN
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.proof.anchors import Anchor, Head
from steelsight.ledger.proof.guards import guard_problems, lenient_text, mistyped_rows, well_typed
from steelsight.ledger.writing.projection import project, sheets_of
from steelsight.names import shown_name

__all__ = ["Finding", "Verification", "verify"]

BATCH: Final = 2000
OF_EVENTS: Final = {
    schema.pruned_images: PRUNED,
    schema.withdrawals: REVIEW_WITHDRAWN,
}  # name of their events
Wanted = dict[tuple[str, int], set[str]]  # hashes of anchored entries


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: str  # altered, dropped, inserted, swapped, truncated, unanchored, epoch, read_model, guard
    writer: str  # "" where no writer is concerned
    seq: int  # of the entry; 0 where no entry is concerned
    message: str


@dataclass
class Verification:
    """What `verify` read and found."""

    entries: int = 0
    heads: dict[str, Head] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    epochs: dict[int, tuple[str, int]] = field(default_factory=dict)  # first entry seen of each
    restored: set[int] = field(default_factory=lambda: {1})  # epochs whose beginning is on record

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "clean": self.clean,
            "entries": self.entries,
            "heads": {name: {"seq": head.seq, "digest": head.digest} for name, head in self.heads.items()},
            "findings": [vars(finding) for finding in self.findings],
        }


def verify(ledger: Ledger, anchors: Sequence[Anchor] = ()) -> Verification:
    """Read the whole ledger in one state and check it.

    anchors  kept elsewhere; each head in them must still be in the ledger, with its hash
    """
    result = Verification()
    wanted: Wanted = defaultdict(set)
    for anchor in anchors:
        for head in anchor.heads:
            wanted[head.writer, head.seq].add(head.digest)
    with ledger.read() as connection, lenient_text(connection):
        result.findings += [Finding("guard", "", 0, problem) for problem in guard_problems(connection)]
        result.findings += _mistyped(connection)
        result.findings += _other_ledger(ledger, anchors)
        for name in _writer_names(connection, result):
            _check_chain(connection, ledger, name, result, wanted)
        for writer, seq in sorted(wanted):
            message = (
                f"entry {seq} of {writer} is in the anchor and not in the ledger: it was cut off after that"
            )
            result.findings.append(Finding("truncated", writer, seq, message))
        result.findings += _unread(connection, result)
        result.findings += _epochs(connection, result, anchors)
        result.findings += _read_model_counts(connection)
    return result


def _other_ledger(ledger: Ledger, anchors: Sequence[Anchor]) -> list[Finding]:
    return [
        Finding("unanchored", "", 0, f"the anchor is of ledger {anchor.ledger}, this is {ledger.id}")
        for anchor in anchors
        if anchor.ledger != ledger.id
    ]


def _mistyped(connection: Connection) -> list[Finding]:
    """Rows of SQLite with values that their columns cannot hold; those of entries are not read further."""
    findings = []
    for table in schema.metadata.sorted_tables:
        kind = "read_model" if table in schema.READ_MODELS else "altered"
        for number, wrong in mistyped_rows(connection, table):
            findings.append(Finding(kind, "", 0, f"row {number} of {table.name}: {wrong}"))
    return findings


def _readable(connection: Connection, table: Table) -> Any:
    return well_typed(table) if connection.dialect.name == "sqlite" else true()


def _writer_names(connection: Connection, result: Verification) -> list[str]:
    """Names of writers with a row or with entries; a name that is not UTF-8 is a finding."""
    names: set[str] = set()
    for table, column in ((schema.writers, schema.writers.c.name), (schema.entries, schema.entries.c.writer)):
        query = select(column).where(_readable(connection, table)).distinct()
        names |= set(connection.execute(query).scalars())
    readable = {name for name in names if shown_name(name) == name}
    for name in sorted(names - readable):
        message = f"the writer {shown_name(name)}: its name is not UTF-8; no writer has such a name"
        result.findings.append(Finding("altered", shown_name(name), 0, message))
    return sorted(readable)


def _unread(connection: Connection, result: Verification) -> list[Finding]:
    count = connection.execute(select(func.count()).select_from(schema.entries)).scalar_one()
    if count == result.entries:
        return []
    message = f"{count - result.entries} rows of entries could not be read as entries of a writer"
    return [Finding("altered", "", 0, message)]


def _epochs(connection: Connection, result: Verification, anchors: Sequence[Anchor]) -> list[Finding]:
    """Epochs that no restore began, and a ledger whose epoch was set back."""
    table = schema.ledger
    query = select(table.c.epoch).where(_readable(connection, table))
    now = connection.execute(query).scalars().first()
    findings = []
    for epoch, (writer, seq) in sorted(result.epochs.items()):
        if epoch not in result.restored and now is not None:
            message = f"entry {seq} of {writer} is of epoch {epoch}, and no restore began that epoch"
            findings.append(Finding("epoch", writer, seq, message))
    if now is None:  # while a backup is restored
        return findings
    if now not in result.restored:
        message = f"the ledger is of epoch {now}, and no restore began that epoch"
        findings.append(Finding("epoch", "", 0, message))
    reached = max([*result.epochs, *(anchor.epoch for anchor in anchors)], default=1)
    if now < reached:
        message = f"the ledger is of epoch {now}, its entries or anchors reach {reached}: it was set back"
        findings.append(Finding("epoch", "", 0, message))
    return findings


def _check_chain(
    connection: Connection,
    ledger: Ledger,
    writer: str,
    result: Verification,
    wanted: Wanted,
) -> None:
    """Check one writer's entries in order; anchored heads that are there are taken out of `wanted`."""
    chain = _Chain(writer, first_hash(ledger.id, writer))
    for rows in _entries_of(connection, writer):
        links = []
        for row in rows:
            findings, link = chain.check(row)
            result.findings += findings
            if link is not None:
                links.append(link)
                _note_epoch(result, link)
            anchored = wanted.pop((writer, int(row.seq)), set())
            if anchored - {bytes(row.digest).hex()}:
                message = (
                    f"entry {row.seq} of {writer} is not the one in the anchor: the chain was written anew"
                )
                result.findings.append(Finding("unanchored", writer, int(row.seq), message))
        result.findings += _differing_rows(connection, links)
        result.entries += len(rows)
    result.heads[writer] = Head(writer, chain.seq, chain.digest.hex())
    table = schema.writers
    heads = select(table).where(table.c.name == writer, _readable(connection, table))
    head = connection.execute(heads).first()
    if head is None or int(head.seq) > chain.seq:
        last = "no head" if head is None else f"entry {head.seq}"
        message = f"{writer} should end with {last}, its last entry is {chain.seq}: entries were cut off"
        result.findings.append(Finding("truncated", writer, chain.seq + 1, message))
    elif int(head.seq) < chain.seq or bytes(head.digest) != chain.digest:
        message = f"{writer} should end with entry {head.seq}, but entry {chain.seq} follows: it was inserted"
        result.findings.append(Finding("inserted", writer, chain.seq, message))


def _note_epoch(result: Verification, link: Link) -> None:
    result.epochs.setdefault(link.epoch, (link.writer, link.seq))
    if isinstance(link.entry, Event) and link.entry.name == RESTORED:
        result.restored.add(link.epoch)


def _entries_of(connection: Connection, writer: str) -> Iterator[Sequence[Any]]:
    table = schema.entries
    query = select(table).where(table.c.writer == writer, _readable(connection, table)).order_by(table.c.seq)
    rows = connection.execute(query.limit(BATCH)).all()
    while rows:
        yield rows
        rows = connection.execute(query.where(table.c.seq > rows[-1].seq).limit(BATCH)).all()


class _Chain:
    """The state of one writer's chain while its entries are checked in order."""

    def __init__(self, writer: str, start: bytes) -> None:
        self.writer = writer
        self.seq = 0
        self.epoch = 1
        self.digest = start
        self.row = 0  # number of the last row: backup and rebuild read rows in this order

    def check(self, row: Any) -> tuple[list[Finding], Link | None]:
        """What is wrong with the next entry, and the entry where it can be read."""
        seq = int(row.seq)
        findings = []
        if seq < 1:
            message = f"entry {seq} of {self.writer}: entries are numbered from 1; it was inserted"
            return [self._finding("inserted", seq, message)], None
        if seq != self.seq + 1:
            missing = f"{self.seq + 1}" if seq == self.seq + 2 else f"{self.seq + 1} to {seq - 1}"
            findings.append(
                self._finding("dropped", self.seq + 1, f"entry {missing} of {self.writer} is missing")
            )
        body, digest = bytes(row.body), bytes(row.digest)
        link = None
        try:
            link = read_link(body)
        except BadEntry as error:
            findings.append(self._finding("altered", seq, f"entry {seq} of {self.writer}: {error}"))
        else:
            findings += self._compare(row, link, followed=seq == self.seq + 1)
        if hashlib.sha256(body).digest() != digest:
            message = f"entry {seq} of {self.writer} does not have its hash: its content was altered"
            findings.append(self._finding("altered", seq, message))
        if row.id <= self.row:
            message = f"entry {seq} of {self.writer} is not after entry {self.seq} in the order of the table"
            findings.append(self._finding("altered", seq, message))
        self.seq, self.digest, self.row = seq, digest, row.id
        return findings, link if not findings else None

    def _compare(self, row: Any, link: Link, *, followed: bool) -> list[Finding]:
        seq = int(row.seq)
        if (link.writer, link.seq) != (self.writer, seq):
            message = (
                f"entry {seq} of {self.writer} says it is entry {link.seq} of {link.writer}: it was moved"
            )
            return [self._finding("swapped", seq, message)]
        if link.epoch != int(row.epoch) or link.entry.kind != row.kind:
            message = f"entry {seq} of {self.writer}: its columns contradict its content"
            return [self._finding("altered", seq, message)]
        if followed and link.previous != self.digest:
            message = (
                f"entry {seq} of {self.writer} does not follow entry {self.seq}: one of them was inserted"
            )
            return [self._finding("inserted", seq, message)]
        if link.epoch < self.epoch:
            message = f"entry {seq} of {self.writer} is of epoch {link.epoch}, after epoch {self.epoch}"
            return [self._finding("altered", seq, message)]
        self.epoch = link.epoch
        return []

    def _finding(self, kind: str, seq: int, message: str) -> Finding:
        return Finding(kind, self.writer, seq, message)


def _differing_rows(connection: Connection, links: list[Link]) -> list[Finding]:
    """Entries whose rows in the read models are not what follows from them."""
    known = sheets_of(connection, {link.entry.sheet for link in links if not isinstance(link.entry, Event)})
    try:
        expected = project(links, dict(known))
    except BadEntry:
        return _unprojected(links, known)
    findings = []
    for table, rows in expected.items():
        there = _rows_between(connection, table, rows[0]["writer"], rows[0]["seq"], rows[-1]["seq"])
        wanted = {_row_key(table, row): row for row in rows}
        differing = {key[0] for key, row in wanted.items() if there.get(key) != row}
        if table in OF_EVENTS:
            differing |= {key[0] for key in set(there) - set(wanted)}
        for seq in sorted(differing):
            place = f"entry {seq} of {rows[0]['writer']}"
            message = f"{place}: its row in {table.name} differs; run `steelsight ledger rebuild`"
            findings.append(Finding("read_model", rows[0]["writer"], seq, message))
    return findings


def _unprojected(links: list[Link], known: dict[str, dict[str, Any]]) -> list[Finding]:
    """Entries that no rows of the read models follow from."""
    findings = []
    for link in links:
        try:
            project([link], known)
        except BadEntry as error:
            message = f"entry {link.seq} of {link.writer}: {error}"
            findings.append(Finding("read_model", link.writer, link.seq, message))
    return findings


def _row_key(table: Table, row: dict[str, Any]) -> tuple[int, str]:
    """What distinguishes the rows of one writer."""
    if table is schema.withdrawals:
        return row["seq"], f"{row['review_seq']} {row['review_writer']}"
    return row["seq"], row["image_hash"] if table is schema.pruned_images else ""


def _rows_between(
    connection: Connection, table: Table, writer: str, first: int, last: int
) -> dict[tuple[int, str], dict[str, Any]]:
    query = select(table).where(table.c.writer == writer, table.c.seq.between(first, last))
    rows = [dict(row._mapping) for row in connection.execute(query)]
    return {_row_key(table, row): row for row in rows}


def _read_model_counts(connection: Connection) -> list[Finding]:
    """Read models with more or fewer rows than entries of their kind."""
    kinds = {
        "sheet": schema.sheets,
        "verdict": schema.verdicts,
        "draw": schema.draws,
        "review": schema.reviews,
        "event": schema.events,
    }
    query = select(schema.entries.c.kind, func.count()).group_by(schema.entries.c.kind)
    entered: dict[str, int] = {row[0]: row[1] for row in connection.execute(query)}
    findings: list[Finding | None] = []
    for kind, table in kinds.items():
        rows = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if rows != entered.get(kind, 0):
            counts = f"{table.name} has {rows} rows for {entered.get(kind, 0)} entries"
            message = f"{counts}; run `steelsight ledger rebuild`"
            findings.append(Finding("read_model", "", 0, message))
    events, reviews = schema.events, schema.reviews
    for table, name in OF_EVENTS.items():
        findings.append(_stray_rows(connection, table, events, events.c.name == name))
    findings.append(_stray_rows(connection, schema.review_marks, reviews, true()))
    return [each for each in findings if each is not None]


def _stray_rows(
    connection: Connection, table: Table, source: Table, condition: ColumnElement[bool]
) -> Finding | None:
    """A read model with rows that no row of another one gave."""
    recorded = exists().where(source.c.writer == table.c.writer, source.c.seq == table.c.seq, condition)
    stray = connection.execute(select(func.count()).select_from(table).where(~recorded)).scalar_one()
    if not stray:
        return None
    message = f"{table.name} has {stray} rows of no entry; run `steelsight ledger rebuild`"
    return Finding("read_model", "", 0, message)
