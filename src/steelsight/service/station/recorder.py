"""Write a station's entries into the ledger, each sheet once; into the spool while the database is away."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, exists, select

from steelsight.errors import BadLedger
from steelsight.ledger.chain.canonical import read_link
from steelsight.ledger.chain.entries import Entry, Event, sheet_id
from steelsight.ledger.chain.event_names import CLOCK_SET_BACK, DATABASE_BACK
from steelsight.ledger.database import schema
from steelsight.ledger.database.connect import parse_url
from steelsight.ledger.database.open import open_ledger
from steelsight.ledger.writing.projection import sheets_of
from steelsight.ledger.writing.writer import LEASE_S, Writer, open_writer
from steelsight.service.station.clock import ClockWatch
from steelsight.service.station.spool import Spool

__all__ = ["Recorder", "RecorderCounts"]

RETRY_S: Final = 2.0  # between attempts to reach the database
MOST_NOTED: Final = 10_000  # events of this process that are remembered, so that the ledger is not asked


@dataclass
class RecorderCounts:
    """What a recorder did."""

    written: int = 0  # sheets, straight into the ledger
    spooled: int = 0  # sheets, into the spool
    replayed: int = 0  # sheets, from the spool into the ledger
    repeated: int = 0  # sheets that the ledger had already
    clock_set_back: int = 0  # times that this was noticed


class Recorder:
    """Appends the entries of sheets as one writer; keeps them on disk while the database is away.

    address  of the ledger
    station  the writer's name
    spool    where entries wait; None = a database that is away is an error
    report   called with a line of text when the database goes and comes back, or the clock is set back
    clock    None = this machine's
    raises   BadLedger for a malformed address, or no ledger and no spool; LeaseLost where another process has
             the name
    """

    def __init__(
        self,
        address: str,
        station: str,
        spool: Spool | None,
        *,
        report: Callable[[str], None] = print,
        clock: ClockWatch | None = None,
    ) -> None:
        self.counts = RecorderCounts()
        self.station = station
        self.away_since: float | None = None  # time.monotonic()
        self._token = secrets.token_hex(16)  # holds the name, also after the database was away
        self._outage = ""  # identity of the event that ends it
        self._noted: set[str] = set()
        self._address = address
        parse_url(address)  # a malformed address is no database that is away
        self._spool = spool
        self._report = report
        self._open = ExitStack()
        self._writer: Writer | None = None
        self._next_try = 0.0
        self._used = time.monotonic()
        self._clock = clock or ClockWatch()
        self._expect_later(self._reach())

    def known(self, items: Sequence[str]) -> set[str]:
        """Which items the ledger has already; none where the database is away."""
        writer = self._reach()
        if writer is None:
            return set()
        wanted = {sheet_id(self.station, item): item for item in items}
        try:
            with writer.ledger.read() as connection:
                found = {wanted[sheet] for sheet in sheets_of(connection, wanted)}
        except BadLedger as error:
            self._lose(error)
            return set()
        self.counts.repeated += len(found)
        return found

    def write(self, groups: Sequence[Sequence[Entry]]) -> None:
        """Write the entries of several sheets; on disk in the ledger or in the spool when this returns.

        groups  for each sheet, the sheet first, then its verdicts and draw
        raises  BadLedger where the database is away and there is no spool; BadOutput where the spool is full;
                LeaseLost where another process has the name
        """
        self._check_clock()
        writer = self._reach()
        if writer is not None:
            try:
                self.counts.written += self._append(writer, groups)
            except BadLedger as error:
                self._lose(error)
            else:
                return
        if self._spool is None:
            raise BadLedger(f"ledger {self._address}: is away, and there is no --spool to keep sheets in")
        for entries in groups:
            self._spool.append(entries)
        self.counts.spooled += _sheets(groups)

    def note(self, name: str, subject: str, details: dict[str, Any]) -> None:
        """Put an event on record, once however often it is given; raises as `write`.

        name     of the event
        subject  what it is about
        details  JSON; the same details make the same event
        """
        values = json.dumps([self.station, name, subject, details], sort_keys=True, default=str)
        identity = hashlib.sha256(values.encode(errors="surrogatepass")).hexdigest()[:32]
        if identity in self._noted:
            return
        self.write([[Event(name=name, subject=subject, details={**details, "id": identity})]])
        if len(self._noted) < MOST_NOTED:
            self._noted.add(identity)

    def change(self, name: str, subject: str, details: dict[str, Any]) -> dict[str, Any] | None:
        """Put on record what a station works with from now on, unless that is what it worked with before.

        name     of the event; it holds until the next of this name and subject
        details  JSON
        returns  the details before, where they were others; None where they were the same or are not known
        raises   as `write`
        """
        before = self._last_details(name, subject)
        same = before is not None and {**before, "id": ""} == {**details, "id": ""}
        if not same:
            self.write(
                [[Event(name=name, subject=subject, details={**details, "id": secrets.token_hex(16)})]]
            )
        return None if same else before

    def _last_details(self, name: str, subject: str) -> dict[str, Any] | None:
        writer, table = self._reach(), schema.events
        if writer is None:
            return None
        query = select(table.c.details).where(
            table.c.writer == self.station, table.c.name == name, table.c.subject == subject
        )
        try:
            with writer.ledger.read() as connection:
                last = connection.execute(query.order_by(table.c.seq.desc()).limit(1)).scalar_one_or_none()
        except BadLedger as error:
            self._lose(error)
            return None
        return None if last is None else dict(json.loads(last))

    def tell(self, line: str) -> None:
        """Report a line of text to who runs the station."""
        self._report(line)

    def idle(self) -> None:
        """Keep the lease, and try to reach a database that was away; call it while no sheet arrives."""
        self._check_clock()
        writer = self._reach()
        if writer is not None and time.monotonic() - self._used > LEASE_S / 3:
            try:
                writer.renew()
            except BadLedger as error:
                self._lose(error)
            self._used = time.monotonic()

    def _expect_later(self, writer: Writer | None) -> None:
        """The clock may have been set back since the station's last entry."""
        try:
            self._clock.expect(0 if writer is None else _last_entry_us(writer))
        except BadLedger as error:
            self._lose(error)

    def _check_clock(self) -> None:
        """Tell and put on record that the clock was set back: times of entries do not follow their order."""
        seconds = self._clock.back_s()
        if not seconds:
            return
        self.counts.clock_set_back += 1
        self._report(
            f"the clock was set back by {seconds:.0f} s; entries keep their order and state the times that "
            "it shows; let NTP set it"
        )
        details = {"seconds": round(seconds, 3), "id": secrets.token_hex(16)}
        self.write([[Event(name=CLOCK_SET_BACK, subject=self.station, details=details)]])

    def close(self) -> None:
        """Give the name back."""
        self._disconnect()
        if self._spool is not None:
            self._spool.close()

    def _append(self, writer: Writer, groups: Sequence[Sequence[Entry]]) -> int:
        """Append what the ledger does not have yet; the number of sheets."""
        with writer.ledger.write() as connection:
            writer.hold(connection)
            new = {_identity(entries): entries for entries in reversed(groups)}
            there = set(sheets_of(connection, new)) | _events_there(connection, self.station, new.values())
            # The first of several groups of one identity, in the order in which they came.
            ordered = [(each, new.pop(each)) for each in map(_identity, groups) if each in new]
            kept = {identity: entries for identity, entries in ordered if identity not in there}
            writer.append_within(connection, [entry for entries in kept.values() for entry in entries])
        self._used = time.monotonic()
        self.counts.repeated += _sheets(groups) - _sheets(kept.values())
        return _sheets(kept.values())

    def _reach(self) -> Writer | None:
        """The writer, after everything in the spool is in the ledger; None where the database is away."""
        if self._writer is not None:
            return self._writer
        if time.monotonic() < self._next_try:
            return None
        try:
            self._connect()
        except BadLedger as error:
            if self._spool is None:
                raise
            self._lose(error)
        return self._writer

    def _connect(self) -> None:
        with ExitStack() as opened:
            ledger = open_ledger(self._address)
            opened.callback(ledger.close)
            writer = opened.enter_context(open_writer(ledger, self.station, token=self._token))
            replayed = self._replay(writer)
            if self.away_since is not None:
                seconds = time.monotonic() - self.away_since
                details = {"seconds": round(seconds, 3), "sheets": replayed, "id": self._outage}
                self._append(writer, [[Event(name=DATABASE_BACK, subject=self.station, details=details)]])
                self._report(f"the ledger answers again after {seconds:.0f} s; {replayed} sheets replayed")
            self._open = opened.pop_all()
        self.away_since = None
        self._writer = writer

    def _replay(self, writer: Writer) -> int:
        if self._spool is None or not self._spool.waiting:
            return 0
        before = self.counts.replayed
        groups: list[Sequence[Entry]] = []
        for entries in self._spool.read():
            groups.append(entries)
            if len(groups) >= 200:
                self.counts.replayed += self._append(writer, groups)
                groups = []
        if groups:
            self.counts.replayed += self._append(writer, groups)
        self._spool.clear()
        return self.counts.replayed - before

    def _lose(self, error: BadLedger) -> None:
        if self.away_since is None:
            self.away_since = time.monotonic()
            self._outage = secrets.token_hex(16)
            waiting = "; sheets wait in the spool" if self._spool is not None else ""
            self._report(f"the ledger is away ({error}){waiting}")
        self._next_try = time.monotonic() + RETRY_S
        self._disconnect()

    def _disconnect(self) -> None:
        self._writer = None
        stack, self._open = self._open, ExitStack()
        try:
            stack.close()
        except BadLedger as error:  # the lease runs out by itself
            self._report(f"the name {self.station!r} could not be given back ({error})")


