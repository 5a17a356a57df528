"""Webhooks over TLS: the connection is made to a number, the certificate is checked against the name."""

import asyncio
import socket
import ssl

import pytest
from tests.ledger.conftest import judged
from tests.service.events.receivers import LONG_S, LOOPBACK, add, delivering, receiving, state, until
from tests.service.events.tls import authority, server_files

from steelsight.errors import BadInput
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.events.outbox.sending import Outgoing
from steelsight.service.events.outbox.webhook import WebhookSender, trusting

NAME = "receiver.example"


@pytest.fixture
def parts(sqlite_ledger, make_parts):
    return make_parts(sqlite_ledger, allowed_networks=LOOPBACK, delivery_backoff_s=0.2)


@pytest.fixture
def lookups(monkeypatch):
    """Every name is looked up as loopback; which were asked for."""
    asked = []

    async def lookup(self, host, port, **_):
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", lookup)
    return asked


def server_tls(ca, folder, host, names):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server_files(ca, folder, host))
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    return context


def test_the_name_is_asked_for_and_checked_though_a_number_is_connected_to(parts, lookups, tmp_path):
    ca, names = authority(), []
    with (
        receiving(tls=server_tls(ca, tmp_path, NAME, names)) as receiver,
        delivering(parts),
        open_writer(parts.ledger, "line-1") as writer,
    ):
        good = add(parts, f"https://{NAME}:{receiver.port}/hook", options={"ca": ca.pem})
        other = add(parts, f"https://other.example:{receiver.port}/hook", options={"ca": ca.pem})
        untrusted = add(parts, f"https://{NAME}:{receiver.port}/hook")
        writer.append(judged(0, 3))
        until(lambda: state(parts, good).delivered == 6)
        for wrong in (other, untrusted):
            until(lambda wrong=wrong: state(parts, wrong).failures >= 1)
            assert "certificate verify failed" in state(parts, wrong).error.lower()
            assert state(parts, wrong).delivered == 0
    assert len(receiver.got) == 6
    assert {request.headers["host"] for request in receiver.got} == {f"{NAME}:{receiver.port}"}
    assert set(names) == {NAME, "other.example"}
    assert set(lookups) == {NAME, "other.example"}


@pytest.mark.parametrize("timeout_s", [0.3, LONG_S], ids=["limit of time", "stopped"])
def test_a_handshake_that_does_not_end_leaves_no_connection(parts, timeout_s):
    async def last_byte(silent):
        async with WebhookSender(destination, allowed=LOOPBACK, timeout_s=timeout_s) as sender:
            sending = asyncio.create_task(sender.send(Outgoing("m", "line-1", "verdict", b"{}")))
            connection, _ = await asyncio.to_thread(silent.accept)
            with connection:
                connection.settimeout(LONG_S)
                assert await asyncio.to_thread(connection.recv, 1 << 16)  # how the client begins
                if timeout_s == LONG_S:
                    sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                return await asyncio.to_thread(connection.recv, 1)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(LONG_S)
        destination = add(parts, f"https://127.0.0.1:{silent.getsockname()[1]}/hook")
        assert asyncio.run(last_byte(silent)) == b""


def test_what_is_no_certificate_is_refused():
    for text in (
        "",
        " ",
        "x",
        "\u00e9",
        "\x00",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ):
        with pytest.raises(BadInput, match="ca: expected certificates in PEM"):
            trusting(text)
