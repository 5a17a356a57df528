"""Sheets by HTTP: answered when they are on disk, once each, with bounds on what waits."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import select
from tests.service.conftest import draw_sheet

from steelsight.errors import BadSource
from steelsight.ledger.database import schema
from steelsight.ledger.proof.verify import verify
from steelsight.service.station.http import HttpOptions, HttpSource
from steelsight.service.station.line import Line
from steelsight.service.station.recorder import Recorder

TOKEN = "0123456789abcdef"


def send(port, query, content=b"x", method="POST", path="/v1/sheets", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, f"{path}?{query}", content, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null"), answer.headers
    finally:
        connection.close()


class Taken:
    """Takes from a source in a thread; reports sheets as written unless `hold` is set."""

    def __init__(self, source):
        self.source = source
        self.arrivals = []
        self.hold = False
        self.end = False
        self.thread = threading.Thread(target=self._take)
        self.thread.start()

    def _take(self):
        running = iter(self.source)
        for arrival in running:
            if arrival is not None:
                self.arrivals.append(arrival)
                if not self.hold:
                    self.source.written([arrival.item])
            if self.end:
                running.close()
                return

    def stop(self):
        self.end = True
        self.thread.join()


@contextmanager
def taking(token=None, host="127.0.0.1", **options):
    source = HttpSource(host, 0, token, HttpOptions(**options))
    taken = Taken(source)
    try:
        yield source.port, taken
    finally:
        taken.stop()


def test_a_sheet_arrives_with_its_place():
    with taking() as (port, taken):
        query = "item=a%20b.jpg&coil=C7&position_m=12.5&across_mm=-3&side=top&captured_us=1700000000000000"
        status, body, _ = send(port, query, b"content of a file")
        assert (status, body) == (200, {"item": "a b.jpg", "written": True})
        assert send(port, "", method="GET", path="/v1/health")[1] == {"waiting": 0, "longest_queue": 64}
    (arrival,) = taken.arrivals
    assert (arrival.item, arrival.content) == ("a b.jpg", b"content of a file")
    assert arrival.captured_us == 1_700_000_000_000_000
    place = arrival.place
    assert (place.coil, place.position_m, place.across_mm, place.side) == ("C7", 12.5, -3.0, "top")


def test_the_answer_waits_until_the_sheet_is_written():
    with taking() as (port, taken):
        taken.hold = True
        answers = []
        sender = threading.Thread(target=lambda: answers.append(send(port, "item=a")[0]))
        sender.start()
        wait_until(lambda: taken.arrivals)
        assert answers == []
        taken.source.written(["a"])
        sender.join()
    assert answers == [200]


def wait_until(done, seconds=60):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_waits_is_bounded_and_a_sheet_that_is_sent_again_is_taken_once():
    with taking(longest_queue=2, answer_s=0.3) as (port, taken):
        taken.hold = True
        assert [send(port, f"item=s{number}")[0] for number in (0, 1)] == [503, 503]  # not written in time
        status, body, headers = send(port, "item=s2")
        assert (status, body["error"]["code"], headers["retry-after"]) == (503, "full", "1")
        taken.source.written(["s0", "s1"])
        taken.hold = False
        wait_until(lambda: send(port, "", method="GET", path="/v1/health")[1]["waiting"] == 0)
        assert [send(port, f"item=s{number}")[0] for number in (0, 1, 2)] == [200, 200, 200]
    assert [each.item for each in taken.arrivals] == ["s0", "s1", "s0", "s1", "s2"]


def test_the_bytes_that_wait_are_bounded():
    with taking(most_waiting_bytes=2500, answer_s=0.3) as (port, taken):
        taken.hold = True
        assert [send(port, f"item=s{number}", b"x" * 1000)[0] for number in (0, 1)] == [503, 503]
        status, body, _ = send(port, "item=s2", b"x" * 1000)
        assert (status, body["error"]["message"]) == (503, "sheets of 3000 bytes wait to be written")
        assert send(port, "item=s0", b"x" * 100)[0] == 503  # sent again; it waits already
        taken.source.written(["s0", "s1"])
        taken.hold = False
        assert [send(port, f"item=s{number}", b"x" * 2400)[0] for number in (3, 4, 5)] == [200, 200, 200]


def test_one_sheet_that_is_sent_twice_at_a_time_is_taken_once():
    with taking() as (port, taken):
        taken.hold = True
        answers = []
        senders = [threading.Thread(target=lambda: answers.append(send(port, "item=a")[0])) for _ in range(3)]
        for each in senders:
            each.start()
        wait_until(lambda: send(port, "", method="GET", path="/v1/health")[1]["waiting"] == 3)
        wait_until(lambda: taken.arrivals)
        taken.source.written(["a"])
        for each in senders:
            each.join()
    assert answers == [200, 200, 200]
    assert len(taken.arrivals) == 1


@pytest.mark.parametrize(
    ("query", "content", "status", "message"),
    [
        ("", b"x", 422, "item: expected 1 to"),
        ("item=", b"x", 422, "item: expected 1 to"),
        ("item=a", b"", 422, "expected the bytes of an image file, got none"),
        ("item=a", b"x" * 1001, 413, "a body of 1001 bytes, more than 1000"),
        ("item=a&position_m=far", b"x", 422, "position_m: expected a number, got 'far'"),
        ("item=a&position_m=nan", b"x", 422, "position_m: expected a finite number"),
        ("item=a&side=left", b"x", 422, "side: expected top or bottom"),
        ("item=a&captured_us=now", b"x", 422, "captured_us: got 'now'"),
        ("item=a&captured_us=" + "9" * 5000, b"x", 422, "captured_us: got '999"),
        ("item=a&coil=%00", b"x", 422, "coil: expected 1 to"),
    ],
)
def test_what_is_no_sheet_is_refused(query, content, status, message):
    with taking(most_bytes=1000) as (port, taken):
        found, body, _ = send(port, query, content)
        assert (found, message in body["error"]["message"]) == (status, True), body
        assert body["error"]["advice"]
        assert send(port, "item=next")[0] == 200
    assert [each.item for each in taken.arrivals] == ["next"]


def test_a_name_of_any_bytes_becomes_one_of_the_ledger():
    with taking() as (port, taken):
        assert send(port, "item=%00%ff%0a")[0] == 200
        assert send(port, "item=" + "x" * 7000)[0] == 200
    assert [len(each.item) < 4001 and each.item.isprintable() for each in taken.arrivals] == [True, True]


def test_a_body_without_a_stated_length_is_bounded():
    with taking(most_bytes=1000) as (port, taken), socket.create_connection(("127.0.0.1", port), 60) as raw:
        head = b"POST /v1/sheets?item=a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        chunk = b"1f4\r\n" + b"x" * 500 + b"\r\n"
        raw.sendall(head + 3 * chunk)  # one write: the server may answer and close while more would come
        assert raw.recv(12) == b"HTTP/1.1 413"
    assert taken.arrivals == []


def test_a_body_that_never_comes_is_ended():
    with taking(body_s=0.2) as (port, taken), socket.create_connection(("127.0.0.1", port), 60) as raw:
        raw.sendall(b"POST /v1/sheets?item=a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
        assert raw.recv(12) == b"HTTP/1.1 408"
    assert taken.arrivals == []


def test_a_token_is_required_where_others_reach_the_line():
    with pytest.raises(BadSource, match=r"expected a token, since others than this machine reach it"):
        HttpSource("0.0.0.0", 0, None)
    with pytest.raises(BadSource, match="expected at least 16 characters, got 3"):
        HttpSource("127.0.0.1", 0, "abc")
    with taking(TOKEN, "0.0.0.0") as (port, taken):
        for sent in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            assert send(port, "item=a", **sent)[0] == 401
        assert send(port, "item=a", authorization=f"Bearer {TOKEN}")[0] == 200
    assert len(taken.arrivals) == 1


@pytest.mark.parametrize("header", [{"origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_in_a_browser_is_refused(header):
    with taking() as (port, taken):
        assert send(port, "item=a", **header)[0] == 403
    assert taken.arrivals == []


def test_an_address_that_is_in_use_is_told():
    with taking() as (port, _), pytest.raises(BadSource, match=rf"127.0.0.1:{port}: cannot listen there"):
        HttpSource("127.0.0.1", port, None)


def test_a_line_judges_what_arrives(inspector, sqlite_ledger, tmp_path):
    content = draw_sheet(tmp_path / "a.jpg", 1).read_bytes()
    recorder = Recorder(str(sqlite_ledger.engine.url.database), "line-1", None, report=lambda line: None)
    source = HttpSource("127.0.0.1", 0, None, HttpOptions(idle_s=1.0))
    line = Line(inspector, recorder)
    running = threading.Thread(target=line.run, args=(source,))
    running.start()
    answers = [send(source.port, f"item=s{number}&coil=C1", content)[0] for number in (1, 2, 1)]
    running.join()
    recorder.close()
    assert answers == [200, 200, 200]
    assert (line.report.sheets, line.report.known) == (2, 1)
    assert verify(sqlite_ledger).clean


CODE = """
import sys
from steelsight.runtime.engine.inspector import load
from steelsight.service.station.http import HttpOptions, HttpSource
from steelsight.service.station.line import Line
from steelsight.service.station.recorder import Recorder
bundle, address, port = sys.argv[1:]
recorder = Recorder(address, "line-1", None)
line = Line(load(bundle, threads=1, batch=2), recorder)
line.run(HttpSource("127.0.0.1", int(port), None))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_line_has_every_sheet_that_it_answered_once(make_bundle, sqlite_ledger, tmp_path):
    """The camera sends each sheet until it has an answer; the line is killed twice meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    contents = [draw_sheet(tmp_path / f"s{number}.jpg", number).read_bytes() for number in range(5)]
    command = [
        sys.executable,
        "-c",
        CODE,
        str(make_bundle()),
        str(sqlite_ledger.engine.url.database),
        str(port),
    ]
    process = subprocess.Popen(command)
    kills = [10, 25]
    try:
        for number in range(40):
            deadline = time.monotonic() + 240
            while not answered(port, number, contents[number % 5]):
                assert time.monotonic() < deadline
                if process.poll() is not None:
                    process = subprocess.Popen(command)
                time.sleep(0.05)
            if number in kills:
                process.send_signal(signal.SIGKILL)
                process.wait()
    finally:
        process.kill()
        process.wait()
    with sqlite_ledger.read() as connection:
        items = connection.execute(select(schema.sheets.c.item).order_by(schema.sheets.c.seq)).scalars().all()
        assert len(connection.execute(select(schema.verdicts)).all()) == 40
    assert items == [f"s{number}" for number in range(40)]
    assert verify(sqlite_ledger).clean


def answered(port, number, content):
    try:
        return send(port, f"item=s{number}", content)[0] == 200
    except (OSError, http.client.HTTPException):
        return False
