"""One reader of the ledger for all event streams of a process.

`Hub` reads new entries once and keeps the newest of them; every stream takes them from there. A stream that
starts at an earlier cursor, or falls behind what is kept, reads from the ledger until it has caught up: a
slow client holds one batch in memory, and misses nothing. `Hub.close` ends every stream; the process that
serves calls it when it begins to stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Self, TypeVar

from fastapi.sse import format_sse_event

from steelsight.errors import BadCursor, BadLedger, SteelsightError
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.reading.cursors import Cursor, cursor_text
from steelsight.ledger.reading.tail import read_after, read_heads
from steelsight.service.events.messages import Message, messages_of

__all__ = ["Hub", "HubOptions", "StreamStep"]

log = logging.getLogger(__name__)
Result = TypeVar("Result")


@dataclass(frozen=True)
class HubOptions:
    """How often the ledger is read, and how much is kept."""

    fastest_s: float = 0.05  # between reads while entries arrive
    slowest_s: float = 0.2  # between reads of an idle ledger
    kept: int = 2000  # newest messages in memory
    kept_bytes: int = 16 * 2**20  # of their entries
    batch: int = 200  # messages that a stream receives at once
    catching_up: int = 4  # streams that read the ledger at the same time
    away_s: float = 1.0  # between attempts while the database is away


@dataclass(frozen=True)
class StreamStep:
    """A message and the cursor after it."""

    message: Message
    cursor: Cursor
    ledger: str  # its id

    @cached_property
    def id(self) -> str:
        """The cursor's text."""
        return cursor_text(self.ledger, self.cursor)

    def sse(self, *, audit: bool) -> bytes:
        """As a server-sent event; made once for all streams.

        audit  whether the receiver may see ids of people
        """
        return self._sse_audit if audit else self._sse_plain

    @cached_property
    def _sse_plain(self) -> bytes:
        return format_sse_event(event=self.message.kind, id=self.id, data_str=self.message.json())

    @cached_property
    def _sse_audit(self) -> bytes:
        return format_sse_event(event=self.message.kind, id=self.id, data_str=self.message.json(audit=True))


