"""What only a real server shows: bodies that never end, slow clients, heads without end, hostile headers."""

import asyncio
import contextlib
import json
import socket
import threading
import time

import numpy as np
import pytest
from tests.ledger.conftest import sheet
from tests.service.api.conftest import jpeg, serving

from steelsight.service.app import build_app
from steelsight.service.serving import protocol

GIB = 2**30
SMALL = {"most_body_mb": 2.0, "body_timeout_s": 1.0, "request_timeout_s": 20.0}


@pytest.fixture
def start():
    """Run a service's application on a loopback port; the port."""
    with contextlib.ExitStack() as running:
        yield lambda service: running.enter_context(serving(build_app(service)))


@pytest.fixture
def port(sqlite_ledger, make_service, start):
    return start(make_service(sqlite_ledger, **SMALL))


def connected(port):
    return contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=15))


def head(method="POST", path="/api/v1/inspect", **headers):
    lines = {"Host": "127.0.0.1", "Content-Type": "application/octet-stream", **headers}
    text = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{text}\r\n".encode()


def read_answer(stream):
    """Status, headers and body of the next answer."""
    content = b""
    while b"\r\n\r\n" not in content:
        part = stream.recv(65536)
        assert part, f"the connection ended after {content[:200]!r}"
        content += part
    top, _, body = content.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += stream.recv(65536)
    return int(status.split()[1]), headers, body


def code_of(body):
    return json.loads(body)["error"]["code"]


def test_a_body_of_a_gibibyte_is_refused_by_its_stated_length(port):
    with connected(port) as stream:
        stream.sendall(head(Content_Length=GIB))
        status, headers, body = read_answer(stream)
    assert (status, code_of(body), headers["connection"]) == (413, "body_too_large", "close")
    assert json.loads(body)["error"]["most_bytes"] == 2_000_000


@pytest.mark.parametrize("multipart", [False, True])
def test_a_body_without_a_stated_length_is_refused_at_the_limit(port, multipart):
    kind = "multipart/form-data; boundary=a" if multipart else "application/octet-stream"
    start = b'--a\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' if multipart else b""
    with connected(port) as stream:
        stream.sendall(head(Transfer_Encoding="chunked", Content_Type=kind))
        sent = 0
        with contextlib.suppress(OSError):  # the server ends the connection
            for number in range(GIB // 65536):
                part = (start if number == 0 else b"") + bytes(65536)
                stream.sendall(b"%x\r\n%s\r\n" % (len(part), part))
                sent += len(part)
        assert sent < 2**26, "the body was read on and on"
        status, _, body = read_answer(stream)
    assert (status, code_of(body)) == (413, "body_too_large")


def test_a_stated_length_below_the_body_does_not_help(port):
    with connected(port) as stream:
        stream.sendall(head(Content_Length=10) + bytes(3_000_000))
        status, _, body = read_answer(stream)
    # Ten bytes are no image, and what follows is no request: whichever is answered first.
    assert (status, json.loads(body).get("reason", "")) in ((200, "not_an_image"), (400, ""))


def test_a_request_without_an_image_has_a_small_limit(port):
    with connected(port) as stream:
        stream.sendall(head(path="/api/v1/reviews", Content_Type="application/json", Content_Length=2**21))
        assert read_answer(stream)[0] == 413


def test_a_body_that_stops_is_refused_after_its_time(port):
    with connected(port) as stream:
        stream.sendall(head(Content_Length=1000) + b"abc")
        status, _, body = read_answer(stream)
    assert (status, code_of(body)) == (408, "body_too_slow")


def test_a_body_that_drips_is_refused_after_its_time(port):
    with connected(port) as stream:
        stream.sendall(head(Content_Length=100_000))
        stop = threading.Event()

        def drip():
            while not stop.wait(0.1):
                with contextlib.suppress(OSError):
                    stream.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        status, _, body = read_answer(stream)
        stop.set()
        dripping.join()
    assert (status, code_of(body)) == (408, "body_too_slow")


def test_a_head_without_end_is_refused(port):
    with connected(port) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(OSError):
            for number in range(10_000):
                stream.sendall(b"X-%d: %s\r\n" % (number, b"y" * 100))
        status, _, body = read_answer(stream)
    assert (status, code_of(body)) == (431, "head_too_large")


def test_a_connection_without_a_request_ends(port, monkeypatch, sqlite_ledger):
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    for content in (b"", b"GET / HTTP/1.1\r\nHost: x"):
        with connected(port) as stream:
            stream.sendall(content)
            status, _, body = read_answer(stream)
            assert (status, code_of(body)) == (408, "head_too_slow")
            assert stream.recv(1) == b""


def test_a_second_request_that_never_ends_is_refused_as_the_first(port, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)
    with connected(port) as stream:
        stream.sendall(head("GET", "/health/live"))
        assert read_answer(stream)[0] == 200
        stream.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127")
        status, _, body = read_answer(stream)
        assert (status, code_of(body)) == (408, "head_too_slow")


def test_more_connections_than_allowed_are_refused(port, monkeypatch):
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 2)
    with connected(port) as one, connected(port) as two:
        for stream in (one, two):
            stream.sendall(head("GET", "/health/live"))
            assert read_answer(stream)[0] == 200
        with connected(port) as three:
            status, _, body = read_answer(three)
            assert (status, code_of(body)) == (503, "busy")


