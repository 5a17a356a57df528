"""Serve one destination: send what lies after its position, in each writer's order, until it accepts it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TypeVar

from steelsight.errors import BadLedger, LeaseLost, SteelsightError
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.reading.tail import read_after
from steelsight.ledger.writing.writer import now_us
from steelsight.service.console import SharedWriter
from steelsight.service.events.messages import Message, messages_of
from steelsight.service.events.outbox import progress
from steelsight.service.events.outbox.destinations import Destination, stored_cursor
from steelsight.service.events.outbox.progress import Failure
from steelsight.service.events.outbox.sending import DeliveryFailed, Opener, Sender, outgoing

__all__ = ["DeliveryParts", "Serving", "ServingOptions", "backoff_s"]

log = logging.getLogger(__name__)
Result = TypeVar("Result")
THREADS: Final = 4  # that read and write the ledger
GONE: Final = "the receiver answered 410 Gone"
_JITTER: Final = random.Random()


@dataclass(frozen=True)
class ServingOptions:
    """How much is sent at once, and how often the position is written."""

    batch: int = 100  # entries that are read at once
    at_once: int = 8  # writers whose messages are sent at the same time
    save_s: float = 1.0  # between writes of the position
    first_backoff_s: float = 1.0  # after the first failure; doubled with each further one
    away_s: float = 1.0  # between attempts while the database is away


def backoff_s(failures: int, options: ServingOptions, longest_s: float) -> float:
    """Seconds to wait after so many failures in a row: exponential, from half to the whole at random."""
    whole = min(options.first_backoff_s * 2.0 ** min(failures - 1, 60), longest_s)
    return whole * _JITTER.uniform(0.5, 1.0)


class DeliveryParts:
    """What the tasks of all destinations share: the ledger, and word of new entries."""

    def __init__(self, ledger: Ledger, console: SharedWriter, token: str) -> None:
        self.ledger = ledger
        self.token = token
        self._console = console
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="delivery")
        self._heads = Cursor()
        self._news = asyncio.Event()

    async def call(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run a call that reads or writes the ledger, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def close(self) -> None:
        """Wait for the calls that run."""
        self._threads.shutdown()

    def tell(self, heads: Cursor) -> None:
        """Wake the tasks where the ledger went on."""
        if heads != self._heads:
            self._heads = heads
            self._news.set()
            self._news = asyncio.Event()

    async def beyond(self, cursor: Cursor) -> None:
        """Wait until there are entries after a cursor."""
        while cursor.reaches(self._heads) and cursor.epoch == self._heads.epoch:
            await self._news.wait()

    def position(self, found: Destination) -> Cursor:
        """The stored position of a destination."""
        with self.ledger.read() as connection:
            return stored_cursor(connection, found)

    def read(self, cursor: Cursor, limit: int) -> tuple[list[Message], Cursor]:
        """The next messages, and the cursor after them."""
        with self.ledger.read() as connection:
            batch = read_after(connection, cursor, limit=limit)
            return messages_of(connection, batch.entries), batch.cursor

    def save(self, found: Destination, seqs: Mapping[str, int], delivered: int) -> None:
        """Write the position."""
        with self.ledger.write() as connection:
            progress.save(connection, found, self.token, seqs, delivered)

    def note(self, found: Destination, failure: Failure) -> None:
        """Write a failure."""
        with self.ledger.write() as connection:
            progress.note_failure(connection, found, self.token, failure)

    def pause(self, found: Destination, reason: str) -> None:
        """Pause the destination, on record."""
        with self._console.transaction() as (connection, writer):
            progress.pause(connection, writer, found, self.token, reason)


class Serving:
    """The task of one destination, in one state of it.

    found      the destination
    served     what the tasks share
    opener     makes the connection
    longest_s  between attempts
    """

    def __init__(
        self,
        found: Destination,
        served: DeliveryParts,
        opener: Callable[[], Opener],
        *,
        longest_s: float,
        options: ServingOptions,
    ) -> None:
        self.found = found
        self.options = options
        self._served = served
        self._opener = opener
        self._longest_s = longest_s
        self._cursor = Cursor()  # how far it has come
        self._saved: Cursor | None = None  # how far the database knows; None = the position was not read yet
        self._delivered = 0  # accepted and not saved
        self._failures = found.failures
        self._saving = asyncio.Lock()
        self._saved_at = time.monotonic()
        self._current: Message | None = None  # was not accepted

    async def run(self) -> None:
        """Deliver until cancelled; raises LeaseLost where another process does, or it was changed."""
        while True:
            try:
                await self._connected()
            except BadLedger as error:
                log.warning("destination %s waits for the ledger: %s", self.found.id, error)
                await asyncio.sleep(self.options.away_s)
            except DeliveryFailed as failure:
                if failure.gone and await self._paused():
                    return
                await self._failed(failure)
            except LeaseLost:
                raise
            except SteelsightError as error:  # the ledger was altered or restored
                await self._failed(DeliveryFailed(str(error)))

    async def _connected(self) -> None:
        """Deliver over one connection until something fails."""
        if self._saved is None:
            self._cursor = self._saved = await self._served.call(self._served.position, self.found)
        await self._unsent()
        async with self._opener() as sender:
            try:
                while True:
                    await self._next(sender)
            finally:
                await self._save()

    async def _unsent(self) -> None:
        """Wait until there is something to send: a connection is made only then."""
        while True:
            await self._more()
            messages, after = await self._served.call(self._served.read, self._cursor, self.options.batch)
            if any(self.found.wanted.wants(message) for message in messages):
                return
            self._cursor = after
            await self._save_sometimes()

    async def _next(self, sender: Sender) -> None:
        """Send the next messages: of each writer one after the other, of several writers at once."""
        await self._more()
        messages, _ = await self._served.call(self._served.read, self._cursor, self.options.batch)
        messages.sort(key=lambda message: (message.entry.writer, message.entry.seq))
        groups = [list(own) for _, own in groupby(messages, key=lambda message: message.entry.writer)]
        slots, failed = asyncio.Semaphore(self.options.at_once), asyncio.Event()
        results = await asyncio.gather(
            *(self._send_all(sender, own, slots, failed) for own in groups), return_exceptions=True
        )
        await self._save_sometimes()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _send_all(
        self, sender: Sender, messages: Sequence[Message], slots: asyncio.Semaphore, failed: asyncio.Event
    ) -> None:
        async with slots:
            for message in messages:
                if failed.is_set():
                    return
                if self.found.wanted.wants(message):
                    await self._send(sender, message, failed)
                self._cursor = self._cursor.moved({message.entry.writer: message.entry.seq})
                await self._save_sometimes()

    async def _send(self, sender: Sender, message: Message, failed: asyncio.Event) -> None:
        made = outgoing(self._served.ledger.id, self.found.id, message, audit=self.found.wanted.audit)
        try:
            await sender.send(made)
        except DeliveryFailed:
            self._current = message
            failed.set()
            raise
        self._delivered += 1
        self._failures, self._current = 0, None

    async def _more(self) -> None:
        """Wait until there are entries after the position; it is written meanwhile."""
        while self._saved != self._cursor:
            left_s = self._saved_at + self.options.save_s - time.monotonic()
            try:
                async with asyncio.timeout(max(left_s, 0.0)):
                    await self._served.beyond(self._cursor)
            except TimeoutError:
                await self._save()
            else:
                return
        await self._served.beyond(self._cursor)

    async def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved_at >= self.options.save_s:
            await self._save()

    async def _save(self) -> None:
        """Write how far it has come; what could not be written is written the next time."""
        async with self._saving:
            cursor, delivered = self._cursor, self._delivered
            if self._saved is None or (cursor == self._saved and not delivered):
                return
            seqs = {name: seq for name, seq in cursor.seqs.items() if seq != self._saved.seq(name)}
            await self._served.call(self._served.save, self.found, seqs, delivered)
            self._saved = cursor
            self._delivered -= delivered
            self._saved_at = time.monotonic()

    async def _failed(self, failure: DeliveryFailed) -> None:
        """Put a failure on record, and wait."""
        self._failures += 1
        wait_s = backoff_s(self._failures, self.options, self._longest_s)
        if failure.retry_after_s is not None:
            wait_s = min(max(wait_s, failure.retry_after_s), self._longest_s)
        try:
            await self._served.call(self._served.note, self.found, self._failure(failure, wait_s))
        except BadLedger as error:
            log.warning("a failure of destination %s could not be written: %s", self.found.id, error)
        await asyncio.sleep(wait_s)

    async def _paused(self) -> bool:
        """Pause the destination; whether that is on record."""
        try:
            await self._served.call(self._served.pause, self.found, GONE)
        except BadLedger as error:
            log.warning("destination %s could not be paused: %s", self.found.id, error)
            return False
        return True

    def _failure(self, failure: DeliveryFailed, wait_s: float) -> Failure:
        next_us = now_us() + int(wait_s * 1e6)
        if self._current is None:
            return Failure(None, None, str(failure), next_us)
        return Failure(self._current.entry.writer, self._current.entry.seq, str(failure), next_us)
