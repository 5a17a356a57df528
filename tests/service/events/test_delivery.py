"""Deliveries to webhooks: at least once, in each writer's order, whatever the receiver does."""

import threading
import time

import pytest
from sqlalchemy import update
from tests.ledger.conftest import judged, sheet, verdict
from tests.service.events.receivers import (
    BEGINNING,
    LOOPBACK,
    QUICK,
    add,
    delivering,
    position,
    receiving,
    state,
    until,
)

from steelsight.errors import BadLedger, LeaseLost
from steelsight.ledger.chain.entries import Event, Review
from steelsight.ledger.database import outbox as tables
from steelsight.ledger.keeping.backup import back_up, restore
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.events.messages import Filter, MessageBody
from steelsight.service.events.outbox import destinations, progress
from steelsight.service.events.outbox.serving import ServingOptions, backoff_s
from steelsight.service.events.outbox.signing import secret_text

PERSON = "5" * 32


@pytest.fixture
def parts(ledger, make_parts):
    return make_parts(ledger, allowed_networks=LOOPBACK, delivery_timeout_s=5, delivery_backoff_s=0.2)


@pytest.fixture
def line(parts):
    with open_writer(parts.ledger, "line-1") as writer:
        yield writer


def test_entries_are_delivered_once_signed_and_in_order(parts, line):
    line.append(judged(0, 2))
    with receiving() as receiver, delivering(parts):
        found = add(parts, receiver.url)
        line.append(judged(2, 30))
        until(lambda: len(receiver.accepted) >= 56)
        until(lambda: position(parts, found).seq("line-1") == 60)
        assert state(parts, found).delivered == 56
        line.append(judged(30, 31))
        until(lambda: len(receiver.accepted) >= 58)
    assert receiver.places() == list(range(5, 63))
    assert len({request.id for request in receiver.got}) == len(receiver.got)
    secret = secret_text(found.secret)
    for request in receiver.got:
        assert request.signed_with(secret)
        assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 3600
        assert request.headers["content-type"] == "application/json"
        assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert request.path == "/hook?a=b"
        body = request.json
        assert body.pop("id") == request.id
        MessageBody.model_validate(body)


def test_a_destination_may_begin_at_the_beginning(parts, line):
    line.append(judged(0, 3))
    with receiving() as receiver, delivering(parts):
        add(parts, receiver.url, begin=BEGINNING)
        until(lambda: len(receiver.accepted) >= 6)
    assert receiver.places() == [1, 2, 3, 4, 5, 6]


def test_filters_leave_out_what_is_not_wanted(lite, lite_line):
    seen = sheet(1)
    wanted = Filter(
        kinds=frozenset({"verdict", "review"}), labels=frozenset({"patch"}), stations=frozenset({"line-1"})
    )
    with receiving() as receiver, delivering(lite):
        found = add(lite, receiver.url, wanted=wanted)
        other = sheet(2, station="line-2")
        lite_line.append([seen, verdict(seen), verdict(seen, "patch"), other, verdict(other, "patch")])
        lite_line.append([Review(sheet=seen.sheet, person=PERSON, answer="unsure"), Event(name="login")])
        until(lambda: len(receiver.accepted) >= 2)
        until(lambda: position(lite, found).seq("line-1") == 7)
    assert receiver.places() == [3, 6]
    assert PERSON not in "".join(request.body.decode() for request in receiver.got)
    assert state(lite, found).delivered == 2


def test_people_are_sent_where_that_was_chosen(lite, lite_line):
    seen = sheet(1)
    with receiving() as receiver, delivering(lite):
        add(lite, receiver.url, wanted=Filter(stations=frozenset({"line-1"}), audit=True))
        lite_line.append(
            [seen, Review(sheet=seen.sheet, person=PERSON, answer="unsure"), Event(name="login")]
        )
        until(lambda: len(receiver.accepted) >= 3)
    assert receiver.accepted[1].json["data"]["person"] == PERSON
    assert receiver.accepted[2].json["data"]["name"] == "login"


