"""Send messages to an MQTT broker with QoS 1: delivered is what the broker acknowledged."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import aiomqtt
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.reasoncodes import ReasonCode

from steelsight.errors import BadInput
from steelsight.service.events.outbox.addresses import Network, parse_endpoint, resolve
from steelsight.service.events.outbox.destinations import SCHEMES, Destination
from steelsight.service.events.outbox.sending import DeliveryFailed, Outgoing

__all__ = ["MqttSender", "topic_of", "topic_part"]

PREFIX: Final = "steelsight"
KEEPALIVE_S: Final = 30
_SILENT: Final = logging.getLogger("steelsight.mqtt")
_SILENT.setLevel(logging.CRITICAL)  # what fails is told as a failed delivery


def topic_part(name: str) -> str:
    """A name as one level of a topic: the characters that topics give a meaning, and `%`, are escaped.

    >>> topic_part("line/1 + #2")
    'line%2F1 %2B %232'
    """
    escaped = "".join(
        f"%{ord(each):02X}" if each in "%/+#" or not each.isprintable() else each for each in name
    )
    return f"%24{escaped[1:]}" if escaped.startswith("$") else escaped


def topic_of(prefix: str, message: Outgoing) -> str:
    """The topic of a message: PREFIX/STATION/KIND."""
    return f"{prefix}/{topic_part(message.station)}/{message.kind}"


class _NamedTls(ssl.SSLContext):
    """Checks the certificate against a name, although the connection is made to a number."""

    name = ""
    wrapped: ssl.SSLSocket | None = None

    def wrap_socket(self, sock: Any, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        self.wrapped = super().wrap_socket(sock, *arguments, **{**options, "server_hostname": self.name})
        return self.wrapped

    def close(self) -> None:
        """Close the socket, which paho leaves open where the certificate is refused."""
        if self.wrapped is not None:
            self.wrapped.close()


def _tls(name: str, ca: str | None) -> _NamedTls:
    context = _NamedTls(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.name = name
    try:
        if ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise DeliveryFailed(f"ca: expected certificates in PEM ({error})") from error
    return context


class _Client(aiomqtt.Client):
    """Keeps the reason of an acknowledgement that is a refusal, which aiomqtt does not look at (MQTT 5)."""

    refused: str | None = None
    _abandoned = False

    def abandon(self) -> None:
        """Close the socket of a connection that was not made: aiomqtt leaves it to the garbage collector."""
        self._abandoned = True
        self._client._reset_sockets()

    def _on_socket_open(self, client: PahoClient, userdata: Any, sock: Any) -> None:
        super()._on_socket_open(client, userdata, sock)
        if self._abandoned:  # while the thread that connects was still waiting
            self._loop.call_soon_threadsafe(self.abandon)

    def _on_publish(
        self, client: PahoClient, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any
    ) -> None:
        if reason_code.is_failure:
            self.refused = str(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def forget(self) -> None:
        """Take note of how the connection ended: asyncio reports errors that nobody took note of."""
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()


class MqttSender:
    """One connection to a broker, under one client id for each destination."""

    def __init__(
        self, found: Destination, *, allowed: Sequence[Network], timeout_s: float, suffix: str = ""
    ) -> None:
        self.found = found
        self.endpoint = parse_endpoint(found.address, SCHEMES["mqtt"])
        self._prefix = str(found.options.get("topic") or PREFIX)
        self._suffix = suffix  # of the client id
        self._allowed = allowed
        self._timeout_s = timeout_s
        self._client: _Client | None = None
        self._one = asyncio.Lock()  # one message in flight: its refusal can be told from others'

    async def __aenter__(self) -> Self:
        try:
            numbers = await resolve(self.endpoint, self._allowed)
        except BadInput as error:
            raise DeliveryFailed(f"{self.endpoint.authority}: {error}") from error
        failure: Exception | None = None
        for number in numbers:
            try:
                self._client = await self._connect(number)
            except (aiomqtt.MqttError, OSError) as error:
                failure = error
            else:
                return self
        raise DeliveryFailed(f"{self.endpoint.authority}: {failure or 'no address'}") from failure

    async def _connect(self, number: str) -> _Client:
        options, secret = self.found.options, self.found.secret
        five = options.get("version", "5") == "5"
        tls = _tls(self.endpoint.host, options.get("ca")) if self.endpoint.secure else None
        client = _Client(
            number,
            self.endpoint.port,
            username=options.get("username"),
            password=None if secret is None else secret.decode(),
            identifier=(options.get("client_id") or f"steelsight-{self.found.id}") + self._suffix,
            protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
            clean_session=None if five else False,
            timeout=self._timeout_s,
            keepalive=KEEPALIVE_S,
            tls_context=tls,
            logger=_SILENT,
        )
        try:
            await client.__aenter__()
        except BaseException:  # also where the delivery is cancelled
            client.abandon()
            if tls is not None:
                tls.close()
            raise
        return client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await client.__aexit__(kind, error, trace)
        except aiomqtt.MqttError as failure:  # it was lost before
            _SILENT.debug("the broker did not answer to the end of the connection: %s", failure)
        finally:
            client.forget()

    async def send(self, message: Outgoing) -> None:
        """Returns when the broker acknowledged it; raises DeliveryFailed."""
        if self._client is None:
            raise DeliveryFailed("not connected")
        async with self._one:
            self._client.refused = None
            try:
                await self._client.publish(topic_of(self._prefix, message), message.body, qos=1)
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                raise DeliveryFailed(f"{self.endpoint.authority}: {error}") from error
            if self._client.refused is not None:
                raise DeliveryFailed(f"{self.endpoint.authority}: refused ({self._client.refused})")
