"""What is sent of an entry, and its schema."""

import json
from pathlib import Path

import jsonschema_rs
import pytest
from tests.ledger.conftest import judged, sheet, verdict

from steelsight.errors import BadLedger
from steelsight.ledger.chain.entries import Draw, Event, Review
from steelsight.ledger.chain.event_names import (
    CALIBRATED,
    CLOCK_SET_BACK,
    DATABASE_BACK,
    JUDGED_BY,
    KNOWN_CASE,
    LINE_EVENTS,
    UNREADABLE,
)
from steelsight.ledger.coils.calibration import Calibration
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.reading.records import EventFilter, list_events
from steelsight.ledger.reading.tail import read_after
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.events.message_schema import message_schema
from steelsight.service.events.messages import MOST_BYTES, Filter, MessageBody, messages_of
from steelsight.service.events.outbox.sending import outgoing
from steelsight.service.station.clock import ClockWatch
from steelsight.service.station.line import Line
from steelsight.service.station.recorder import Recorder
from steelsight.service.station.source import IterableSource, SourceNotice
from steelsight.service.station.spool import Spool

SCHEMA = Path(__file__).parents[3] / "docs" / "events.schema.json"
PERSON = "5" * 32


@pytest.fixture
def line(ledger):
    with open_writer(ledger, "line-1") as writer:
        yield writer


def messages(ledger):
    with ledger.read() as connection:
        return messages_of(connection, read_after(connection, Cursor(), limit=1000).entries)


def test_events_of_a_station_are_not_about_people():
    assert {JUDGED_BY, CALIBRATED, UNREADABLE, CLOCK_SET_BACK, DATABASE_BACK} <= LINE_EVENTS


@pytest.fixture
def one_of_each(ledger, line):
    seen = sheet(1, side="top", across_mm=3.5)
    line.append([seen, verdict(seen)])
    line.append([Draw(sheet=seen.sheet, stratum="x", probability=0.5, value=0.1, key_commitment="a" * 64)])
    line.append(
        [Review(sheet=seen.sheet, person=PERSON, answer="corrected", label="patch", comment="b" * 64)]
    )
    line.append([Event(name="login", person=PERSON), Event(name="database_back", details={"seconds": 3})])
    return messages(ledger)


def test_the_schema_of_the_documentation_is_the_one_of_the_messages():
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == message_schema(), (
        "run: python -m steelsight.service.events.message_schema > docs/events.schema.json"
    )


def test_every_message_is_of_the_schema(one_of_each, ledger):
    check = jsonschema_rs.validator_for(message_schema())
    for message in one_of_each:
        for audit in (False, True):
            check.validate(json.loads(message.json(audit=audit)))
            check.validate(json.loads(outgoing(ledger.id, "d", message, audit=audit).body))
    check.validate(
        {"type": "test", "timestamp": "2026-01-01T00:00:00.000000Z", "destination": "d", "id": "msg_x"}
    )
    wrong = json.loads(one_of_each[1].json())
    for change in ({"type": "other"}, {"seq": 0}, {"seq": "1"}, {"name": "Anna"}, {"place": {}}, {"data": 5}):
        assert not check.is_valid({**wrong, **change})


def test_the_id_of_a_message_is_its_own(one_of_each, ledger):
    ids = [outgoing(ledger.id, "d", message, audit=False).id for message in one_of_each]
    assert len(set(ids)) == len(ids)
    assert ids == [outgoing(ledger.id, "d", message, audit=True).id for message in one_of_each]
    others = [outgoing(ledger.id, "e", message, audit=False).id for message in one_of_each]
    others += [outgoing("f" * 32, "d", message, audit=False).id for message in one_of_each]
    assert not set(ids) & set(others)


def test_people_are_named_to_auditors_alone(one_of_each):
    kept = [message for message in one_of_each if Filter().wants(message)]
    assert [message.kind for message in kept] == ["sheet", "verdict", "draw", "review", "event"]
    assert PERSON not in "".join(message.json() for message in kept)
    all_of_them = [message for message in one_of_each if Filter(audit=True).wants(message)]
    assert len(all_of_them) == 6
    assert "".join(message.json(audit=True) for message in all_of_them).count(PERSON) == 2


