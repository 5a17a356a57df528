"""The one reader of a process feeds every stream: all entries, once, in each writer's order."""

import asyncio
import threading

import pytest
from sqlalchemy import update
from tests.ledger.conftest import judged

from steelsight.errors import BadCursor, BadLedger
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database import schema
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.events.hub import Hub, HubOptions

QUICK = HubOptions(fastest_s=0.005, slowest_s=0.02, away_s=0.02)
LONG_S = 60.0  # a stream that takes longer has failed


def with_hub(ledger, work, options=QUICK):
    """What a coroutine of a hub returns."""

    async def run():
        async with Hub(ledger, options) as hub:
            return await work(hub)

    return asyncio.run(run())


async def take(hub, start, until, *, pause_s=0.0):
    """The places of a stream's messages up to and including one, and the cursor after the last."""
    got = []
    async with asyncio.timeout(LONG_S):
        async for steps in hub.follow(start, idle_s=5.0):
            for step in steps:
                got.append((step.message.entry.writer, step.message.entry.seq))
                if got[-1] == until:
                    return got, step.cursor
            await asyncio.sleep(pause_s)
    raise AssertionError("the stream ended early")


def note(writer, count):
    writer.append([Event(name="note", details={"number": number}) for number in range(count)])


def in_order(got, writer):
    own = [seq for name, seq in got if name == writer]
    return own == list(range(own[0], own[0] + len(own)))


def test_every_stream_gets_every_entry_wherever_it_begins(ledger):
    with open_writer(ledger, "a") as one, open_writer(ledger, "b") as two:
        note(one, 30)
        note(two, 5)

        async def run(hub):
            now = await hub.now()
            begins = [now, Cursor(), Cursor(1, {"a": 7}), Cursor(1, {"b": 5})]
            tasks = [asyncio.create_task(take(hub, begin, ("a", 80))) for begin in begins]
            for _ in range(10):
                await asyncio.to_thread(note, two, 3)
                await asyncio.to_thread(note, one, 5)
            results = await asyncio.gather(*tasks)
            assert hub.streams == 0
            return begins, results

        begins, results = with_hub(ledger, run)
    for begin, (got, cursor) in zip(begins, results, strict=True):
        assert got.count(("a", 80)) == 1
        assert len(got) == len(set(got))
        assert [seq for name, seq in got if name == "a"] == list(range(begin.seq("a") + 1, 81))
        assert in_order(got, "b")
        assert cursor.seq("a") == 80
        assert cursor.seq("b") == begin.seq("b") + sum(name == "b" for name, _ in got)


def test_streams_that_begin_now_share_their_events(ledger):
    with open_writer(ledger, "a") as writer:

        async def run(hub):
            streams = [hub.follow(await hub.now(), idle_s=5.0) for _ in range(3)]
            waiting = [asyncio.create_task(anext(stream)) for stream in streams]
            while hub.streams < 3:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.1)  # all have caught up
            await asyncio.to_thread(note, writer, 1)
            return [(await task)[0] for task in waiting]

        first, *others = with_hub(ledger, run)
    assert all(step is first for step in others)
    assert first.sse(audit=False) is others[0].sse(audit=False)


def test_a_slow_stream_is_fed_from_the_ledger_and_misses_nothing(ledger):
    options = HubOptions(fastest_s=0.002, slowest_s=0.01, kept=10, batch=7)
    with open_writer(ledger, "a") as writer:

        async def run(hub):
            begin = await hub.now()
            slow = asyncio.create_task(take(hub, begin, ("a", 300), pause_s=0.02))
            quick = asyncio.create_task(take(hub, begin, ("a", 300)))
            for _ in range(60):
                await asyncio.to_thread(note, writer, 5)
                assert len(hub._kept) <= 10
            return await slow, await quick

        slow, quick = with_hub(ledger, run, options)
    assert slow[0] == quick[0] == [("a", seq) for seq in range(1, 301)]


