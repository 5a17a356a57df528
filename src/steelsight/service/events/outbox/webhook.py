"""Send messages to a webhook: signed POST requests to addresses that were checked."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, Self

import httpx

from steelsight.errors import BadInput
from steelsight.ledger.writing.writer import now_us
from steelsight.service.events.outbox.addresses import Network, parse_endpoint, resolve
from steelsight.service.events.outbox.destinations import SCHEMES, Destination
from steelsight.service.events.outbox.sending import DeliveryFailed, Outgoing
from steelsight.service.events.outbox.signing import sign
from steelsight.version import __version__

__all__ = ["WebhookSender", "trusting"]

MOST_ANSWER: Final = 64 * 1024  # bytes of an answer that are read
SHOWN: Final = 200  # characters of an answer in an error
ASKS_TO_WAIT: Final = (429, 503)
GONE: Final = 410


def trusting(ca: str | None) -> ssl.SSLContext:
    """TLS that checks certificates against the system's authorities, or against one in PEM alone.

    raises  BadInput where the text is no certificate
    """
    if ca is not None and not (ca.isascii() and ca.strip()):  # of none, the system's would be trusted
        raise BadInput("ca: expected certificates in PEM, got none")
    try:
        return ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise BadInput(f"ca: expected certificates in PEM ({error})") from error


class WebhookSender:
    """Keeps connections to one webhook open.

    The transport of httpx is used without its client: no redirect, proxy, cookie or encoding is followed.
    """

    def __init__(self, found: Destination, *, allowed: Sequence[Network], timeout_s: float) -> None:
        self.found = found
        self.endpoint = parse_endpoint(found.address, SCHEMES["webhook"])
        self._allowed = allowed
        self._timeout_s = timeout_s
        tls = trusting(found.options.get("ca")) if self.endpoint.secure else False
        self._transport = httpx.AsyncHTTPTransport(verify=tls, limits=httpx.Limits(max_connections=16))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.aclose()

    async def send(self, message: Outgoing) -> None:
        """Returns when the receiver answered with 2xx; raises DeliveryFailed."""
        headers = sign(self.found.keys(now_us()), message.id, int(time.time()), message.body)
        try:
            async with asyncio.timeout(self._timeout_s):
                numbers = await resolve(self.endpoint, self._allowed)
                status, answer, wait = await self._post(numbers, message.body, headers)
        except BadInput as error:
            raise DeliveryFailed(str(error)) from error
        except TimeoutError as error:
            raise DeliveryFailed(f"no answer within {self._timeout_s:g} s") from error
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error
        if not 200 <= status < 300:
            raise _refused(status, answer, wait)

    async def _post(
        self, numbers: Sequence[str], body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, str | None]:
        """Status, body and Retry-After of the first address that can be connected to."""
        failure: httpx.ConnectError | None = None
        for number in numbers:
            try:
                answer = await self._transport.handle_async_request(self._request(number, body, headers))
            except httpx.ConnectError as error:
                failure = error
                continue
            try:
                return answer.status_code, await _start_of(answer), answer.headers.get("retry-after")
            finally:
                await answer.aclose()
        raise failure or httpx.ConnectError("no address")

    def _request(self, number: str, body: bytes, headers: Mapping[str, str]) -> httpx.Request:
        host = f"[{number}]" if ":" in number else number
        seconds = self._timeout_s
        return httpx.Request(
            "POST",
            f"{self.endpoint.scheme}://{host}:{self.endpoint.port}{self.endpoint.path}",
            content=body,
            headers={
                "host": self.endpoint.authority,
                "content-type": "application/json",
                "user-agent": f"steelsight/{__version__}",
                **headers,
            },
            extensions={
                "sni_hostname": self.endpoint.host,
                "trace": _closing(),
                "timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds),
            },
        )


def _closing() -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    """A trace of httpcore; it closes a connection whose TLS handshake is cancelled, as httpcore does not."""
    connected: list[Any] = []

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            connected.append(info["return_value"])
        elif event == "connection.start_tls.failed" and isinstance(info["exception"], asyncio.CancelledError):
            await connected.pop().aclose()

    return trace


async def _start_of(answer: httpx.Response) -> bytes:
    """The first bytes of an answer as they came; the connection is closed where more come."""
    start = b""
    stream: Any = answer.stream
    async for chunk in stream:
        start += chunk
        if len(start) > MOST_ANSWER:
            break
    return start[:MOST_ANSWER]


def _refused(status: int, answer: bytes, retry_after: str | None) -> DeliveryFailed:
    words = "".join(each for each in answer.decode("utf-8", "replace")[:SHOWN] if each.isprintable())
    message = f"answered {status}" + (f": {words}" if words else "")
    if 300 <= status < 400:
        message = f"answered {status}; redirects are not followed: change the address"
    wait = _retry_after(retry_after) if status in ASKS_TO_WAIT else None
    return DeliveryFailed(message, gone=status == GONE, retry_after_s=wait)


def _retry_after(value: str | None) -> float | None:
    """The seconds that a header Retry-After asks for; None where it cannot be read."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