def test_an_answer_that_nobody_reads_is_given_up(sqlite_ledger, make_service, start, monkeypatch):
    service = make_service(sqlite_ledger)
    content = b"II*\0" + np.random.default_rng(0).bytes(40_000_000)
    digest = service.images.put(content)
    seen = sheet(1, image_hash=digest)
    service.console.append([seen])
    monkeypatch.setattr(protocol, "SEND_S", 0.3)
    port = start(service)
    with connected(port) as stream:
        stream.sendall(head("GET", f"/api/v1/sheets/{seen.sheet}/image"))
        time.sleep(1.5)  # longer than SEND_S; a slower machine only waits longer before it gives up
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := stream.recv(2**20):
                received += len(part)
                if received < 2**21:
                    time.sleep(0.5)
    assert received < len(content)


def test_one_connection_serves_many_requests(port):
    with connected(port) as stream:
        for number in range(5):
            content = jpeg(number)
            stream.sendall(head(Content_Length=len(content)) + content)
            assert read_answer(stream)[0] == 200


@pytest.mark.parametrize(
    "content",
    [
        b"nonsense\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_in_the_same_form(port, content):
    with connected(port) as stream:
        stream.sendall(content)
        status, _, body = read_answer(stream)
    assert 400 <= status < 500
    assert json.loads(body)["error"]["advice"]


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "", "127.0.0.1\r\nHost: evil", "[::1]evil.example"),
        *("[::1", "[::1]:evil", "localhost:80:80", "localhost:port", "evil@localhost", "localhost/x"),
    ],
)
def test_a_host_that_is_not_of_the_service_is_refused(port, host):
    with connected(port) as stream:
        stream.sendall(head("GET", "/api/v1/sheets", Host=host))
        status, _, body = read_answer(stream)
    assert (status, code_of(body)) == (400, "unknown_host")
    with connected(port) as stream:
        stream.sendall(head("GET", "/health/live", Host=host))
        assert read_answer(stream)[0] == 200


def test_a_request_id_is_the_clients_where_it_is_harmless(port):
    for given, kept in (("a.b-c_1", True), ("x" * 65, False), ("a b", False), ('{"x":1}', False)):
        with connected(port) as stream:
            stream.sendall(head("GET", "/health/live", X_Request_ID=given))
            answered = read_answer(stream)[1]["x-request-id"]
        assert (answered == given) is kept


def test_every_answer_has_the_security_headers(port):
    for path in ("/health/live", "/nothing", "/api/v1/sheets?x=1", "/metrics"):
        with connected(port) as stream:
            stream.sendall(head("GET", path))
            headers = read_answer(stream)[1]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers
        assert "server" not in headers


def test_https_is_told_to_browsers(sqlite_ledger, make_service, start):
    port = start(make_service(sqlite_ledger, public_url="https://steel.example"))
    with connected(port) as stream:
        stream.sendall(head("GET", "/health/live", Host="steel.example"))
        assert "max-age" in read_answer(stream)[1]["strict-transport-security"]


