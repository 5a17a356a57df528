"""GET /api/v1/events/stream, through a real server."""

import re
import threading

import httpx
import pytest
from tests.ledger.conftest import judged, sheet, verdict
from tests.service.access.test_guard import session_of, token_of
from tests.service.events.conftest import build, listening, serving

from steelsight.ledger.chain.entries import Draw, Event, Review
from steelsight.ledger.keeping.backup import back_up, restore
from steelsight.ledger.reading import cursors
from steelsight.ledger.reading.cursors import Cursor, cursor_text
from steelsight.ledger.reading.tail import read_heads
from steelsight.ledger.writing.writer import now_us, open_writer
from steelsight.service.access.roles import Permission, Role
from steelsight.service.access.sessions import revoke_sessions
from steelsight.service.access.tokens import revoke_token
from steelsight.service.events.hub import HubOptions
from steelsight.service.events.messages import MessageBody

PATH = "/api/v1/events/stream"
PERSON = "5" * 32


def begin_of(ledger):
    return cursor_text(ledger.id, Cursor())


@pytest.fixture
def line(ledger):
    """A writer of a station."""
    with open_writer(ledger, "line-1") as writer:
        yield writer


def test_entries_arrive_with_ids_to_go_on_after(served, ledger, line):
    _, url = served
    line.append(judged(0, 2))
    with listening(url) as stream:
        first = stream.next()
        assert first.retry == "1000"
        assert re.fullmatch(r"1\.[A-Za-z0-9_-]+", first.id)
        line.append(judged(2, 4))
        got = stream.messages(3)
        last = stream.last_id
    assert [found.event for found in got] == ["sheet", "verdict", "sheet"]
    assert [found.json["seq"] for found in got] == [5, 6, 7]
    for found in got:
        MessageBody.model_validate_json(found.data)
    assert got[1].json["place"]["item"] == "s00002.jpg"
    with listening(url, headers={"Last-Event-ID": last}) as stream:
        assert [found.json["seq"] for found in stream.messages(1)] == [8]
    with listening(url, params={"after": begin_of(ledger), "station": "line-1"}) as stream:
        assert [found.json["seq"] for found in stream.messages(8)] == list(range(1, 9))


def test_the_header_comes_before_the_parameter(served, ledger, line):
    _, url = served
    line.append(judged(0, 3))
    header = cursor_text(ledger.id, Cursor(1, {"line-1": 4}))
    request = {"params": {"after": begin_of(ledger)}, "headers": {"Last-Event-ID": header}}
    with listening(url, **request) as stream:
        assert [found.json["seq"] for found in stream.messages(2)] == [5, 6]


def test_filters_choose_kinds_stations_and_modes(served, ledger, line):
    _, url = served
    seen, other = sheet(1), sheet(2, station="line-2")
    line.append([seen, verdict(seen), verdict(seen, mode="shadow", bundle="c" * 16), other, verdict(other)])
    line.append([Event(name="database_back", subject="line-1"), Event(name="login", person=PERSON)])

    with ledger.read() as connection:
        end = cursor_text(ledger.id, read_heads(connection))

    def places(**params):
        with listening(url, params={"after": begin_of(ledger), **params}) as stream:
            got = []
            while stream.last_id != end:  # also where the last entries are not wanted
                found = stream.next()
                got += [found.json["seq"]] if found.data else []
            return got

    assert places() == [1, 2, 3, 4, 5, 6]  # not the login
    assert places(kind="verdict") == [2, 3, 5]
    assert places(kind=["sheet", "event"]) == [1, 4, 6]
    assert places(mode="live") == [1, 2, 4, 5, 6]
    assert places(mode="shadow", kind="verdict") == [3]
    assert places(station="line-2") == [4, 5]
    assert places(station=["line-1", "line-2"], kind="event") == [6]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"params": {"after": "abc"}}, "cursor: expected `1.`"),
        ({"params": {"after": "1.AAAA"}}, "cursor: was cut or altered"),
        ({"headers": {"Last-Event-ID": "1.AAAA"}}, "cursor: was cut or altered"),
        ({"params": {"after": "1." + "A" * 9000}}, "after: String should have at most 8000 characters"),
        ({"params": {"kind": "verdicts"}}, "kind.0: Input should be 'sheet', 'verdict'"),
        ({"params": {"mode": "dead"}}, "mode.0: Input should be 'live'"),
        ({"params": {"station": ""}}, "station.0: String should have at least 1 character"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(served, request_, words):
    _, url = served
    answer = httpx.get(url + PATH, **request_)
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]


