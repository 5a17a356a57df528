"""Sheets that a camera's computer pushes by HTTP; it is answered once the sheet is on disk.

    POST /v1/sheets?item=NAME[&coil=…&position_m=…&length_m=…&across_mm=…&side=…&captured_us=…]
    GET  /v1/health

The body is the image file. 200 says that the sheet is in the ledger or in the spool. Any other answer, and
none, says nothing about it: send it again; a sheet is known by its item and is entered once.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from steelsight.errors import BadInput, BadSource
from steelsight.ledger.writing.writer import now_us
from steelsight.service.problem import Problem
from steelsight.service.station.places import to_place
from steelsight.service.station.source import Arrival, SourceNotice, bounded_us, item_name
from steelsight.sheets.images.image_file import MAX_FILE_BYTES

__all__ = ["HttpOptions", "HttpSource", "is_loopback"]

log = logging.getLogger(__name__)
POLL_S: Final = 0.05
SHORTEST_TOKEN: Final = 16  # characters
LONGEST_ITEM: Final = 8000  # characters, before it is made a name of the ledger
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
FROM_BROWSERS: Final = ("origin", "sec-fetch-site")  # headers: a page in a browser is no camera
END_S: Final = 3.0  # for answers that are being sent when the source ends


@dataclass(frozen=True)
class HttpOptions:
    """Bounds of a source by HTTP."""

    longest_queue: int = 64  # sheets that are received and not written; more are answered 503
    most_bytes: int = MAX_FILE_BYTES  # of one image file
    most_waiting_bytes: int = 2**30  # of all sheets that are received and not written
    body_s: float = 30.0  # for a body to arrive
    answer_s: float = 30.0  # for a sheet to be written; then the camera sends it again
    idle_s: float | None = None  # the source ends after so many seconds without a sheet; None = never


class HttpSource:
    """Sheets that arrive by POST, answered when they are written.

    host, port  to listen at; port 0 = any free one
    token       required in `Authorization: Bearer`; None only on loopback
    protocol    of uvicorn, which bounds a request's head; "auto" = its own choice
    raises      BadSource: nobody can listen there, or a token is missing or too short
    """

    def __init__(
        self,
        host: str,
        port: int,
        token: str | None,
        options: HttpOptions = HttpOptions(),
        *,
        protocol: Any = "auto",
    ) -> None:
        if token is None and not is_loopback(host):
            raise BadSource(
                f"http://{host}:{port}: expected a token, since others than this machine reach it; give "
                "--http-token"
            )
        if token is not None and len(token) < SHORTEST_TOKEN:
            raise BadSource(f"--http-token: expected at least {SHORTEST_TOKEN} characters, got {len(token)}")
        self._token = token
        self._options = options
        self._arrived: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._waiting: dict[str, list[asyncio.Future[bool]]] = {}  # by item; of the server's thread alone
        self._inside = 0  # requests that read a body or wait for an answer; of the server's thread alone
        self._bytes = 0  # held in memory; of the server's thread alone
        self._sizes: dict[str, int] = {}  # bytes of each sheet that is to be written, by item
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        routes = [
            Route("/v1/sheets", self._receive, methods=["POST"]),
            Route("/v1/health", self._health, methods=["GET"]),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes),
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=4 * options.longest_queue,
            timeout_graceful_shutdown=int(END_S),
        )
        self._server = uvicorn.Server(config)

    def __iter__(self) -> Iterator[Arrival | SourceNotice | None]:
        thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        thread.start()
        last = time.monotonic()
        try:
            while thread.is_alive():
                try:
                    arrival = self._arrived.get(timeout=POLL_S)
                except queue.Empty:
                    idle_s = self._options.idle_s
                    if idle_s is not None and time.monotonic() - last >= idle_s:
                        return
                else:
                    yield arrival
                    while not self._arrived.empty():
                        yield self._arrived.get()
                    last = time.monotonic()
                yield None
            raise BadSource(f"port {self.port}: the server ended by itself; start the line again")
        finally:
            self._server.should_exit = True
            self._answer(None, written=False)
            thread.join(2 * END_S)
            self._socket.close()

    def written(self, items: Sequence[str]) -> None:
        """Answer the cameras that wait for these sheets."""
        self._answer(list(items), written=True)

    def _answer(self, items: list[str] | None, *, written: bool) -> None:
        """Answer whoever waits for some items; None = for any."""

        def answer() -> None:
            for item in list(self._waiting) if items is None else items:
                self._bytes -= self._sizes.pop(item, 0)
                for waiting in self._waiting.pop(item, ()):
                    if not waiting.done():
                        waiting.set_result(written)

        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(answer)
        except RuntimeError:  # the server has ended, and every connection with it
            log.debug("no camera waits for an answer")

    async def _receive(self, request: Request) -> JSONResponse:
        self._loop = asyncio.get_running_loop()
        try:
            self._admit(request)
            self._inside += 1
            try:
                return await self._take(request)
            finally:
                self._inside -= 1
        except Problem as problem:
            headers = {"connection": "close", **({"retry-after": "1"} if problem.status == 503 else {})}
            error = {"code": problem.code, "message": problem.message, "advice": problem.advice}
            return JSONResponse({"error": error}, problem.status, headers)

    def _admit(self, request: Request) -> None:
        """Refuse before a byte of the body is read."""
        browser = [name for name in FROM_BROWSERS if name in request.headers]
        if browser:
            raise Problem(403, "browser", f"the header {browser[0]} is of a browser", "send from a program")
        sent = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if self._token is not None and not hmac.compare_digest(sent, self._token.encode()):
            raise Problem(401, "token", "expected Authorization: Bearer TOKEN", "send the line's token")
        stated = request.headers.get("content-length", "0")
        if not stated.isdecimal() or len(stated) > 18 or int(stated) > self._options.most_bytes:
            raise self._too_large(stated)
        waiting = max(self._inside, len(self._waiting))  # those whose camera gave up are still to be written
        if waiting >= self._options.longest_queue:
            words = f"{waiting} sheets wait to be written"
            raise Problem(503, "full", words, "send it again after Retry-After")

    def _too_large(self, size: object) -> Problem:
        words = f"a body of {size!s:.20} bytes, more than {self._options.most_bytes}"
        return Problem(413, "too_large", words, "send one image file")

    async def _take(self, request: Request) -> JSONResponse:
        arrival = _arrival(request.query_params, await self._body(request))
        self._bytes += len(arrival.content)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(arrival.item, [])
        waiting.append(answer)
        if len(waiting) == 1:  # the same sheet is not taken twice at a time
            self._sizes[arrival.item] = len(arrival.content)
            self._arrived.put(arrival)
        else:
            self._bytes -= len(arrival.content)
        try:
            written = await asyncio.wait_for(answer, self._options.answer_s)
        except TimeoutError:
            written = False
        if not written:
            raise Problem(503, "not_written", "the sheet is not written yet", "send it again")
        return JSONResponse({"item": arrival.item, "written": True})

    async def _body(self, request: Request) -> bytes:
        content = bytearray()
        try:
            async with asyncio.timeout(self._options.body_s):
                async for chunk in request.stream():
                    content += chunk
                    self._bytes += len(chunk)
                    self._refuse_bytes(len(content))
        except TimeoutError as error:
            words = f"the body did not arrive within {self._options.body_s:g} s"
            raise Problem(408, "too_slow", words, "send it again") from error
        except ClientDisconnect as error:
            raise Problem(400, "cut_off", "the body ended early", "send it again") from error
        finally:
            self._bytes -= len(content)
        if not content:
            raise Problem(422, "empty", "expected the bytes of an image file, got none", "send the file")
        return bytes(content)

    def _refuse_bytes(self, size: int) -> None:
        if size > self._options.most_bytes:
            raise self._too_large(f"{size} and more")
        if self._bytes > self._options.most_waiting_bytes:
            words = f"sheets of {self._bytes} bytes wait to be written"
            raise Problem(503, "full", words, "send it again after Retry-After")

    async def _health(self, _request: Request) -> JSONResponse:
        waiting = max(self._inside, len(self._waiting))
        return JSONResponse({"waiting": waiting, "longest_queue": self._options.longest_queue})


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    return host.strip("[]") in LOOPBACK


def _arrival(values: Mapping[str, str], content: bytes) -> Arrival:
    item, captured = values.get("item", ""), values.get("captured_us", "")
    if not 0 < len(item) <= LONGEST_ITEM:
        words = f"item: expected 1 to {LONGEST_ITEM} characters, got {len(item)}"
        raise Problem(422, "item", words, "name the sheet by ?item=")
    try:
        time_us = bounded_us(int(captured)) if captured else now_us()
        return Arrival(item_name(item), content, time_us, to_place(values))
    except ValueError as error:
        words = str(error) if isinstance(error, BadInput) else f"captured_us: got {captured!r:.40}"
        raise Problem(422, "place", words, "send the fields that the documentation of line lists") from error


def _listen(host: str, port: int) -> socket.socket:
    bare = host.strip("[]")
    listening = socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((bare, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise BadSource(
            f"http://{host}:{port}: cannot listen there ({error}); choose another port, or an address of "
            "this machine"
        ) from error
    return listening
