"""HTTP as uvicorn speaks it, with bounds on what comes before a body: bytes and time of a request's head."""

from __future__ import annotations

import json
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedProtocol"]

MOST_HEAD: Final = 65_536  # bytes of a request line with its headers
HEAD_S: Final = 20.0  # for a request line with its headers to arrive
SEND_S: Final = 60.0  # for a client to read on, where an answer waits for it
MOST_CONNECTIONS: Final = 2000


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request never begins or begins without end, or whose answer nobody reads."""

    _head_bytes = 0
    _in_head = True
    _head_timer: Any = None  # of uvloop or asyncio
    _send_timer: Any = None

    def connection_made(self, transport: Any) -> None:  # of uvloop or asyncio, which share no class
        """Wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(503, "busy", f"more than {MOST_CONNECTIONS} connections are open")
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        self._stop_send_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MOST_HEAD and not self.transport.is_closing():
            self._refuse(431, "head_too_large", f"the request's head has more than {MOST_HEAD} bytes")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """A request's head is there; its body follows."""
        self._in_head = False
        self._head_bytes = 0
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
        self._refuse(400, "not_http", msg)

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