def _identity(entries: Sequence[Entry]) -> str:
    """Of a group: its sheet, or the `id` of its event."""
    first = entries[0]
    return str(first.details.get("id", "")) if isinstance(first, Event) else first.sheet


def _last_entry_us(writer: Writer) -> int:
    """The time that the writer's last entry states; 1970 where there is none."""
    table = schema.entries
    query = select(table.c.body).where(table.c.writer == writer.name).order_by(table.c.seq.desc()).limit(1)
    with writer.ledger.read() as connection:
        body = connection.execute(query).scalar_one_or_none()
    return 0 if body is None else read_link(bytes(body)).time_us


def _sheets(groups: Iterable[Sequence[Entry]]) -> int:
    return sum(not isinstance(entries[0], Event) for entries in groups)


def _events_there(connection: Connection, station: str, groups: Iterable[Sequence[Entry]]) -> set[str]:
    """Identities of events that this station has entered before."""
    events = [entries[0] for entries in groups if isinstance(entries[0], Event)]
    table = schema.events
    found = set()
    for event in events:
        there = exists().where(
            table.c.writer == station,
            table.c.name == event.name,
            table.c.details.contains(_identity([event])),
        )
        if connection.execute(select(there)).scalar_one():
            found.add(_identity([event]))
    return found