def test_the_log_has_one_line_for_each_request_whatever_it_carries(port, caplog):
    caplog.set_level("INFO", logger="steelsight.access")
    path = "/api/v1/%0d%0aforged%20line%1b[31m%e2%80%a8"
    with connected(port) as stream:
        stream.sendall(head("GET", path, User_Agent='"}\\n{"forged": 1'))
        read_answer(stream)
    for _ in range(100):
        lines = [record.getMessage() for record in caplog.records if record.name == "steelsight.access"]
        if lines:
            break
        time.sleep(0.05)
    (line,) = lines
    assert line.isascii()
    assert line.isprintable()
    told = json.loads(line)
    assert told["path"] == "/api/v1/\r\nforged line\x1b[31m\u2028"
    assert (told["status"], told["route"], told["method"]) == (404, "none", "GET")


def test_bodies_of_all_requests_have_a_limit_together(sqlite_ledger, make_service, start):
    service = make_service(sqlite_ledger, most_body_mb=2.0, most_bodies_mb=3.0, body_timeout_s=60.0)
    port = start(service)
    with connected(port) as one, connected(port) as other:
        for stream in (one, other):
            stream.sendall(head(Content_Length=1_900_000) + bytes(1_800_000))
        # whichever comes second finds no room
        one.setblocking(False)
        other.setblocking(False)
        statuses = asyncio.run(first_answer(one, other))
    assert statuses == (503, "busy")


async def first_answer(one, other):
    loop = asyncio.get_running_loop()
    tasks = [asyncio.ensure_future(loop.sock_recv(stream, 65536)) for stream in (one, other)]
    done, waiting = await asyncio.wait(tasks, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    content = next(iter(done)).result()
    body = content.partition(b"\r\n\r\n")[2]
    return int(content.split()[1]), code_of(body)


CHUNKED = {"Transfer_Encoding": "chunked"}


@pytest.mark.parametrize(
    ("start_of_it", "part"),
    [
        (b"2\r\n{}\r\n0\r\n", b"a: " + b"b" * 1000 + b"\r\n"),  # trailers
        (b"2\r\n{}\r\n0\r\na: ", b"b" * 1000),  # one of them
        (b"2;", b"x" * 1000),  # an extension of a chunk
    ],
)
def test_what_is_no_part_of_a_body_is_bounded(port, start_of_it, part):
    with connected(port) as stream:
        stream.sendall(head(path="/api/v1/login", **CHUNKED) + start_of_it)
        with contextlib.suppress(OSError):
            for _ in range(20_000):
                stream.sendall(part)
            raise AssertionError("20 MB were taken")


def test_trailers_are_not_headers(port):
    with connected(port) as stream:
        body = b"2\r\n{}\r\n0\r\nX-Request-ID: chosen\r\n\r\n"
        stream.sendall(head(path="/api/v1/login", **CHUNKED) + body)
        status, headers, _ = read_answer(stream)
        assert (status, headers["x-request-id"] != "chosen") == (422, True)
        stream.sendall(head("GET", "/health/live"))
        assert read_answer(stream)[0] == 200


def test_chunks_of_one_byte_are_taken(port):
    with connected(port) as stream:
        count = protocol.MOST_HEAD // 4  # their framing is five times as long as they are
        stream.sendall(head(path="/api/v1/login", **CHUNKED) + b"1\r\n \r\n" * count + b"0\r\n\r\n")
        assert read_answer(stream)[0] in (400, 422)


def test_requests_that_wait_on_a_connection_are_bounded(port, caplog):
    with connected(port) as stream:
        with contextlib.suppress(OSError):
            stream.sendall(head("GET", "/health/live") * 20_000)
        received = b""
        with contextlib.suppress(OSError):
            while part := stream.recv(65536):
                received += part
    assert received.count(b" 200 OK") <= protocol.MOST_WAITING + 1
    assert not [each for each in caplog.records if each.exc_info]
    with connected(port) as stream:
        stream.sendall(head("GET", "/health/live") * (protocol.MOST_WAITING // 2))
        for _ in range(protocol.MOST_WAITING // 2):
            assert read_one(stream)


def read_one(stream):
    """Whether the next answer, of /health/live, is good; it is read byte by byte."""
    content = b""
    while not content.endswith(b'{"status":"ok"}'):
        byte = stream.recv(1)
        assert byte
        content += byte
    return content.startswith(b"HTTP/1.1 200")


def test_an_address_with_a_slash_too_much_is_not_redirected(port):
    with connected(port) as stream:
        stream.sendall(head("GET", "/api/v1/sheets/"))
        status, headers, body = read_answer(stream)
        assert (status, code_of(body), "location" in headers) == (404, "not_found", False)