class Hub:
    """Reads a ledger for streams while there are any; for one event loop, ended by leaving `async with`."""

    def __init__(self, ledger: Ledger, options: HubOptions = HubOptions()) -> None:
        self.ledger = ledger
        self.options = options
        self.streams = 0  # open now
        self.away: str | None = None  # why the ledger could not be read last time
        self._kept: deque[StreamStep] = deque()
        self._bytes = 0
        self._next = 0  # number of the next message; the first in `_kept` is `_next - len(_kept)`
        self._cursor: Cursor | None = None  # after the newest message
        self._news = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._slots = asyncio.Semaphore(options.catching_up)
        self._threads = ThreadPoolExecutor(options.catching_up + 1, thread_name_prefix="events")
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def closed(self) -> bool:
        """Whether every stream is to end."""
        return self._closed

    def close(self) -> None:
        """End every stream; from any thread."""
        self._closed = True
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._tell)
        except RuntimeError:  # the loop has ended, and every stream with it
            log.debug("no stream is open")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close, and wait until the ledger is not read any more."""
        self.close()
        if self._reader is not None:
            await asyncio.wait([self._reader])
        await asyncio.to_thread(self._threads.shutdown)

    async def now(self) -> Cursor:
        """The cursor after everything that is entered now."""
        return await self._in_thread(self._heads)

    async def follow(self, start: Cursor, *, idle_s: float) -> AsyncGenerator[list[StreamStep], None]:
        """Everything entered after a cursor, in batches, until the hub is closed.

        idle_s  an empty batch is given where nothing came for so long
        raises  BadCursor, LedgerAltered where the ledger is not the one the cursor is of, or was altered
        """
        cursor, place = start, -1  # -1: nothing kept follows the cursor
        with self._attached():
            while not self._closed:
                newest = await self._joined()
                if newest.epoch != cursor.epoch and not self._closed:
                    raise BadCursor(
                        f"cursor: is of epoch {cursor.epoch}, the ledger of {newest.epoch}: it was restored"
                    )
                if place < self._next - len(self._kept):
                    place = self._next
                    async for steps in self._catch_up(cursor, newest):
                        cursor = steps[-1].cursor
                        yield steps
                    continue
                news = self._news
                taken = self._since(place)
                place += len(taken)
                steps = _after(cursor, taken)
                if steps:
                    cursor = steps[-1].cursor
                    yield steps
                elif not taken and not await _within(news, idle_s):
                    yield []

    @contextmanager
    def _attached(self) -> Iterator[None]:
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    async def _joined(self) -> Cursor:
        """The cursor after the newest message; the reader is started where there is none."""
        if self._reader is None or self._reader.done():
            self._loop = asyncio.get_running_loop()
            self._forget()
            self._reader = self._loop.create_task(self._read())
        while self._cursor is None and not self._closed:
            await _within(self._news, self.options.slowest_s)
        return self._cursor or Cursor()

    def _since(self, place: int) -> list[StreamStep]:
        first = self._next - len(self._kept)
        count = min(self._next - place, self.options.batch)
        return list(islice(self._kept, place - first, place - first + count))

    async def _catch_up(self, cursor: Cursor, target: Cursor) -> AsyncIterator[list[StreamStep]]:
        """What lies between a stream's cursor and the hub's, from the ledger."""
        while not self._closed and not cursor.reaches(target):
            async with self._slots:
                try:
                    steps, cursor = await self._in_thread(self._read_batch, cursor, target)
                except BadLedger as error:
                    self._note_away(error)
                    steps = []
            if steps:
                yield steps
            else:
                await asyncio.sleep(self.options.away_s)

    async def _read(self) -> None:
        """The one reader: new entries into memory, until no stream is left."""
        delay = self.options.fastest_s
        while not self._closed and self.streams:
            try:
                if self._cursor is None:
                    self._cursor = await self.now()
                    self._tell()
                steps, self._cursor = await self._in_thread(self._read_batch, self._cursor, None)
            except BadLedger as error:
                self._note_away(error)
                await asyncio.sleep(self.options.away_s)
                continue
            except SteelsightError as error:  # restored, or altered: every stream finds that out by itself
                log.warning("event streams end: %s", error)
                self._tell()
                return
            self.away = None
            if steps:
                self._keep(steps)
                self._tell()
            delay = self.options.fastest_s if steps else min(delay * 1.3, self.options.slowest_s)
            await asyncio.sleep(0 if len(steps) == self.options.batch else delay)

    def _note_away(self, error: BadLedger) -> None:
        if self.away is None:
            log.warning("event streams wait for the ledger: %s", error)
        self.away = str(error)

    def _forget(self) -> None:
        """Begin anew: every stream catches up first."""
        self._next += 1
        self._kept.clear()
        self._bytes = 0
        self._cursor = None

    def _keep(self, steps: list[StreamStep]) -> None:
        for step in steps:
            self._kept.append(step)
            self._bytes += len(step.message.entry.body)
            self._next += 1
        while len(self._kept) > self.options.kept or self._bytes > self.options.kept_bytes:
            self._bytes -= len(self._kept.popleft().message.entry.body)

    def _tell(self) -> None:
        """Wake every stream that waits."""
        self._news.set()
        self._news = asyncio.Event()

    async def _in_thread(self, call: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def _heads(self) -> Cursor:
        with self.ledger.read() as connection:
            return read_heads(connection)

    def _read_batch(self, cursor: Cursor, until: Cursor | None) -> tuple[list[StreamStep], Cursor]:
        with self.ledger.read() as connection:
            batch = read_after(connection, cursor, limit=self.options.batch, until=until)
            messages = messages_of(connection, batch.entries)
        steps = []
        for message in messages:
            cursor = cursor.moved({message.entry.writer: message.entry.seq})
            steps.append(StreamStep(message, cursor, self.ledger.id))
        return steps, cursor


def _after(cursor: Cursor, steps: Sequence[StreamStep]) -> list[StreamStep]:
    """The steps after a stream's own cursor, with its own cursors where they differ from the hub's."""
    out: list[StreamStep] = []
    for step in steps:
        writer, seq = step.message.entry.writer, step.message.entry.seq
        if seq <= cursor.seq(writer):  # the stream began after it
            continue
        own = cursor.moved({writer: seq})
        cursor = step.cursor if own == step.cursor else own
        out.append(step if cursor is step.cursor else StreamStep(step.message, cursor, step.ledger))
    return out


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event is set within a time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
