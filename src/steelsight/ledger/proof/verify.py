"""Find altered, dropped, inserted, swapped and truncated entries, and read models that differ from them.

A change made by somebody who can also recompute every hash after it is found only against an anchor kept
elsewhere (`anchors`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Table, func, select, text

from steelsight.errors import BadEntry
from steelsight.ledger.chain.canonical import Link, first_hash, read_link
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.proof.anchors import Anchor, Head
from steelsight.ledger.writing.projection import project, sheets_of

__all__ = ["Finding", "Verification", "verify"]

BATCH: Final = 2000
RESTORED: Final = "restored"  # name of the event that begins an epoch
TRIGGERS: Final = {
    "sqlite": ("entries_no_delete", "entries_no_replace", "entries_no_update"),
    "postgresql": ("entries_no_delete", "entries_no_truncate", "entries_no_update"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    kind: str  # altered, dropped, inserted, swapped, truncated, unanchored, read_model, guard
    writer: str  # "" where no writer is concerned
    seq: int  # of the entry; 0 where no entry is concerned
    message: str


@dataclass
class Verification:
    """What `verify` read and found."""

    entries: int = 0
    heads: dict[str, Head] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

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
    with ledger.read() as connection:
        result.findings += _guards(connection)
        wanted = {(head.writer, head.seq): head.digest for anchor in anchors for head in anchor.heads}
        for anchor in anchors:
            if anchor.ledger != ledger.id:
                message = f"the anchor is of ledger {anchor.ledger}, this is {ledger.id}"
                result.findings.append(Finding("unanchored", "", 0, message))
        for name in _writer_names(connection):
            _check_chain(connection, ledger, name, result, wanted)
        for (writer, seq), _ in sorted(wanted.items()):
            message = (
                f"entry {seq} of {writer} is in the anchor and not in the ledger: it was cut off after that"
            )
            result.findings.append(Finding("truncated", writer, seq, message))
        result.findings += _read_model_counts(connection)
    return result


def _guards(connection: Connection) -> list[Finding]:
    """Triggers that are missing."""
    dialect = connection.dialect.name
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entries'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'entries'::regclass AND tgenabled = 'O'",
    }[dialect]
    there = set(connection.execute(text(query.replace("::", "\\:\\:"))).scalars())
    return [
        Finding(
            "guard", "", 0, f"the trigger {name}, which refuses changes to entries, is missing or disabled"
        )
        for name in TRIGGERS[dialect]
        if name not in there
    ]


def _writer_names(connection: Connection) -> list[str]:
    known = set(connection.execute(select(schema.writers.c.name)).scalars())
    return sorted(known | set(connection.execute(select(schema.entries.c.writer).distinct()).scalars()))


def _check_chain(
    connection: Connection,
    ledger: Ledger,
    writer: str,
    result: Verification,
    wanted: dict[tuple[str, int], str],
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
            anchored = wanted.pop((writer, int(row.seq)), None)
            if anchored is not None and anchored != bytes(row.digest).hex():
                message = (
                    f"entry {row.seq} of {writer} is not the one in the anchor: the chain was written anew"
                )
                result.findings.append(Finding("unanchored", writer, int(row.seq), message))
        result.findings += _differing_rows(connection, links)
        result.entries += len(rows)
    result.heads[writer] = Head(writer, chain.seq, chain.digest.hex())
    head = connection.execute(select(schema.writers).where(schema.writers.c.name == writer)).one_or_none()
    if head is None or int(head.seq) > chain.seq:
        last = "no head" if head is None else f"entry {head.seq}"
        message = f"{writer} should end with {last}, its last entry is {chain.seq}: entries were cut off"
        result.findings.append(Finding("truncated", writer, chain.seq + 1, message))
    elif int(head.seq) < chain.seq or bytes(head.digest) != chain.digest:
        message = f"{writer} should end with entry {head.seq}, but entry {chain.seq} follows: it was inserted"
        result.findings.append(Finding("inserted", writer, chain.seq, message))


def _entries_of(connection: Connection, writer: str) -> Iterator[Sequence[Any]]:
    table = schema.entries
    last = -(2**62)
    query = select(table).where(table.c.writer == writer).order_by(table.c.seq).limit(BATCH)
    while rows := connection.execute(query.where(table.c.seq > last)).all():
        last = rows[-1].seq
        yield rows


class _Chain:
    """The state of one writer's chain while its entries are checked in order."""

    def __init__(self, writer: str, start: bytes) -> None:
        self.writer = writer
        self.seq = 0
        self.epoch = 1
        self.digest = start

    def check(self, row: Any) -> tuple[list[Finding], Link | None]:
        """What is wrong with the next entry, and the entry where it can be read."""
        seq = int(row.seq)
        findings = []
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
        self.seq, self.digest = seq, digest
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
    wanted = {link.entry.sheet for link in links if not isinstance(link.entry, Event)}
    try:
        expected = project(links, sheets_of(connection, wanted))
    except BadEntry as error:
        return [Finding("read_model", links[0].writer, links[0].seq, str(error))]
    findings = []
    for table, rows in expected.items():
        if table is schema.pruned_images:
            continue
        there = _rows_between(connection, table, rows[0]["writer"], rows[0]["seq"], rows[-1]["seq"])
        for row in rows:
            if there.get(row["seq"]) != row:
                place = f"entry {row['seq']} of {row['writer']}"
                message = f"{place}: its row in {table.name} differs; run `steelsight ledger rebuild`"
                findings.append(Finding("read_model", row["writer"], row["seq"], message))
    return findings


def _rows_between(
    connection: Connection, table: Table, writer: str, first: int, last: int
) -> dict[int, dict[str, Any]]:
    query = select(table).where(table.c.writer == writer, table.c.seq.between(first, last))
    return {row.seq: dict(row._mapping) for row in connection.execute(query)}


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
    findings = []
    for kind, table in kinds.items():
        rows = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if rows != entered.get(kind, 0):
            counts = f"{table.name} has {rows} rows for {entered.get(kind, 0)} entries"
            message = f"{counts}; run `steelsight ledger rebuild`"
            findings.append(Finding("read_model", "", 0, message))
    return findings
