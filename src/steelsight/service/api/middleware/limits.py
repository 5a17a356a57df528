"""Limits of one request: bytes and time of its body, bytes of all bodies together, time until the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steelsight.service.api.errors import answer_problem
from steelsight.service.problem import Problem

__all__ = ["Limits", "RequestLimits"]

DRAIN_BYTES: Final = 2**24  # read and dropped after a refusal, so that the client reads the answer
DRAIN_S: Final = 2.0


@dataclass(frozen=True)
class RequestLimits:
    """The limits; bytes by the path's beginning."""

    body_bytes: int  # of any other path
    path_bytes: Mapping[str, int]
    all_bytes: int  # of the bodies of all requests at a time
    body_s: float
    answer_s: float

    def of_path(self, path: str) -> int:
        """Most bytes of a body that is sent to a path."""
        return next(
            (most for start, most in self.path_bytes.items() if path.startswith(start)), self.body_bytes
        )


class Limits:
    """ASGI middleware: refuses with 408, 413 or 503, and never holds more of a body than is allowed."""

    def __init__(self, app: ASGIApp, limits: RequestLimits) -> None:
        self._app = app
        self._limits = limits
        self._held = 0  # bytes of the bodies of all requests
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._limits, self._limits.of_path(scope["path"]), self._hold)
        answer = _Answer(send, lambda: body.problem)
        try:
            stated = _content_length(scope)
            if stated is not None and stated > body.most:
                body.problem = _too_large(body.most)
            else:
                await self._run(scope, body, answer)
            if body.problem is not None and not answer.started:
                await self._refuse(scope, body, send)
        finally:
            self._held -= body.held

    def _hold(self, number: int) -> bool:
        """Count bytes of a body; whether there is room for them."""
        if self._held + number > self._limits.all_bytes:
            return False
        self._held += number
        return True

    async def _run(self, scope: Scope, body: _Body, answer: _Answer) -> None:
        """Run the app until its answer begins, or for as long as is allowed."""
        task = asyncio.ensure_future(self._app(scope, body.receive, answer.send))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: answer.begin())
        limit = asyncio.get_running_loop().call_later(self._limits.answer_s, answer.begin)
        try:
            await answer.began
            if not task.done() and not (answer.started or answer.closed):
                body.problem = body.problem or _too_slow(self._limits.answer_s)
                answer.closed = True
                task.add_done_callback(_forget)
                task.cancel()
                return
            await task
        except asyncio.CancelledError:
            task.cancel()
            raise
        except Exception:
            if body.problem is None:  # else it follows from the refusal, which is answered instead
                raise
        finally:
            limit.cancel()

    async def _refuse(self, scope: Scope, body: _Body, send: Send) -> None:
        problem = body.problem
        if problem is None:
            return
        if not body.complete:  # the rest of the body is not read: the connection cannot be used again
            problem.headers["Connection"] = "close"
        response = answer_problem(problem, scope.get("state", {}).get("request_id", ""))
        await send({"type": "http.response.start", "status": problem.status, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": response.body, "more_body": not body.complete})
        if not body.complete:
            await body.drain()
            await send({"type": "http.response.body", "body": b""})


class _BodyRefused(Exception):
    """Ends the reading of a body whose request is refused."""


@dataclass
class _Body:
    """The body of one request, as it arrives."""

    source: Receive
    limits: RequestLimits
    most: int
    hold: Callable[[int], bool]
    held: int = 0
    complete: bool = False
    problem: Problem | None = None
    deadline: float = field(default=0.0)

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.limits.body_s

    async def receive(self) -> Message:
        """The next part, within the limits."""
        if self.complete:
            return await self.source()
        if self.problem is not None:
            raise _BodyRefused
        try:
            async with asyncio.timeout(self.deadline - time.monotonic()):
                message = await self.source()
        except TimeoutError:
            self.problem = _body_too_slow(self.limits.body_s)
            raise _BodyRefused from None
        if message["type"] != "http.request":
            self.complete = True
            return message
        number = len(message.get("body", b""))
        if self.held + number > self.most:
            self.problem = _too_large(self.most)
        elif not self.hold(number):
            self.problem = _no_room()
        if self.problem is not None:
            raise _BodyRefused
        self.held += number
        self.complete = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read and drop a part of the rest: a client that still writes would not read the answer."""
        dropped = 0
        try:
            async with asyncio.timeout(DRAIN_S):
                while dropped < DRAIN_BYTES:
                    message = await self.source()
                    if message["type"] != "http.request" or not message.get("more_body", False):
                        return
                    dropped += len(message.get("body", b""))
        except TimeoutError:
            return


@dataclass
class _Answer:
    """Passes the app's answer on, unless the request was refused meanwhile."""

    target: Send
    problem: Callable[[], Problem | None]
    started: bool = False
    closed: bool = False
    began: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def begin(self) -> None:
        """End the wait for the answer's beginning."""
        if not self.began.done():
            self.began.set_result(None)

    async def send(self, message: Message) -> None:
        if self.closed or (not self.started and self.problem() is not None):
            self.closed = True
            self.begin()
            return
        self.started = True
        self.begin()
        await self.target(message)


def _forget(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()  # it was answered already; the edge has nobody to tell


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return None


def _too_large(most: int) -> Problem:
    return Problem(
        413,
        "body_too_large",
        f"the body has more than the {most} bytes that are allowed here",
        "send a smaller body, or raise the setting most_body_mb",
        facts={"most_bytes": most},
    )


def _body_too_slow(seconds: float) -> Problem:
    return Problem(
        408,
        "body_too_slow",
        f"the body did not arrive within {seconds:g} s",
        "send it faster or smaller, or raise the setting body_timeout_s",
    )


def _too_slow(seconds: float) -> Problem:
    return Problem(
        503,
        "timeout",
        f"no answer within {seconds:g} s",
        "try again later; what is written is written whole or not at all: send an Idempotency-Key",
        headers={"Retry-After": "5"},
    )


def _no_room() -> Problem:
    return Problem(
        503,
        "busy",
        "the bodies of other requests take all the memory that the service gives them",
        "try again later, or send fewer requests at a time",
        headers={"Retry-After": "1"},
    )