def test_a_cursor_past_the_end_is_refused(served, ledger, line):
    _, url = served
    line.append(judged(0, 1))
    answer = httpx.get(url + PATH, params={"after": cursor_text(ledger.id, Cursor(1, {"line-1": 3}))})
    assert answer.status_code == 422
    assert "line-1 ends with entry 2, the cursor is after entry 3" in answer.text


def test_an_idle_stream_says_that_it_is_there_and_moves_its_cursor(served, ledger, line):
    _, url = served
    with listening(url, params={"kind": "review"}) as stream:
        start = stream.next().id
        line.append(judged(0, 3))
        while stream.last_id == start:
            found = stream.next()
            assert found.comment == "heartbeat"
            assert not found.data
    with listening(url, headers={"Last-Event-ID": stream.last_id}) as again:
        line.append(judged(3, 4))
        assert again.messages(1)[0].json["seq"] > 2


def test_ids_of_people_and_events_about_them_need_the_permission(ledger, make_parts, line):
    parts = make_parts(ledger, stream_heartbeat_s=0.2)
    seen = sheet(1)
    line.append([seen, verdict(seen)])
    line.append([Review(sheet=seen.sheet, person=PERSON, answer="confirmed", seconds=2.5)])
    line.append([Draw(sheet=seen.sheet, stratum="x", probability=0.5, value=0.1, key_commitment="a" * 64)])
    line.append([Event(name="login", person=PERSON), Event(name="unheard_of")])
    _, reader = token_of(parts, Permission.READ)
    _, auditor = token_of(parts, Permission.READ, Permission.AUDIT)
    _, inspector = token_of(parts, Permission.INSPECT)
    with serving(build(parts)) as url:
        ask = {"params": {"after": begin_of(ledger), "station": "line-1"}}
        with listening(url, headers={"authorization": f"Bearer {reader}"}, **ask) as stream:
            got = stream.messages(4)
            line.append([Event(name="login", person=PERSON), Event(name="database_back")])
            got += stream.messages(1)
        assert PERSON not in "".join(found.data for found in got)
        assert got[2].json["data"]["person"] is None
        assert [found.event for found in got] == ["sheet", "verdict", "review", "draw", "event"]
        assert got[4].json["data"]["name"] == "database_back"
        with listening(url, headers={"authorization": f"Bearer {auditor}"}, **ask) as stream:
            seen_by_auditor = stream.messages(6)
        assert seen_by_auditor[2].json["data"]["person"] == PERSON
        assert [found.json["data"].get("name") for found in seen_by_auditor[4:]] == ["login", "unheard_of"]
        for found in (*got, *seen_by_auditor):
            MessageBody.model_validate_json(found.data)
        assert httpx.get(url + PATH).status_code == 401
        refused = httpx.get(url + PATH, headers={"authorization": f"Bearer {inspector}"})
        assert refused.status_code == 403


def test_a_stream_ends_with_its_session_or_token(ledger, make_parts, line):
    parts = make_parts(ledger, stream_heartbeat_s=0.2, stream_check_s=0.1)
    token, secret = token_of(parts, Permission.READ)
    person, session = session_of(parts, Role.VIEWER)
    with serving(build(parts)) as url:
        by_token = {"headers": {"authorization": f"Bearer {secret}"}}
        by_session = {"cookies": {"steelsight_session": session}}
        with listening(url, **by_token) as one, listening(url, **by_session) as two:
            one.next()
            two.next()
            with parts.console.transaction() as (connection, writer):
                revoke_token(connection, writer, token.id, by=None)
                revoke_sessions(connection, person, now_us=now_us())
            for stream in (one, two):
                (found,) = stream.messages(1)
                while found.event != "problem":
                    (found,) = stream.messages(1)
                assert found.json["code"] == "not_logged_in"
                assert stream.next() is None


