"""A receiver of webhooks on loopback that behaves as a test tells it, and a worker that delivers quickly."""

import base64
import hashlib
import hmac
import http.server
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

from sqlalchemy import select

from steelsight.ledger.database.schema import events
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.reading.tail import read_heads
from steelsight.service.events.outbox.destinations import (
    NewDestination,
    add_destination,
    find_destination,
    stored_cursor,
)
from steelsight.service.events.outbox.serving import ServingOptions
from steelsight.service.events.outbox.worker import Delivery, DeliveryOptions

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
LONG_S = 60.0  # whatever takes longer has failed
QUICK = DeliveryOptions(
    survey_s=0.05,
    idle_survey_s=0.05,
    news_s=0.02,
    serving=ServingOptions(save_s=0.05, first_backoff_s=0.02, away_s=0.05),
)


def until(condition, why=""):
    """Wait until something is so."""
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, why or condition
        time.sleep(0.01)


@dataclass
class Request:
    """What the receiver was sent."""

    path: str
    headers: dict
    body: bytes

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def place(self):
        return (self.json["writer"], self.json["seq"])

    def signed_with(self, secret):
        """Whether one of the signatures is of a secret, as the specification says."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return f"v1,{expected}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """Answers each request by `answer(request)`: a status, or a function of the handler."""

    answer: object = 200
    got: list = field(default_factory=list)  # every request
    accepted: list = field(default_factory=list)  # those that were answered with 2xx
    port: int = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook?a=b"

    def places(self, writer="line-1"):
        return [request.place[1] for request in self.accepted if request.place[0] == writer]


@contextmanager
def receiving(answer=200, port=0, tls=None):
    """A receiver that runs."""
    receiver = Receiver(answer)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = LONG_S

        def setup(self):
            super().setup()
            if tls is not None:  # here, in a thread of its own: a client may stay and say nothing
                self.request.do_handshake()

        def do_POST(self):
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the sender was killed while it sent
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, body)
            receiver.got.append(request)
            answer = receiver.answer
            if callable(answer):
                answer = answer(request, self)
            if answer is None:  # it did that by itself
                return
            if 200 <= answer < 300:
                receiver.accepted.append(request)
            self.send_response(answer)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, *_):
            """A client that leaves is no failure of a test."""

    server = Server(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(LONG_S)


@contextmanager
def delivering(parts, options=QUICK):
    """A worker that runs."""
    worker = Delivery(parts.ledger, parts.console, parts.settings, options)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
        assert not worker.running


def add(parts, address, *, kind="webhook", begin=None, **values):
    """A new destination; it begins now unless told otherwise."""
    with parts.console.transaction() as (connection, writer):
        start = read_heads(connection) if begin is None else begin
        new = NewDestination("a receiver", kind, address, **values)
        return add_destination(connection, writer, new, begin=start, by=None)


def state(parts, found):
    with parts.ledger.read() as connection:
        return find_destination(connection, found.id)


def position(parts, found):
    with parts.ledger.read() as connection:
        return stored_cursor(connection, state(parts, found))


def recorded(parts):
    """Events about destinations on record."""
    with parts.ledger.read() as connection:
        query = select(events.c.name).where(events.c.name.like("destination%")).order_by(events.c.seq)
        return list(connection.execute(query).scalars())


BEGINNING = Cursor()