def test_writers_are_delivered_beside_each_other_each_in_its_order(parts, line):
    def slow(request, _handler):
        time.sleep(0.02 if request.place[0] == "line-1" else 0)
        return 200

    with open_writer(parts.ledger, "line-2") as second, receiving(slow) as receiver, delivering(parts):
        add(parts, receiver.url)
        for number in range(5):
            line.append(judged(number * 4, number * 4 + 4))
            second.append(judged(100 + number * 4, number * 4 + 104, station="line-2"))
        until(lambda: len(receiver.accepted) >= 80)
    assert receiver.places("line-1") == list(range(1, 41))
    assert receiver.places("line-2") == list(range(1, 41))


def test_a_changed_destination_goes_on_where_it_was(lite, lite_line):
    with receiving() as first, receiving() as second, delivering(lite):
        found = add(lite, first.url)
        lite_line.append(judged(0, 5))
        until(lambda: len(first.accepted) >= 10)
        until(lambda: position(lite, found).seq("line-1") == 10)
        with lite.console.transaction() as (connection, writer):
            change = {"address": second.url, "name": "another"}
            destinations.change_destination(connection, writer, found.id, change, by=None)
        lite_line.append(judged(5, 10))
        until(lambda: len(second.accepted) >= 10)
        with lite.console.transaction() as (connection, writer):
            destinations.remove_destination(connection, writer, found.id, by=None)
        lite_line.append(judged(10, 11))
        with lite.console.transaction() as (connection, _):
            assert destinations.list_destinations(connection) == []
    assert first.places()[:10] == list(range(1, 11))
    assert second.places()[:10] == list(range(11, 21))


def test_during_a_rotation_both_secrets_sign(lite, lite_line):
    with receiving() as receiver, delivering(lite):
        old = add(lite, receiver.url)
        with lite.console.transaction() as (connection, writer):
            new = destinations.rotate_key(connection, writer, old.id, overlap_s=3600.0, by=PERSON)
        lite_line.append(judged(0, 1))
        until(lambda: len(receiver.accepted) >= 2)
        for request in receiver.accepted:
            assert request.signed_with(secret_text(old.secret))
            assert request.signed_with(secret_text(new.secret))
        with lite.console.transaction() as (connection, writer):
            last = destinations.rotate_key(connection, writer, old.id, overlap_s=0.0, by=PERSON)
        lite_line.append(judged(1, 2))
        until(lambda: receiver.accepted[-1].signed_with(secret_text(last.secret)))
    final = receiver.accepted[-1]
    assert not final.signed_with(secret_text(old.secret))
    assert not final.signed_with(secret_text(new.secret))


def test_two_processes_deliver_to_a_destination_one_at_a_time(parts, line):
    with receiving() as receiver:
        found = add(parts, receiver.url)
        with delivering(parts), delivering(parts):
            line.append(judged(0, 30))
            until(lambda: len(receiver.accepted) >= 60)
        assert receiver.places() == list(range(1, 61))
        with delivering(parts):
            line.append(judged(30, 31))
            until(lambda: len(receiver.accepted) >= 62)
        assert receiver.places() == list(range(1, 63))
        assert state(parts, found).holder_name is None


def test_a_process_that_lost_its_lease_cannot_move_the_position(parts, line):
    found = add(parts, "https://example.com/")
    with parts.ledger.write() as connection:
        (held,), _ = progress.take(connection, "one")
        assert progress.take(connection, "two")[0] == []
        progress.save(connection, held, "one", {"line-1": 2}, 2)
        connection.execute(update(tables.destinations).values(lease_until_us=0))
        (taken,), _ = progress.take(connection, "two")
    for call in (
        lambda connection: progress.save(connection, held, "one", {"line-1": 1}, 0),
        lambda connection: progress.note_failure(
            connection, held, "one", progress.Failure("line-1", 1, "x", 0)
        ),
    ):
        with (
            parts.ledger.write() as connection,
            pytest.raises(LeaseLost, match="another process delivers to it"),
        ):
            call(connection)
    with parts.console.transaction() as (connection, writer):
        destinations.change_destination(connection, writer, found.id, {"name": "x"}, by=None)
    with parts.ledger.write() as connection, pytest.raises(LeaseLost, match="or it was changed"):
        progress.save(connection, taken, "two", {"line-1": 3}, 1)
    assert position(parts, found).seq("line-1") == 2
    assert state(parts, found).delivered == 2


