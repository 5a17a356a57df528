"""The outermost layer: request id, Host check, security headers, unexpected errors, log, figures."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steelsight.ledger.chain.canonical import time_text
from steelsight.ledger.writing.writer import now_us
from steelsight.service.api.errors import answer_problem
from steelsight.service.problem import Problem

__all__ = ["ACCESS_LOG", "Edge", "Finished", "host_name", "security_headers"]

ACCESS_LOG: Final = logging.getLogger("steelsight.access")
ERROR_LOG: Final = logging.getLogger("steelsight.service")
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
NO_HOST: Final = ("/health/",)  # probes name an address
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/\\\s]+)(?::[0-9]{1,5})?")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Finished:
    """One request that was answered."""

    method: str  # one of METHODS, or "other"
    route: str  # the template, such as /api/v1/sheets/{sheet}; "none" where no route fits
    status: int
    seconds: float


def security_headers(*, https: bool) -> list[tuple[bytes, bytes]]:
    """The headers of every answer."""
    headers = {
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "cache-control": "no-store",
    }
    if https:
        headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def host_name(value: str) -> str:
    """The name in a Host header, without its port, in lower case; "" where it is none.

    >>> host_name("Steel.example:8080"), host_name("[::1]:8080"), host_name("[::1]x")
    ('steel.example', '[::1]', '')
    """
    found = _HOST.fullmatch(value.strip().lower())
    return found[1].rstrip(".") if found else ""


class Edge:
    """ASGI middleware around the whole application.

    hosts     names in the Host header that are answered
    https     whether browsers reach the service by https alone
    prefix    of the API's routes
    finished  called once for each request
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Sequence[str],
        https: bool,
        prefix: str,
        finished: Callable[[Finished], None],
    ) -> None:
        self._app = app
        self._prefix = prefix
        self._hosts = frozenset(host.lower() for host in hosts)
        self._headers = security_headers(https=https)
        self._finished = finished

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        sender = _Sender(send, [*self._headers, (b"x-request-id", request_id.encode())])
        started = time.perf_counter()
        try:
            if self._allowed(scope):
                await self._app(scope, receive, sender)
            else:
                await answer_problem(_unknown_host(), request_id)(scope, receive, sender)
        except ClientDisconnect:
            pass  # nobody is there to be answered; the log says 499
        except Exception:
            ERROR_LOG.exception("request %s failed", request_id)
            if sender.status is not None:
                raise  # the answer has begun: the server breaks the connection
            await answer_problem(_unexpected(), request_id)(scope, receive, sender)
        finally:
            self._tell(scope, request_id, sender, time.perf_counter() - started)

    def _allowed(self, scope: Scope) -> bool:
        if scope["path"].startswith(NO_HOST):
            return True
        named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        return len(named) == 1 and host_name(named[0]) in self._hosts

    def _tell(self, scope: Scope, request_id: str, sender: _Sender, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = str(getattr(scope.get("route"), "path", "none"))
        if scope["path"].startswith(self._prefix) and route != "none":
            route = self._prefix + route.removeprefix(
                self._prefix
            )  # an included router may name its own part
        done = Finished(method, route, sender.status or 499, seconds)
        self._finished(done)
        if not ACCESS_LOG.isEnabledFor(logging.INFO):
            return
        caller = scope["state"].get("caller")
        line = {
            "time": time_text(now_us()),
            "request": request_id,
            "client": (scope.get("client") or ("",))[0],
            "method": method,
            "path": scope["path"][:500],
            "route": route,
            "status": done.status,
            "ms": round(seconds * 1000, 1),
            "bytes": sender.bytes,
            "person": getattr(caller, "person", None),
        }
        ACCESS_LOG.info("%s", json.dumps(line))  # ASCII, one line: nothing in a request can add another


class _Sender:
    """Adds headers, and counts what is sent."""

    def __init__(self, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._headers = headers
        self.status: int | None = None
        self.bytes = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = list(message.get("headers", []))
            there = {name.lower() for name, _ in own}
            added = [(name, value) for name, value in self._headers if name not in there]
            message = {**message, "headers": [*own, *added]}
        else:
            self.bytes += len(message.get("body", b""))
        await self._send(message)


def _request_id(scope: Scope) -> str:
    """The id that the client sent, where it is harmless; else a random one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode())
    return secrets.token_hex(8)


def _unknown_host() -> Problem:
    return Problem(
        400,
        "unknown_host",
        "the name in the header Host is not one of this service",
        "use an address that the service knows, or add the name to the setting allowed_hosts",
    )


def _unexpected() -> Problem:
    return Problem(
        500,
        "unexpected",
        "an error that nobody expected",
        "report it with the request id; the service's log has the traceback",
    )
