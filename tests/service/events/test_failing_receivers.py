"""Webhooks whose receivers fail, hang, refuse, or are somewhere else."""

import asyncio
import re
import threading
import time

import pytest
from tests.ledger.conftest import judged
from tests.service.events.receivers import (
    BEGINNING,
    add,
    delivering,
    position,
    receiving,
    recorded,
    state,
    until,
)

from steelsight.errors import BadInput
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.writing.writer import now_us, open_writer
from steelsight.service.events.outbox import destinations
from steelsight.service.events.outbox import worker as worker_module

PERSON = "5" * 32


def refuse_some(times=2):
    """An answer that refuses every message a few times first."""
    seen = {}

    def answer(request, _handler):
        seen[request.id] = seen.get(request.id, 0) + 1
        return 200 if seen[request.id] > times else 500

    return answer


def close_early(_request, handler):
    handler.close_connection = True
    handler.connection.shutdown(2)


def half_an_answer(_request, handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-le")
    close_early(_request, handler)


def no_http(_request, handler):
    handler.wfile.write(b"220 mail.example.com ESMTP\r\n\r\n")
    close_early(_request, handler)


def hang(_request, _handler):
    time.sleep(1.0)  # longer than the timeout of a delivery
    return


def drip(_request, handler):
    """An answer that never ends, a byte at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(20):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)
    close_early(_request, handler)


def redirect(_request, handler):
    handler.send_response(307)
    handler.send_header("location", handler.path + "&again")
    handler.send_header("content-length", "0")
    handler.end_headers()


FAULTS = {
    "500": (lambda *_: 500, "answered 500"),
    "404": (lambda *_: 404, "answered 404"),
    "redirect": (redirect, "answered 307; redirects are not followed: change the address"),
    "closes early": (close_early, "RemoteProtocolError|ReadError"),
    "half an answer": (half_an_answer, "RemoteProtocolError|ReadError"),
    "no HTTP": (no_http, "RemoteProtocolError"),
    "hangs": (hang, "no answer within 0.5 s|ReadTimeout"),
    "answers slowly": (drip, "no answer within 0.5 s|ReadTimeout"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_receiver_that_fails_loses_nothing_and_is_told(lite, lite_line, fault):
    answer, words = FAULTS[fault]
    with receiving(answer) as receiver, delivering(lite):
        found = add(lite, receiver.url, begin=Cursor(1, {"console0": 9}))
        with lite.console.transaction() as (connection, _):
            destinations._put_positions(connection, found.id, BEGINNING)
        lite_line.append(judged(0, 3))
        until(lambda: (state(lite, found).failures or 0) >= 2)
        failing = state(lite, found)
        assert re.search(words, failing.error), failing.error
        assert failing.failing == ("line-1", 1)
        assert failing.failing_since_us <= now_us() + 60_000_000
        assert failing.next_us > failing.failing_since_us
        assert failing.delivered == 0
        assert {request.place for request in receiver.got} == {("line-1", 1)}
        assert len({request.id for request in receiver.got}) == 1
        receiver.answer = 200
        until(lambda: len(receiver.places()) >= 6)
        until(lambda: state(lite, found).failures == 0)
    assert list(dict.fromkeys(receiver.places())) == [1, 2, 3, 4, 5, 6]
    mended = state(lite, found)
    assert (mended.error, mended.failing, mended.failing_since_us, mended.next_us) == (None,) * 4


def test_each_message_may_need_several_attempts(lite, lite_line):
    with receiving(refuse_some(2)) as receiver, delivering(lite):
        add(lite, receiver.url)
        lite_line.append(judged(0, 3))
        until(lambda: len(receiver.places()) >= 6)
    assert receiver.places() == [1, 2, 3, 4, 5, 6]
    assert [request.place[1] for request in receiver.got] == sorted([1, 2, 3, 4, 5, 6] * 3)


def test_a_receiver_that_is_not_there_yet_gets_everything_later(lite, lite_line):
    with receiving() as receiver:
        port = receiver.port
    with delivering(lite):
        found = add(lite, f"http://127.0.0.1:{port}/hook")
        lite_line.append(judged(0, 5))
        until(lambda: (state(lite, found).failures or 0) >= 2)
        assert "ConnectError" in state(lite, found).error
        with receiving(port=port) as receiver:
            until(lambda: len(receiver.places()) >= 10)
    assert receiver.places() == list(range(1, 11))


def test_a_dead_receiver_holds_up_no_other(lite, lite_line):
    held = threading.Event()

    def hold(_request, _handler):
        held.wait(30)
        return 200

    with receiving(hold) as dead, receiving() as alive, delivering(lite):
        add(lite, dead.url)
        add(lite, alive.url)
        lite_line.append(judged(0, 20))
        until(lambda: len(alive.places()) >= 40)
        assert not dead.accepted
        held.set()
        until(lambda: len(set(dead.places())) >= 40)
    assert list(dict.fromkeys(alive.places())) == list(range(1, 41))  # at least once, in order
    assert len({request.id for request in alive.accepted}) == 40  # a repeated one has the id of the first


def test_a_receiver_that_is_gone_is_paused_and_resumed_without_loss(lite, lite_line):
    with receiving(410) as receiver, delivering(lite):
        found = add(lite, receiver.url)
        lite_line.append(judged(0, 2))
        until(lambda: state(lite, found).state == "paused")
        assert state(lite, found).reason == "the receiver answered 410 Gone"
        assert recorded(lite) == ["destination_created", "destination_paused"]
        lite_line.append(judged(2, 4))
        receiver.answer = 200
        count = len(receiver.got)
        time.sleep(0.2)
        assert len(receiver.got) == count
        with lite.console.transaction() as (connection, writer):
            destinations.change_destination(connection, writer, found.id, {"state": "active"}, by=PERSON)
        until(lambda: len(receiver.places()) >= 8)
    assert receiver.places() == list(range(1, 9))


def test_a_message_that_is_never_accepted_can_be_skipped_on_record(lite, lite_line):
    with receiving(lambda request, _: 422 if request.place[1] == 3 else 200) as receiver, delivering(lite):
        found = add(lite, receiver.url)
        lite_line.append(judged(0, 3))
        until(lambda: state(lite, found).failing == ("line-1", 3))
        with lite.console.transaction() as (connection, writer):
            for wrong in (("line-1", 4), ("line-2", 3)):
                with pytest.raises(BadInput, match="cannot skip entry"):
                    destinations.skip_message(connection, writer, found.id, wrong, by=PERSON)
        with lite.console.transaction() as (connection, writer):
            destinations.skip_message(connection, writer, found.id, ("line-1", 3), by=PERSON)
        until(lambda: len(receiver.places()) >= 5)
        assert receiver.places() == [1, 2, 4, 5, 6]
        assert recorded(lite)[-1] == "destination_skipped"


def test_a_receiver_may_ask_to_wait(lite, lite_line):
    def ask(_request, handler):
        handler.send_response(503)
        handler.send_header("retry-after", "3600")
        handler.send_header("content-length", "4")
        handler.end_headers()
        handler.wfile.write(b"wait")

    lite.settings.__dict__["delivery_backoff_s"] = 50.0
    with receiving(ask) as receiver, delivering(lite):
        found = add(lite, receiver.url)
        lite_line.append(judged(0, 1))
        until(lambda: state(lite, found).failures == 1)
        failing = state(lite, found)
    assert failing.error == "answered 503: wait"
    assert failing.next_us - failing.failing_since_us > 40e6


def test_a_large_answer_is_not_read(lite, lite_line):
    sent = []

    def flood(request, handler):
        handler.send_response(200)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        try:
            for _ in range(100_000):
                handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent.append(65536)
        except OSError:
            return

    with receiving(flood) as receiver, delivering(lite):
        found = add(lite, receiver.url)
        lite_line.append(judged(0, 2))
        until(lambda: position(lite, found).seq("line-1") == 4)
    assert len({request.id for request in receiver.got}) == 4
    assert sum(sent) < 4 * 100 * 2**20


def test_names_are_resolved_once_for_each_attempt_and_the_number_is_connected_to(
    lite, lite_line, monkeypatch
):
    asked = []

    async def lookup(self, host, port, **_):
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "10.9.9.9", port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)
    with receiving(500) as receiver, delivering(lite):
        found = add(lite, f"http://receiver.example:{receiver.port}/hook")
        lite_line.append(judged(0, 1))
        until(lambda: state(lite, found).failures >= 1)
        assert receiver.got[0].headers["host"] == f"receiver.example:{receiver.port}"
        until(lambda: "is not public" in (state(lite, found).error or ""))
    assert len(receiver.got) == 1
    assert set(asked) == {"receiver.example"}


def test_a_private_network_is_refused_unless_it_is_allowed(sqlite_ledger, make_parts):
    parts = make_parts(sqlite_ledger, delivery_backoff_s=0.1)
    with receiving() as receiver, delivering(parts), open_writer(sqlite_ledger, "line-1") as writer:
        found = add(parts, receiver.url)
        writer.append(judged(0, 1))
        until(lambda: state(parts, found).failures >= 1)
        assert "127.0.0.1, is not public" in state(parts, found).error
    assert receiver.got == []


def test_a_receiver_that_fails_for_long_is_counted(lite, lite_line, monkeypatch):
    monkeypatch.setattr(worker_module, "TOLD_US", 0)
    with receiving(500) as receiver, delivering(lite) as worker:
        found = add(lite, receiver.url)
        lite_line.append(judged(0, 1))
        until(lambda: worker.failing == 1)
        receiver.answer = 200
        until(lambda: worker.failing == 0)
    assert state(lite, found).failures == 0
