"""A station's events are entered once, and it keeps its name when the database was away."""

import contextlib
import json
import threading
import time

import pytest
from sqlalchemy import event, select, text
from tests.ledger.conftest import judged

from steelsight.errors import BadLedger, LeaseLost
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import open_ledger
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.writing import writer as writer_module
from steelsight.ledger.writing.writer import open_writer, release_name
from steelsight.service.station import recorder as recorder_module
from steelsight.service.station.recorder import Recorder
from steelsight.service.station.spool import Spool


@pytest.fixture
def record(address, ledger, tmp_path):
    """A recorder with a spool; the next one is the next process."""
    made = []

    def make(spool="spool"):
        for each in made:
            each.close()
        waiting = None if spool is None else Spool(tmp_path / spool)
        made.append(Recorder(address, "line-1", waiting, report=lambda line: None))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def away(monkeypatch):
    """A database that answers nobody while `now` is set; commits may be lost on their way back."""
    state = {"now": False}
    real = recorder_module.open_ledger

    def open_or_fail(address):
        if state["now"]:
            raise BadLedger("away for the test")
        return real(address)

    monkeypatch.setattr(recorder_module, "open_ledger", open_or_fail)
    monkeypatch.setattr(recorder_module, "RETRY_S", 0.0)
    return state


def events(ledger):
    with ledger.read() as connection:
        query = select(schema.events.c.name, schema.events.c.details).order_by(schema.events.c.seq)
        return [(name, json.loads(details)) for name, details in connection.execute(query)]


def lose(recorder, away, monkeypatch):
    """The database goes while the recorder holds its name: it cannot give it back."""
    away["now"] = True

    def fail(*arguments):
        raise BadLedger("away for the test")

    with monkeypatch.context() as broken:
        broken.setattr(recorder_module.Recorder, "_append", fail)
        broken.setattr(writer_module.Writer, "release", fail)
        recorder.write([judged(0, 1)])


def test_a_station_takes_its_own_name_again(record, ledger, away, monkeypatch):
    recorder = record()
    lose(recorder, away, monkeypatch)
    assert recorder.away_since is not None
    away["now"] = False
    recorder.write([judged(1, 2)])
    assert recorder.away_since is None
    assert (recorder.counts.replayed, recorder.counts.written) == (1, 1)
    assert verify(ledger).clean


def test_an_event_of_a_commit_whose_answer_was_lost_is_entered_once(record, ledger, away, monkeypatch):
    recorder = record()
    lose(recorder, away, monkeypatch)
    away["now"] = False
    real = Recorder._append
    answers = iter([True, False])

    def commit_without_answer(self, writer, groups):
        written = real(self, writer, groups)
        if groups[0][0].kind == "event" and next(answers, False):
            raise BadLedger("the answer was lost")
        return written

    monkeypatch.setattr(Recorder, "_append", commit_without_answer)
    recorder.idle()
    assert recorder.away_since is not None
    recorder.idle()
    assert recorder.away_since is None
    assert [name for name, _ in events(ledger)] == ["database_back"]


def test_each_outage_is_on_record(record, ledger, away, monkeypatch):
    recorder = record()
    for number in (1, 2):
        lose(recorder, away, monkeypatch)
        away["now"] = False
        recorder.write([judged(number, number + 1)])
    assert [name for name, _ in events(ledger)] == ["database_back"] * 2


def test_a_note_is_entered_once_also_after_a_restart_and_through_the_spool(record, ledger, away, monkeypatch):
    notes = [("unreadable", f"s{number}.jpg", {"reason": "a \\ pipe"}) for number in (1, 2, 2, 1)]
    first = record()
    for each in notes:
        first.note(*each)
    second = record()
    lose(second, away, monkeypatch)
    for each in notes:
        second.note(*each)
    away["now"] = False
    second.note("unreadable", "s3.jpg", {"reason": "new"})
    noted = [details["reason"] for name, details in events(ledger) if name == "unreadable"]
    assert noted == ["a \\ pipe", "a \\ pipe", "new"]
    assert second.counts.spooled == 1
    assert verify(ledger).clean


def test_sheets_of_one_batch_keep_their_order_around_events(record, ledger):
    recorder = record()
    recorder.write([judged(2, 3), judged(0, 1), judged(2, 3), judged(1, 2)])
    with ledger.read() as connection:
        items = connection.execute(select(schema.sheets.c.item).order_by(schema.sheets.c.seq)).scalars().all()
    assert items == ["s00002.jpg", "s00000.jpg", "s00001.jpg"]
    assert (recorder.counts.written, recorder.counts.repeated) == (3, 1)


def test_two_processes_that_make_one_name_at_the_same_time(ledger, address):
    """The second waits for the first and is refused as by a name that was there."""
    other = open_ledger(address)
    outcome = []
    begun = threading.Event()
    event.listen(
        other.engine,
        "before_cursor_execute",
        lambda *given: begun.set() if "FROM writers" in given[2] else None,
    )

    def second():
        try:
            with open_writer(other, "line-1"):
                outcome.append("taken")
        except LeaseLost as error:
            outcome.append(str(error))

    thread = threading.Thread(target=second)
    with ledger.write() as connection:
        writer_module._take(connection, ledger, "line-1", "a" * 32, 60.0, force=False)
        thread.start()
        if ledger.engine.dialect.name == "postgresql":
            assert begun.wait(60)
            wait_for_lock(ledger)
    thread.join(60)
    other.close()
    assert len(outcome) == 1
    assert "writes as 'line-1' and may do so for" in outcome[0]


def wait_for_lock(ledger):
    query = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with ledger.read() as connection:
            if connection.execute(query).scalar_one():
                return
        time.sleep(0.01)
    raise AssertionError("the second process never waited")


def test_a_released_name_can_be_taken_and_its_holder_is_fenced(ledger):
    with open_writer(ledger, "line-1", lease_s=1e9) as first:
        first.append(judged(0, 1))
        with (
            pytest.raises(LeaseLost, match=r"run `steelsight ledger release .* line-1`"),
            open_writer(ledger, "line-1"),
        ):
            pass
        assert " process " in release_name(ledger, "line-1")
        assert release_name(ledger, "line-1") is None
        with open_writer(ledger, "line-1") as second:
            second.append(judged(1, 2))
        with pytest.raises(LeaseLost, match="nothing was written"):
            first.append(judged(2, 3))
    assert verify(ledger).clean


def test_a_malformed_address_is_no_database_that_is_away(tmp_path):
    """With a spool too: sheets would wait in it for ever."""
    with contextlib.closing(Spool(tmp_path / "spool")) as spool:
        for address, message in (
            ("mysql://plant/ledger", "got mysql://"),
            ("postgresql://u@h/d?mode=x", "expected sslmode="),
        ):
            with pytest.raises(BadLedger, match=message):
                Recorder(address, "line-1", spool, report=lambda line: None)


def test_a_name_that_was_freed_is_told_as_such(record, ledger):
    """Nobody else has it: the message does not name another process."""
    recorder = record()
    release_name(ledger, "line-1")
    with pytest.raises(LeaseLost, match="the name was freed, and nobody writes as 'line-1' now"):
        recorder.write([judged(0, 1)])
