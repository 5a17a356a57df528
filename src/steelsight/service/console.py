"""The service's own chain in the ledger: one writer that all threads share, and that keeps its lease."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection

from steelsight.errors import BadLedger, LeaseLost
from steelsight.ledger.chain.canonical import Link
from steelsight.ledger.chain.entries import Entry
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.writing.writer import LEASE_S, Writer, open_writer

__all__ = ["SharedWriter"]


class SharedWriter:
    """Appends to one chain from any thread; call `close` at the end.

    A daemon thread renews the lease. While the database is away it keeps trying; where another process took
    the name, it takes the name again once that is free. `trouble` says so meanwhile.

    name    of the chain
    raises  LeaseLost where another live process writes under the name; BadLedger
    """

    def __init__(self, ledger: Ledger, name: str, *, lease_s: float = LEASE_S) -> None:
        self.ledger = ledger
        self.name = name
        self.trouble: str | None = None  # why the last renewal failed; None = the lease is held
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._open = ExitStack()
        self._lease_s = lease_s
        self._writer = self._open.enter_context(open_writer(ledger, name, lease_s=lease_s))
        self._thread = threading.Thread(
            target=self._keep, args=(lease_s / 3,), name=f"lease of {name}", daemon=True
        )
        self._thread.start()

    def append(self, entries: Sequence[Entry]) -> list[Link]:
        """Write entries and their read models, all or none; they are on disk when this returns.

        raises  BadEntry: one is not valid here; LeaseLost; BadLedger: the database failed
        """
        with self.transaction() as (connection, writer):
            return writer.append_within(connection, entries)

    @contextmanager
    def transaction(self) -> Iterator[tuple[Connection, Writer]]:
        """A transaction for what must be read and written together: `writer.append_within(connection, …)`.

        Other threads wait meanwhile. Committed at the end, undone where an error is raised.
        """
        with self._lock, self.ledger.write() as connection:
            yield connection, self._writer

    def close(self) -> None:
        """Give the name back."""
        self._stop.set()
        self._thread.join(timeout=5.0)
        with self._lock:
            try:
                self._open.close()
            except BadLedger as error:  # the lease runs out by itself
                self.trouble = str(error)

    def _keep(self, every_s: float) -> None:
        while not self._stop.wait(every_s):
            try:
                with self._lock:
                    self._renew()
            except (BadLedger, LeaseLost) as error:
                self.trouble = str(error)
            else:
                self.trouble = None

    def _renew(self) -> None:
        """Extend the lease, or take the name again where another process had it and gave it back."""
        try:
            self._writer.renew()
        except LeaseLost:
            again = ExitStack()
            self._writer = again.enter_context(open_writer(self.ledger, self.name, lease_s=self._lease_s))
            lost, self._open = self._open, again
            lost.close()  # it holds nothing any more
