"""HTTP as uvicorn speaks it, with bounds on what is not a body: heads, trailers, requests that wait."""

from __future__ import annotations

import json
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedProtocol"]

MOST_HEAD: Final = (
    65_536  # bytes of a request line with its headers; of what is between or after parts of a body
)
MOST_WAITING: Final = 100  # requests of one connection that came before the one before them was answered
HEAD_S: Final = 20.0  # for a request line with its headers to arrive
SEND_S: Final = 60.0  # for a client to read on, where an answer waits for it
MOST_CONNECTIONS: Final = 2000


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request never begins or begins without end, or whose answer nobody reads."""

    _head_bytes = 0
    _in_head = True
    _framing_bytes = 0  # since the last part of a body: sizes and extensions of chunks, trailers
    _running: Any = None  # the request that is being answered
    _reason = ""  # why the parser was stopped
    _head_timer: Any = None  # of uvloop or asyncio
    _send_timer: Any = None

    def connection_made(self, transport: Any) -> None:  # of uvloop or asyncio, which share no class
        """Wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(503, "busy", f"more than {MOST_CONNECTIONS} connections are open")
            return
        self._expect_head()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _give_up(self) -> None:
        """Nobody is there to be answered: uvicorn itself tells that to the last request alone."""
        for cycle in (self._running, *(each for each, _ in self.pipeline)):
            if cycle is not None:
                cycle.disconnected = True
        self.pipeline.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._give_up()
        self._stop_timer()
        self._stop_send_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._framing_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head and self._head_bytes > MOST_HEAD:
            self._refuse(431, "head_too_large", f"the request's head has more than {MOST_HEAD} bytes")
        elif not self._in_head and self._framing_bytes > MOST_HEAD:
            words = f"more than {MOST_HEAD} bytes came that are no part of the request's body"
            self._refuse(431, "head_too_large", words)

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MOST_WAITING:
            self._reason = f"more than {MOST_WAITING} requests wait on this connection"
            raise ValueError(self._reason)  # stops the parser
        self._in_head = True
        self._expect_head()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; trailers after a body are dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._framing_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """A request's head is there; its body follows."""
        self._in_head = False
        self._head_bytes = self._framing_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """A request was answered; another one may follow."""
        super().on_response_complete()
        self._head_bytes = 0

    def pause_writing(self) -> None:
        """The client does not read as fast as the answer is written: wait, but not for ever."""
        super().pause_writing()
        self._send_timer = self.loop.call_later(SEND_S, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads on."""
        self._stop_send_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the form of every error."""
        self._refuse(400, "not_http", self._reason or msg)

    def _expect_head(self) -> None:
        self._stop_timer()
        self._head_timer = self.loop.call_later(HEAD_S, self._too_slow)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _too_slow(self) -> None:
        if self._in_head and not self.transport.is_closing():
            self._refuse(408, "head_too_slow", f"no request within {HEAD_S:g} s")

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._give_up()
        error = {
            "code": code,
            "message": message,
            "advice": "send a request of HTTP/1.1 as the OpenAPI document describes it",
            "request_id": "",
        }
        body = json.dumps({"error": error}).encode()
        head = (
            f"HTTP/1.1 {status} Refused\r\ncontent-type: application/json\r\nconnection: close\r\n"
            f"x-content-type-options: nosniff\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
