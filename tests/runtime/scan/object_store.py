"""A local S3 server for tests, and troubles that it can be made to have."""

from __future__ import annotations

import atexit
import functools
import itertools
import threading
import time
from contextlib import contextmanager

import pytest

BUCKET = "mill"
ANSWERS = {
    "slow_down": ("503 Slow Down", "SlowDown"),
    "error": ("500 Internal Server Error", "InternalError"),
    "denied": ("403 Forbidden", "AccessDenied"),
    "expired": ("400 Bad Request", "ExpiredToken"),
    "conflict": ("409 Conflict", "ConditionalRequestConflict"),
    "unknown": ("501 Not Implemented", "NotImplemented"),
    "skewed": ("403 Forbidden", "RequestTimeTooSkewed"),
}


class Troubles:
    """WSGI: answers as the server, except where `rule(method, path)` names a trouble; counts what came.

    Troubles are the keys of ANSWERS, "cut" (half of the body), "lost" (done, and answered as "error"), and
    ("stall", seconds).
    """

    def __init__(self, app):
        self.app, self.rule = app, lambda method, path: None
        self.requests, self.made = [], 0
        self.written = []  # paths of objects, once for each write that was done
        self.ignored = ()  # headers of requests that the server does not know
        self.open = self.most_open = 0  # requests at a time
        self._lock = threading.Lock()

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        with self._lock:
            trouble = self.rule(method, path)
            self.requests.append((method, path, environ.get("HTTP_RANGE")))
            self.made += trouble is not None
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            return self._answer(trouble, environ, start_response)
        finally:
            with self._lock:
                self.open -= 1

    def _answer(self, trouble, environ, start_response):
        if trouble in ANSWERS:
            status, code = ANSWERS[trouble]
            body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
            start_response(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
            return [body]
        if isinstance(trouble, tuple):
            time.sleep(trouble[1])
        for header in self.ignored:
            environ.pop(f"HTTP_{header}", None)
        answer = {}
        content = b"".join(self.app(environ, lambda *given: answer.update(given=given)))
        with self._lock:
            done = answer["given"][0].startswith("200") and environ["REQUEST_METHOD"] == "PUT"
            self.written += [environ["PATH_INFO"]] if done else []
        if trouble == "lost":
            return self._answer("error", environ, start_response)
        start_response(*answer["given"][:2])
        return [content[: len(content) // 2] if trouble == "cut" else content]

    def at_every(self, nth, troubles):
        """Make the troubles in turn, one at every nth GET request; the next request has none."""
        count, turn = itertools.count(1), itertools.cycle(troubles)
        self.rule = lambda method, _: next(turn) if method == "GET" and next(count) % nth == 0 else None


@functools.cache
def _server():
    """A server on a free port until the process ends, and the application that holds the objects."""
    moto = pytest.importorskip("moto.server", reason="needs moto[server]")
    serving = pytest.importorskip("werkzeug.serving", reason="needs moto[server]")
    objects = moto.DomainDispatcherApplication(moto.create_backend_app)
    server = serving.make_server("127.0.0.1", 0, objects, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    atexit.register(server.server_close)
    atexit.register(server.shutdown)  # before it is closed: the last one registered is called first
    return server, objects


@functools.cache
def _client(address):
    """The SDK's client; settings of the environment are read when it is made."""
    import boto3

    return boto3.session.Session().client("s3", endpoint_url=address)


@contextmanager
def serve_objects(monkeypatch):
    """An empty bucket of a local server; the SDK finds it and its credentials by the environment.

    Yields a client, and the Troubles in front of the server.
    """
    pytest.importorskip("boto3", reason="needs boto3")
    server, objects = _server()
    server.app = troubles = Troubles(objects)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    address = f"http://127.0.0.1:{server.port}"
    settings = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    client = _client(address)
    client.create_bucket(Bucket=BUCKET)
    try:
        yield client, troubles
    finally:
        server.app = troubles = Troubles(objects)
        for entry in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=entry["Key"])
        client.delete_bucket(Bucket=BUCKET)


def upload(client, folder, prefix=""):
    """Put every file of a folder under a prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = prefix + path.relative_to(folder).as_posix()
            client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
