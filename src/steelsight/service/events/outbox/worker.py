"""The background worker that delivers: `Delivery`, with `start` and `stop`.

    delivery = Delivery(service.ledger, service.console, service.settings)
    delivery.start()      # a thread with an event loop of its own
    ...
    delivery.stop()       # ends within seconds; what was not delivered is delivered after the next start

Every destination is served by a task of its own, from the ledger itself, after a position of its own: one
that does not answer holds up no other and loses nothing. The position moves after the receiver accepted a
message; a process that is killed in between sends it again, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from steelsight.errors import BadLedger, LeaseLost, SteelsightError
from steelsight.ledger.database.open import Ledger
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.reading.tail import read_heads
from steelsight.ledger.writing.writer import now_us
from steelsight.service.console import SharedWriter
from steelsight.service.events.outbox.broker import MqttSender
from steelsight.service.events.outbox.destinations import ACTIVE, Destination, list_destinations
from steelsight.service.events.outbox.progress import give_back, take
from steelsight.service.events.outbox.sending import Opener
from steelsight.service.events.outbox.serving import DeliveryParts, Serving, ServingOptions
from steelsight.service.events.outbox.webhook import WebhookSender
from steelsight.service.settings.events import EventSettings

__all__ = ["Delivery", "DeliveryOptions", "open_sender"]

log = logging.getLogger(__name__)
Result = TypeVar("Result")
STOP_S: Final = 10.0
RESTART_S: Final = 1.0  # after a fault of this program
TOLD_US: Final = 60_000_000  # a failure that lasts longer is told in /health
LOOKUPS: Final = 32  # names that are looked up at the same time


@dataclass(frozen=True)
class DeliveryOptions:
    """How often the worker looks."""

    survey_s: float = 1.0  # for new, changed and free destinations
    idle_survey_s: float = 3.0  # where there are none
    news_s: float = 0.1  # for new entries
    serving: ServingOptions = field(default_factory=ServingOptions)


def open_sender(found: Destination, settings: EventSettings, *, test: bool = False) -> Opener:
    """The connection to a destination, to be entered with `async with`.

    test  beside the one that delivers: a broker would end that where a second has the same client id
    """
    allowed, timeout_s = settings.allowed_networks, settings.delivery_timeout_s
    if found.kind == "webhook":
        return WebhookSender(found, allowed=allowed, timeout_s=timeout_s)
    return MqttSender(found, allowed=allowed, timeout_s=timeout_s, suffix="-test" if test else "")


class Delivery:
    """Delivers to every destination that no other process delivers to."""

    def __init__(
        self,
        ledger: Ledger,
        console: SharedWriter,
        settings: EventSettings,
        options: DeliveryOptions = DeliveryOptions(),
    ) -> None:
        self.ledger = ledger
        self.trouble: str | None = None  # why the ledger could not be read last time
        self.failing = 0  # destinations that did not accept a message for a minute, when it last looked
        self._console = console
        self._settings = settings
        self._options = options
        self._token = secrets.token_hex(16)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = False
        self._served: DeliveryParts  # these two are made by the thread
        self._look: asyncio.Event  # look for changed destinations at once
        self._tasks: dict[str, tuple[int, asyncio.Task[None]]] = {}  # by destination: its version, its task

    @property
    def running(self) -> bool:
        """Whether the worker's thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to deliver."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End deliveries and give the leases back."""
        self._stopping = True
        self.wake()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def wake(self) -> None:
        """Look for changed destinations now; from any thread."""
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._look.set)
        except RuntimeError:  # the loop has ended: there is nobody to wake
            log.debug("the worker that delivers does not run")

    def _run(self) -> None:
        # On Windows, MQTT needs this kind of loop.
        while not self._stopping:
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                try:
                    runner.run(self._main())
                except Exception:  # a fault of this program: deliveries must go on all the same
                    log.exception("the worker that delivers ended; it begins again")
                    self.trouble = "the worker ended by a fault and begins again"
                    time.sleep(RESTART_S)

    async def _main(self) -> None:
        self._look = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # Looking up a name may take long: calls of the ledger have threads of their own.
        self._loop.set_default_executor(ThreadPoolExecutor(LOOKUPS, thread_name_prefix="delivery names"))
        self._served = DeliveryParts(self.ledger, self._console, self._token)
        watch = asyncio.create_task(self._watch())
        try:
            while not self._stopping:
                await self._survey()
                pause = self._options.survey_s if self._tasks else self._options.idle_survey_s
                await _within(self._look, pause)
                self._look.clear()
        finally:
            watch.cancel()
            await self._end(list(self._tasks))
            await self._release()
            self._served.close()

    async def _survey(self) -> None:
        """Start, restart and end the tasks of destinations."""
        try:
            found, heads = await self._served.call(self._take)
        except SteelsightError as error:
            self._note(error)
            return
        self.trouble = None
        late = now_us() - TOLD_US
        self.failing = sum(1 for each in found if each.failing_since_us and each.failing_since_us < late)
        self._served.tell(heads)
        wanted = {each.id: each for each in found}
        await self._end(
            [
                name
                for name, (version, task) in self._tasks.items()
                if name not in wanted or wanted[name].version != version or task.done()
            ]
        )
        for name, each in wanted.items():
            if name not in self._tasks:
                serving = Serving(
                    each,
                    self._served,
                    partial(open_sender, each, self._settings),
                    longest_s=self._settings.delivery_backoff_s,
                    options=self._options.serving,
                )
                self._tasks[name] = (each.version, asyncio.create_task(serving.run()))

    async def _watch(self) -> None:
        """Tell the tasks when entries come."""
        while True:
            await asyncio.sleep(self._options.news_s)
            if not self._tasks:
                continue
            try:
                self._served.tell(await self._served.call(self._heads))
            except SteelsightError as error:
                self._note(error)

    async def _end(self, names: list[str]) -> None:
        tasks = [self._tasks.pop(name)[1] for name in names]
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, LeaseLost):
                log.error("a delivery ended; it begins again", exc_info=result)

    async def _release(self) -> None:
        try:
            await self._served.call(self._give_back)
        except BadLedger as error:  # the leases run out by themselves
            self._note(error)

    def _note(self, error: SteelsightError) -> None:
        if self.trouble is None:
            log.warning("deliveries wait for the ledger: %s", error)
        self.trouble = str(error)

    def _take(self) -> tuple[list[Destination], Cursor]:
        with self.ledger.read() as connection:
            if not any(each.state == ACTIVE for each in list_destinations(connection)):
                return [], read_heads(connection)
        with self.ledger.write() as connection:
            return take(connection, self._token)

    def _give_back(self) -> None:
        with self.ledger.write() as connection:
            give_back(connection, self._token)

    def _heads(self) -> Cursor:
        with self.ledger.read() as connection:
            return read_heads(connection)


async def _within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