def test_a_client_that_leaves_ends_its_stream(served, line):
    app, url = served
    hub = app.state.hub
    with listening(url) as stream:
        stream.next()
        while hub.streams != 1:
            stream.next()
    gone = threading.Event()
    while hub.streams and not gone.wait(0.01):
        pass
    assert hub.streams == 0


def test_no_more_streams_than_the_setting_allows(sqlite_ledger, make_parts):
    app = build(make_parts(sqlite_ledger, open=True, most_streams=1, stream_heartbeat_s=0.2))
    with serving(app) as url, listening(url) as stream:
        stream.next()
        while app.state.hub.streams != 1:
            stream.next()
        answer = httpx.get(url + PATH)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert answer.json()["error"]["code"] == "too_many_streams"


def test_streams_end_when_the_server_stops(ledger, make_parts, line):
    app = build(make_parts(ledger, open=True, stream_heartbeat_s=30))
    with serving(app) as url, listening(url) as stream:
        stream.next()
        ended = []
        thread = threading.Thread(target=lambda: ended.append(stream.next()))
        thread.start()
        app.state.hub.close()
        thread.join(60)
        assert ended == [None]


def test_after_a_restore_the_stream_says_what_was_lost(ledger, make_parts, tmp_path, line):
    line.append(judged(0, 2))
    back_up(ledger, tmp_path / "backup")
    line.append(judged(2, 3))
    seen = cursor_text(ledger.id, Cursor(1, {"line-1": 6}))
    restored, _ = restore(tmp_path / "backup", str(tmp_path / "restored.db"))
    try:
        with open_writer(restored, "line-1") as writer:
            writer.append(judged(5, 6))
            app = build(make_parts(restored, open=True))
            with serving(app) as url, listening(url, headers={"Last-Event-ID": seen}) as stream:
                reset, *got = stream.messages(4)
        assert reset.event == "reset"
        lost = [{"writer": "line-1", "kept": 4, "seen": 6}]
        assert reset.json == {"reason": "restored", "epoch": 2, "lost": lost}
        assert [found.json["seq"] for found in got if found.json["writer"] == "line-1"][:1] == [5]
        assert {found.json["epoch"] for found in got} == {2}
    finally:
        restored.close()


def test_a_client_that_does_not_read_gets_everything_and_costs_little(sqlite_ledger, make_parts):
    """It reads nothing while the service sends more than sockets hold, and more than the service keeps."""
    app = build(make_parts(sqlite_ledger, open=True))
    app.state.hub.options = HubOptions(kept=50)
    count = 3000
    with open_writer(sqlite_ledger, "line-1") as writer, serving(app) as url:
        with listening(url, params={"after": begin_of(sqlite_ledger), "kind": "event"}) as stream:
            stream.next()
            for number in range(0, count, 500):
                details = {"text": "x" * 4000}
                writer.append(
                    [Event(name="database_back", details=details) for _ in range(number, number + 500)]
                )
                assert len(app.state.hub._kept) <= 50
            got = [found.json["seq"] for found in stream.messages(count)]
        assert got == list(range(1, count + 1))


def test_many_clients_get_the_same(served, ledger, line):
    _, url = served
    results = {}

    def follow(number):
        with listening(url) as stream:
            stream.next()
            ready.release()
            results[number] = [(found.json["seq"], found.id) for found in stream.messages(60)]

    ready = threading.Semaphore(0)
    threads = [threading.Thread(target=follow, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for _ in threads:
        ready.acquire()
    for number in range(0, 30, 5):
        line.append(judged(number, number + 5))
    for thread in threads:
        thread.join(60)
    first = results[0]
    assert [seq for seq, _ in first] == list(range(1, 61))
    assert all(results[number] == first for number in range(20))


def test_a_ledger_with_more_writers_than_a_cursor_holds_is_refused(served, ledger, line, monkeypatch):
    _, url = served
    monkeypatch.setattr(cursors, "LONGEST", 20)
    line.append(judged(0, 1))
    answer = httpx.get(url + PATH)
    assert answer.status_code == 422
    assert "1 writers need 22 characters, and a cursor has at most 20" in answer.json()["error"]["message"]