def test_a_database_that_is_away_loses_nothing(lite, lite_line, monkeypatch):
    gone = threading.Event()
    read, write = type(lite.ledger).read, type(lite.ledger).write

    def unless_gone(call):
        def used(self):
            if gone.is_set() and threading.current_thread().name.startswith("delivery"):
                raise BadLedger("ledger: the database refused (away)")
            return call(self)

        return used

    monkeypatch.setattr(type(lite.ledger), "read", unless_gone(read))
    monkeypatch.setattr(type(lite.ledger), "write", unless_gone(write))
    with receiving() as receiver, delivering(lite) as worker:
        add(lite, receiver.url)
        lite_line.append(judged(0, 3))
        until(lambda: len(receiver.accepted) >= 1)
        gone.set()
        until(lambda: worker.trouble is not None)
        lite_line.append(judged(3, 6))
        gone.clear()
        until(lambda: len(set(receiver.places())) >= 12)
        until(lambda: worker.trouble is None)
    assert list(dict.fromkeys(receiver.places())) == list(range(1, 13))


def test_after_a_restore_a_destination_waits_for_a_person(lite, lite_line, make_parts, tmp_path):
    found = add(lite, "http://127.0.0.1:9/hook")
    lite_line.append(judged(0, 2))
    with lite.ledger.write() as connection:
        destinations._put_positions(connection, found.id, Cursor(1, {"line-1": 3}))
    back_up(lite.ledger, tmp_path / "backup")
    restored, verification = restore(tmp_path / "backup", str(tmp_path / "restored.db"))
    try:
        assert verification.clean
        parts = make_parts(restored, allowed_networks=LOOPBACK, delivery_timeout_s=5)
        with receiving() as receiver, delivering(parts), open_writer(restored, "line-1") as writer:
            until(lambda: state(parts, found).state == "paused")
            assert "the ledger was restored from a backup" in state(parts, found).reason
            assert state(parts, found).secret == found.secret
            writer.append(judged(5, 6))
            with parts.console.transaction() as (connection, own):
                changes = {"state": "active", "address": receiver.url}
                destinations.change_destination(connection, own, found.id, changes, by=None)
            until(lambda: len(receiver.places()) >= 3)
        assert receiver.places() == [4, 5, 6]
        assert verify(restored).clean
    finally:
        restored.close()


def test_waits_grow_to_a_limit_and_differ():
    options = ServingOptions(first_backoff_s=1.0)
    for failures, whole in ((1, 1.0), (2, 2.0), (5, 16.0), (20, 300.0), (10_000, 300.0)):
        waits = {backoff_s(failures, options, 300.0) for _ in range(50)}
        assert all(whole / 2 <= wait <= whole for wait in waits)
        assert len(waits) > 1


def test_the_options_of_the_tests_are_those_of_a_worker():
    assert QUICK.serving.batch == ServingOptions().batch


def test_a_fault_of_the_worker_does_not_end_deliveries(lite, lite_line, monkeypatch, caplog):
    take, faults = progress.take, []

    def failing(connection, token):
        if not faults:
            faults.append(1)
            raise RuntimeError("a fault")
        return take(connection, token)

    monkeypatch.setattr("steelsight.service.events.outbox.worker.take", failing)
    with receiving() as receiver, delivering(lite):
        add(lite, receiver.url)
        lite_line.append(judged(0, 2))
        until(lambda: len(receiver.accepted) >= 4)
    assert faults
    assert "the worker that delivers ended; it begins again" in caplog.text
    assert receiver.places() == [1, 2, 3, 4]