def test_large_entries_are_kept_by_their_bytes(ledger):
    options = HubOptions(fastest_s=0.002, slowest_s=0.01, kept_bytes=30_000)
    with open_writer(ledger, "a") as writer:

        async def run(hub):
            stream = asyncio.create_task(take(hub, await hub.now(), ("a", 40)))
            for _ in range(40):
                await asyncio.to_thread(writer.append, [Event(name="note", details={"text": "x" * 10_000})])
                assert hub._bytes <= 30_000
            return await stream

        got, _ = with_hub(ledger, run, options)
    assert len(got) == 40


def test_the_hub_reads_only_while_there_are_streams(ledger, monkeypatch):
    async def run(hub):
        stream = hub.follow(Cursor(), idle_s=0.05)
        assert await anext(stream) == []
        await stream.aclose()
        while not hub._reader.done():
            await asyncio.sleep(0.01)
        assert hub.streams == 0
        with open_writer(ledger, "a") as writer:
            note(writer, 3)
        got, _ = await take(hub, Cursor(), ("a", 3))
        assert got == [("a", 1), ("a", 2), ("a", 3)]

    with_hub(ledger, run)


def test_closing_ends_every_stream_from_another_thread(ledger):
    async def run(hub):

        async def follow():
            return [steps async for steps in hub.follow(Cursor(), idle_s=0.01)]

        tasks = [asyncio.create_task(follow()) for _ in range(5)]
        while hub.streams < 5:
            await asyncio.sleep(0.005)
        threading.Thread(target=hub.close).start()
        async with asyncio.timeout(LONG_S):
            await asyncio.gather(*tasks)
        assert hub.streams == 0

    with_hub(ledger, run)


def test_a_database_that_is_away_is_waited_for(ledger, monkeypatch):
    gone = threading.Event()
    read = type(ledger).read

    def reading(self):
        if gone.is_set():
            raise BadLedger("ledger: the database refused (away)")
        return read(self)

    monkeypatch.setattr(type(ledger), "read", reading)
    with open_writer(ledger, "a") as writer:

        async def run(hub):
            live = asyncio.create_task(take(hub, await hub.now(), ("a", 4)))
            await asyncio.to_thread(note, writer, 2)
            gone.set()
            late = asyncio.create_task(take(hub, Cursor(), ("a", 4)))
            while hub.away is None:
                await asyncio.sleep(0.005)
            await asyncio.to_thread(note, writer, 2)
            gone.clear()
            results = await live, await late
            assert hub.away is None
            return results

        live, late = with_hub(ledger, run)
    assert live[0] == late[0] == [("a", seq) for seq in range(1, 5)]


def test_streams_end_where_the_ledger_is_another_one(ledger):
    with open_writer(ledger, "a") as writer:
        note(writer, 3)

    async def run(hub):
        with ledger.write() as connection:
            connection.execute(update(schema.writers).values(seq=3))
        tasks = [asyncio.create_task(take(hub, Cursor(), ("a", 9))) for _ in range(2)]
        while hub._next == 0 and hub._cursor is None:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        with ledger.write() as connection:
            connection.execute(update(schema.ledger).values(epoch=2))
        for task in tasks:
            with pytest.raises(BadCursor, match="is of epoch 1, the ledger of 2"):
                await task
        assert hub.streams == 0

    with_hub(ledger, run)


def test_verdicts_carry_the_place_of_their_sheet(ledger):
    with open_writer(ledger, "a") as writer:
        writer.append(judged(0, 2, station="a"))

        async def run(hub):
            steps = await anext(hub.follow(Cursor(), idle_s=5.0))
            return [step.message for step in steps]

        messages = with_hub(ledger, run)
    assert [message.kind for message in messages] == ["sheet", "verdict"] * 2
    assert [message.place["item"] for message in messages] == ["s00000.jpg"] * 2 + ["s00001.jpg"] * 2
    assert messages[3].place["coil"] == "C0"
    assert {message.station for message in messages} == {"a"}