def test_a_message_says_where_its_sheet_lies(one_of_each):
    for message in one_of_each[:4]:
        body = json.loads(message.json())
        assert body["place"]["item"] == "s00001.jpg"
        assert (body["place"]["side"], body["place"]["across_mm"]) == ("top", 3.5)
        assert body["writer"] == body["place"]["station"] == "line-1"
    assert json.loads(one_of_each[5].json())["place"] is None


def test_the_data_of_a_very_large_entry_are_left_out(ledger, line):
    images = [f"{number:064x}" for number in range(MOST_BYTES // 60)]
    line.append([Event(name="images_pruned", details={"images": images})])
    (message,) = messages(ledger)
    body = MessageBody.model_validate_json(message.json())
    assert body.data is None
    assert body.left_out_bytes == len(message.entry.body) > MOST_BYTES
    assert len(message.json()) < 1000


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(kinds=frozenset({"verdict"})), [2, 4, 6]),
        (Filter(labels=frozenset({"patch"}), kinds=frozenset({"verdict"})), [4]),
        (Filter(labels=frozenset({"patch"})), [1, 3, 4, 5]),
        (Filter(states=frozenset({"doubtful"}), kinds=frozenset({"verdict"})), [6]),
        (Filter(modes=frozenset({"shadow"}), kinds=frozenset({"verdict"})), [6]),
        (Filter(stations=frozenset({"line-2"})), [5, 6]),
        (Filter(stations=frozenset({"line-3"})), []),
    ],
)
def test_a_filter_chooses(ledger, line, wanted, expected):
    one, two, three = sheet(1), sheet(2), sheet(3, station="line-2")
    line.append([one, verdict(one), two, verdict(two, "patch")])
    line.append([three, verdict(three, state="doubtful", mode="shadow")])
    assert [message.entry.seq for message in messages(ledger) if wanted.wants(message)] == expected


def test_places_of_many_sheets_are_found(ledger, line):
    line.append(judged(0, 700))
    with ledger.read() as connection:
        entries = read_after(connection, Cursor(1, {"line-1": 1}), limit=2000).entries
        found = messages_of(connection, entries)
    assert [message.place["item"] for message in found[:3]] == ["s00000.jpg", "s00001.jpg", "s00001.jpg"]
    assert found[-1].place["item"] == "s00699.jpg"


def test_what_a_station_puts_on_record_is_about_no_person(inspector, ledger, address, tmp_path):
    """Bundle, calibration, clock, database and sources: whoever may read may see them."""
    clock = iter([2_000_000, *[0] * 99])
    watch = ClockWatch(lambda: next(clock), lambda: 0.0)
    recorder = Recorder(address, "line-1", Spool(tmp_path / "spool"), report=lambda text: None, clock=watch)
    recorder._lose(BadLedger("away for the test"))
    recorder._next_try = 0.0
    calibration = Calibration(mm_per_px_along=0.1, mm_per_px_across=0.1)
    source = IterableSource([SourceNotice(UNREADABLE, "a.jpg", "no permission")])
    Line(inspector, recorder, calibration=calibration).run(source)
    recorder.close()
    found = [message for message in messages(ledger) if message.kind == "event"]
    assert {message.data["name"] for message in found} == {
        *(CALIBRATED, CLOCK_SET_BACK, DATABASE_BACK, JUDGED_BY, UNREADABLE)
    }
    assert not any(message.of_people for message in found)
    with ledger.read() as connection:
        assert len(list_events(connection, EventFilter(among=LINE_EVENTS)).rows) == len(found)


def test_known_cases_are_sent_to_nobody(ledger, line):
    """Whoever receives may review; the hash of the entry would tell the right answer as well."""
    line.append([Event(name=KNOWN_CASE, subject="a" * 32, details={"label": "type 3"}), Event(name="login")])
    case, login = messages(ledger)
    for wanted in (Filter(), Filter(audit=True), Filter(kinds=frozenset({"event"}), audit=True)):
        assert not wanted.wants(case)
    assert Filter(audit=True).wants(login)
