"""HTTP as uvicorn speaks it, with bounds on what comes before a body: bytes and time of a request's head."""

from __future__ import annotations

import json
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedProtocol"]

MOST_HEAD: Final = 65_536  # bytes of a request line with its headers
HEAD_S: Final = 20.0  # for a request line with its headers to arrive


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose request never begins, or begins without end."""

    _head_bytes = 0
    _in_head = True
    _head_timer: Any = None  # of uvloop or asyncio

    def connection_made(self, transport: Any) -> None:  # of uvloop or asyncio, which share no class
        """Wait for a request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
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
