"""Whatever refusals, lost connections and kills come: everything arrives, in order, under one id."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.service.events.receivers import add, position

from steelsight.errors import LeaseLost
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.reading.tail import read_heads
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.bundles import Bundles
from steelsight.service.console import SharedWriter
from steelsight.service.context import Service
from steelsight.service.events.outbox import progress
from steelsight.service.events.outbox.destinations import remove_destination
from steelsight.service.events.outbox.sending import DeliveryFailed
from steelsight.service.events.outbox.serving import DeliveryParts, Serving, ServingOptions
from steelsight.service.settings.load import Settings

LONG_S = 60.0
WRITERS = ("a", "b", "c")
QUICK = ServingOptions(batch=7, at_once=2, save_s=0.0, first_backoff_s=0.0001, away_s=0.0001)
_numbers = itertools.count()

# What a receiver does with the next message, or what happens to the process that delivers.
STEPS = st.lists(
    st.sampled_from(["accept", "accept", "accept", "refuse", "accept and fail", "kill"]), max_size=40
)


class Killed(DeliveryParts):
    """After a kill nothing is saved any more."""

    dead = False

    def save(self, found, seqs, delivered):
        if self.dead:
            raise LeaseLost("killed")
        super().save(found, seqs, delivered)

    def note(self, found, failure):
        if self.dead:
            raise LeaseLost("killed")
        super().note(found, failure)


class Receiver:
    """Does the steps one after the other, then accepts everything."""

    def __init__(self, steps):
        self.steps = iter(steps)
        self.accepted = []  # (writer, seq), id
        self.killed = asyncio.Event()

    @asynccontextmanager
    async def open(self):
        yield self

    async def send(self, message):
        step = next(self.steps, "accept")
        if step == "kill":
            self.killed.set()
            await asyncio.sleep(LONG_S)
        if step == "refuse":
            raise DeliveryFailed("refused")
        body = message.body.decode()
        writer = body.split('"writer":"')[1].split('"')[0]
        seq = int(body.split('"seq":')[1].split(",")[0])
        self.accepted.append(((writer, seq), message.id))
        if step == "accept and fail":  # the answer is lost
            raise DeliveryFailed("connection lost")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """One ledger for all examples."""
    ledger = create_ledger(str(tmp_path_factory.mktemp("serving") / "ledger.db"))
    console = SharedWriter(ledger, "console")
    bundles = Bundles.__new__(Bundles)  # not opened: nothing here looks at them
    yield Service(ledger, console, None, bundles, Settings())
    console.close()
    ledger.close()


async def deliver(parts, found, receiver, heads):
    """Deliver until everything is, over as many lives of the process as it takes; how many."""
    for life in itertools.count(1):
        token = f"{next(_numbers)}"
        with parts.ledger.write() as connection:
            progress.give_back(connection, f"{int(token) - 1}")
            held = {each.id: each for each in progress.take(connection, token)[0]}[found.id]
        served = Killed(parts.ledger, parts.console, token)
        served.tell(heads)
        serving = Serving(held, served, receiver.open, longest_s=0.001, options=QUICK)
        task = asyncio.create_task(serving.run())
        while not receiver.killed.is_set() and not position(parts, found).reaches(heads):
            assert not task.done()
            await asyncio.sleep(0.002)
        served.dead = receiver.killed.is_set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        served.close()
        if not served.dead:
            return life
        receiver.killed.clear()
    raise AssertionError


@settings(max_examples=40)
@given(STEPS, st.lists(st.tuples(st.sampled_from(WRITERS), st.integers(1, 6)), min_size=1, max_size=6))
def test_every_entry_arrives_in_order_and_under_one_id(parts, steps, writes):
    found = add(parts, "https://receiver.example/")
    begin = position(parts, found)
    for writer, count in writes:
        with open_writer(parts.ledger, writer) as opened:
            opened.append([Event(name="database_back", details={"n": number}) for number in range(count)])
    with parts.ledger.read() as connection:
        heads = read_heads(connection)

    async def run():
        receiver = Receiver(steps)
        async with asyncio.timeout(LONG_S):
            lives = await deliver(parts, found, receiver, heads)
        return receiver, lives

    receiver, lives = asyncio.run(run())
    kills = consumed(receiver, steps).count("kill")  # two writers may come to one each in the same life
    assert (lives > 1) == (kills > 0)
    assert lives <= 1 + kills
    for writer in WRITERS:
        own = [seq for (name, seq), _ in receiver.accepted if name == writer]
        assert list(dict.fromkeys(own)) == list(range(begin.seq(writer) + 1, heads.seq(writer) + 1))
    ids = {}
    for place, identity in receiver.accepted:
        assert ids.setdefault(place, identity) == identity
    assert len(set(ids.values())) == len(ids)
    with parts.console.transaction() as (connection, writer):
        remove_destination(connection, writer, found.id, by=None)


def consumed(receiver, steps):
    """The steps that came to pass."""
    left = len(list(receiver.steps))
    return steps[: len(steps) - left]
