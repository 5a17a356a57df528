"""A web application with events alone, served by uvicorn on a port of loopback, and a reader of streams."""

import asyncio
import json
import socket
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")

import httpx
import uvicorn
from fastapi import FastAPI
from tests.service.access.conftest import make_parts
from tests.service.events.receivers import LOOPBACK

from steelsight.ledger.writing.writer import open_writer
from steelsight.service.api.errors import add_error_handlers
from steelsight.service.events.install import add_events, events_running

__all__ = ["make_parts"]

LONG_S = 60.0  # whatever takes longer has failed


def build(parts) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app):
        async with events_running(app):
            yield

    app = FastAPI(lifespan=lifespan)
    app.state.service = parts
    add_error_handlers(app)
    add_events(app, parts)
    return app


class Server(uvicorn.Server):
    """Ends streams when it begins to stop, as the service does."""

    async def shutdown(self, sockets=None):
        self.config.app.state.hub.close()
        await super().shutdown(sockets)


@contextmanager
def serving(app):
    """The address of a running server."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            while not server.started and thread.is_alive():
                thread.join(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(LONG_S)
        assert not thread.is_alive()


@pytest.fixture
def served(ledger, make_parts):
    """An app on each kind of database; everybody may read."""
    app = build(make_parts(ledger, open=True, stream_heartbeat_s=0.2, stream_check_s=0.2))
    with serving(app) as url:
        yield app, url


@pytest.fixture
def lite(sqlite_ledger, make_parts):
    return make_parts(
        sqlite_ledger, allowed_networks=LOOPBACK, delivery_timeout_s=0.5, delivery_backoff_s=0.1
    )


@pytest.fixture
def lite_line(lite):
    with open_writer(lite.ledger, "line-1") as writer:
        yield writer


@dataclass
class Heard:
    """One server-sent event."""

    event: str = "message"
    data: str = ""
    id: str | None = None
    comment: str = ""
    retry: str = ""

    @property
    def json(self):
        return json.loads(self.data)


@dataclass
class Listener:
    """A client of a stream; it reads as the specification of server-sent events says."""

    lines: object
    last_id: str | None = None
    heard: list = field(default_factory=list)

    def next(self) -> Heard | None:
        """The next block; None where the stream has ended."""
        found, any_line = Heard(), False
        for line in self.lines:
            if not line:
                if any_line:
                    self.last_id = found.id or self.last_id
                    return found
                continue
            any_line = True
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            setattr(found, name or "comment", value if name != "data" else found.data + value)
        return None

    def messages(self, count):
        """The next events that have data."""
        got = []
        while len(got) < count:
            found = self.next()
            assert found is not None, f"the stream ended after {got}"
            if found.data:
                got.append(found)
        return got


@contextmanager
def listening(url, path="/api/v1/events/stream", **request):
    """A stream that is open."""
    with httpx.stream("GET", url + path, timeout=LONG_S, **request) as answer:
        if answer.status_code != 200:
            answer.read()
            raise AssertionError(answer.text)
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Listener(answer.iter_lines())
