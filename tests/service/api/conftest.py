"""The application on a ledger in each kind of database, and clients of it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra [serve]")

import uvicorn
from fastapi.testclient import TestClient
from PIL import Image

from steelsight.ledger.images.store import ImageStore
from steelsight.service.access.roles import Permission
from steelsight.service.access.tokens import create_token
from steelsight.service.app import build_app
from steelsight.service.bundles import Bundles
from steelsight.service.console import SharedWriter
from steelsight.service.context import Service
from steelsight.service.serving.run import server_options
from steelsight.service.settings.load import Settings

LOCAL = "http://127.0.0.1:8080"


def jpeg(number: int = 0, size: tuple[int, int] = (96, 160)) -> bytes:
    """An image file whose pixels depend on its number alone."""
    rng = np.random.default_rng(number)
    buffer = BytesIO()
    gray = np.clip(rng.normal(110, 25, size), 0, 255).astype(np.uint8)
    Image.fromarray(gray).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.fixture
def make_service(packaged, tmp_path):
    """A service on a ledger, open to everybody unless settings say otherwise."""
    made = []

    def call(ledger, bundles=None, images=True, **settings):
        opened = bundles or [("packaged", packaged)]
        store = ImageStore(tmp_path / "images") if images else None
        writer = SharedWriter(ledger, f"console{len(made) or ''}")
        made.append(Service(ledger, writer, store, Bundles(opened), Settings(**{"open": True, **settings})))
        return made[-1]

    yield call
    for each in made:
        each.console.close()


@pytest.fixture
def service(ledger, make_service):
    """On each kind of database."""
    return make_service(ledger)


@pytest.fixture
def lite(sqlite_ledger, make_service):
    """On SQLite alone, where the database does not matter."""
    return make_service(sqlite_ledger)


@pytest.fixture
def connect():
    """A client of a service's application, which is closed at the end."""
    opened = []

    def call(service, **headers) -> TestClient:
        client = TestClient(
            build_app(service), base_url=LOCAL, raise_server_exceptions=False, headers=headers
        )
        client.__enter__()
        opened.append(client)
        return client

    yield call
    for each in opened:
        each.__exit__(None, None, None)


@pytest.fixture
def client(service, connect):
    return connect(service)


@pytest.fixture
def lite_client(lite, connect):
    return connect(lite)


@contextmanager
def serving(app) -> Iterator[int]:
    """An application behind a real server on loopback; its port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, **server_options()))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()


def token(service, *permissions: Permission) -> str:
    """The secret of a new machine token."""
    with service.console.transaction() as (connection, writer):
        return create_token(connection, writer, "machine", permissions, days=1.0, by=None)[1]


def send(client, content, query="", **headers):
    """POST /inspect with raw bytes."""
    return client.post(
        f"/api/v1/inspect{query}", content=content, headers={"Content-Type": "image/jpeg", **headers}
    )


def refused(answer, status, code):
    """The error of an answer in the envelope."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["advice"]
    assert error["request_id"] == answer.headers["x-request-id"]
    return error
