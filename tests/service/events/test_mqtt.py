"""Deliveries to a real MQTT broker: acknowledged before the position moves, nothing lost while it is away."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion
from tests.ledger.conftest import judged, sheet, verdict
from tests.service.events.receivers import LONG_S, LOOPBACK, add, delivering, position, state, until
from tests.service.events.tls import authority, server_files

from steelsight.ledger.writing.writer import open_writer
from steelsight.service.events.messages import Filter, MessageBody
from steelsight.service.events.outbox.broker import MqttSender, topic_of, topic_part
from steelsight.service.events.outbox.destinations import Destination
from steelsight.service.events.outbox.sending import DeliveryFailed, Outgoing

BROKER = shutil.which(
    "mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
)
needs_broker = pytest.mark.skipif(
    BROKER is None, reason="needs the MQTT broker mosquitto (Debian: mosquitto)"
)


class Broker:
    """A mosquitto on a port of loopback, that can be killed and started again."""

    def __init__(self, folder: Path, *lines: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        self.log = folder / "mosquitto.log"
        kept = (
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
        )
        general = (f"listener {self.port} 127.0.0.1", "user root", *kept)
        self.config.write_text("\n".join([*general, *(lines or ("allow_anonymous true",))]))
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([BROKER, "-c", self.config], stdout=log, stderr=log)
        until(self._answers, f"mosquitto does not answer: {self.log.read_text()}")

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(LONG_S)
            self.process = None


@contextmanager
def broker_in(folder, *lines):
    broker = Broker(folder, *lines)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


class Subscriber:
    """Keeps what arrives; subscribes again whenever the broker comes back."""

    def __init__(self, port, topic="steelsight/#"):
        self.got = []  # topic, body, QoS
        self.ready = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="a subscriber", clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_disconnect = lambda *_: self.ready.clear()
        self.client.on_message = self._keep
        self.client.connect_async("127.0.0.1", port)
        self.client.loop_start()

    def _keep(self, _client, _userdata, message):
        self.got.append((message.topic, json.loads(message.payload), message.qos))

    @property
    def places(self):
        return [body["seq"] for _, body, _ in self.got if body["type"] != "test"]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def subscribed(port, topic="steelsight/#"):
    subscriber = Subscriber(port, topic)
    try:
        until(subscriber.ready.is_set)
        yield subscriber
    finally:
        subscriber.close()


@pytest.fixture
def parts(sqlite_ledger, make_parts):
    return make_parts(sqlite_ledger, allowed_networks=LOOPBACK, delivery_timeout_s=5, delivery_backoff_s=0.3)


@pytest.fixture
def line(parts):
    with open_writer(parts.ledger, "line-1") as writer:
        yield writer


def add_broker(parts, port, scheme="mqtt", host="127.0.0.1", **values):
    return add(parts, f"{scheme}://{host}:{port}", kind="mqtt", **values)


@needs_broker
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_entries_arrive_in_order_with_quality_of_service_1(parts, line, tmp_path, version):
    with broker_in(tmp_path) as broker, subscribed(broker.port) as subscriber, delivering(parts):
        found = add_broker(parts, broker.port, options={"version": version})
        seen = sheet(99, station="hall 2/line+1#")
        line.append([*judged(0, 10), seen, verdict(seen)])
        until(lambda: len(subscriber.got) >= 22)
        until(lambda: position(parts, found).seq("line-1") == 22)
    assert subscriber.places == list(range(1, 23))
    assert {qos for _, _, qos in subscriber.got} == {1}
    topics = [topic for topic, _, _ in subscriber.got]
    assert topics[:2] == ["steelsight/line-1/sheet", "steelsight/line-1/verdict"]
    assert topics[-1] == "steelsight/hall 2%2Fline%2B1%23/verdict"
    for _, body, _ in subscriber.got:
        assert body.pop("id").startswith("msg_")
        MessageBody.model_validate(body)


@needs_broker
def test_a_broker_that_is_killed_and_comes_back_gets_everything(parts, line, tmp_path):
    with broker_in(tmp_path) as broker, subscribed(broker.port) as subscriber, delivering(parts):
        found = add_broker(parts, broker.port, options={"topic": "steelsight/plant"})
        line.append(judged(0, 5))
        until(lambda: position(parts, found).seq("line-1") == 10)
        until(lambda: len(subscriber.got) >= 10)
        for round_ in range(2):
            broker.kill()
            line.append(judged(10 * round_ + 5, 10 * round_ + 10))
            until(lambda: state(parts, found).failures >= 2)
            line.append(judged(10 * round_ + 10, 10 * round_ + 15))
            broker.start()
            until(lambda round_=round_: len(set(subscriber.places)) >= 30 + 20 * round_)
    assert list(dict.fromkeys(subscriber.places)) == list(range(1, 51))
    identities = {(body["seq"], body["id"]) for _, body, _ in subscriber.got}
    assert len(identities) == 50
    assert subscriber.got[0][0] == "steelsight/plant/line-1/sheet"


@needs_broker
def test_a_broker_that_is_not_there_is_told(parts, line):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with delivering(parts):
        found = add_broker(parts, port)
        line.append(judged(0, 1))
        until(lambda: state(parts, found).failures >= 2)
    assert state(parts, found).error.startswith(f"127.0.0.1:{port}: ")
    assert state(parts, found).delivered == 0


@needs_broker
def test_name_and_password_are_sent_and_a_wrong_one_is_told(parts, line, tmp_path):
    passwords = tmp_path / "passwords"
    passwd = shutil.which("mosquitto_passwd")
    if passwd is None:
        pytest.skip("needs mosquitto_passwd")
    subprocess.run([passwd, "-b", "-c", passwords, "steel", "right"], check=True, capture_output=True)
    rules = tmp_path / "rules"
    rules.write_text("user steel\ntopic write steelsight/#\n")
    lines = ("allow_anonymous false", f"password_file {passwords}", f"acl_file {rules}")
    with broker_in(tmp_path, *lines) as broker, delivering(parts):
        wrong = add_broker(parts, broker.port, options={"username": "steel"}, secret=b"wrong")
        right = add_broker(parts, broker.port, options={"username": "steel"}, secret=b"right")
        elsewhere = add_broker(
            parts, broker.port, options={"username": "steel", "topic": "other"}, secret=b"right"
        )
        line.append(judged(0, 2))
        until(lambda: state(parts, wrong).failures >= 1)
        assert "Not authorized" in state(parts, wrong).error
        until(lambda: state(parts, right).delivered == 4)
        until(lambda: state(parts, elsewhere).failures >= 1)
        assert "refused (Not authorized)" in state(parts, elsewhere).error
        assert state(parts, elsewhere).delivered == 0


@needs_broker
def test_certificates_are_checked_against_the_name(parts, line, tmp_path):
    ca = authority()
    certificate, key = server_files(ca, tmp_path, "localhost")
    lines = ("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}")
    with broker_in(tmp_path, *lines) as broker, delivering(parts):
        options = {"ca": ca.pem}
        good = add_broker(parts, broker.port, "mqtts", "localhost", options=options)
        by_number = add_broker(parts, broker.port, "mqtts", "127.0.0.1", options=options)
        untrusted = add_broker(parts, broker.port, "mqtts", "localhost")
        line.append(judged(0, 2))
        until(lambda: state(parts, good).delivered == 4)
        for wrong in (by_number, untrusted):
            until(lambda wrong=wrong: state(parts, wrong).failures >= 1)
            assert "certificate verify failed" in state(parts, wrong).error
            assert state(parts, wrong).delivered == 0


@needs_broker
def test_filters_apply_to_brokers_too(parts, line, tmp_path):
    with broker_in(tmp_path) as broker, subscribed(broker.port) as subscriber, delivering(parts):
        found = add_broker(parts, broker.port, wanted=Filter(kinds=frozenset({"verdict"})))
        line.append(judged(0, 3))
        until(lambda: position(parts, found).seq("line-1") == 6)
        until(lambda: len(subscriber.got) >= 3)
    assert subscriber.places == [2, 4, 6]


@given(st.text(min_size=1, max_size=50).filter(lambda name: name.isprintable()))
def test_a_name_is_one_level_of_a_topic_and_can_be_read_back(name):
    part = topic_part(name)
    assert part
    assert not set(part) & set("/+#\0")
    assert not part.startswith("$")
    assert unquote(part) == name
    assert topic_of("a/b", Outgoing("x", name, "verdict", b"")).count("/") == 3


def silent_broker(port):
    """The destination of a broker that accepts connections and no messages."""
    counts = dict.fromkeys(("version", "created_us", "epoch", "delivered", "failures"), 1)
    nothing = dict.fromkeys(
        (
            *("reason", "delivered_us", "failing_since_us", "failing", "error", "next_us", "holder_name"),
            *("secret", "earlier_secret", "earlier_until_us"),
        )
    )
    address = f"mqtt://127.0.0.1:{port}"
    words = {"id": "d" * 16, "name": "plant", "kind": "mqtt", "address": address, "state": "active"}
    return Destination(options={}, wanted=Filter(), **words, **counts, **nothing)


def test_a_broker_that_never_answers_leaves_no_connection_open():
    """Neither after the time to wait nor after a delivery that is cancelled; its socket is closed at once."""

    async def connect(found, timeout_s):
        async with MqttSender(found, allowed=LOOPBACK, timeout_s=timeout_s):
            raise AssertionError("connected")

    async def attempts(listening):
        listening.setblocking(False)
        loop, ended = asyncio.get_running_loop(), []
        for timeout_s in (0.05, LONG_S):
            found = silent_broker(listening.getsockname()[1])
            task = asyncio.create_task(connect(found, timeout_s))
            async with asyncio.timeout(LONG_S):
                stream = (await loop.sock_accept(listening))[0]
            with stream:
                assert await loop.sock_recv(stream, 1000)  # CONNECT
                if timeout_s == LONG_S:
                    task.cancel()
                ended += await asyncio.gather(task, return_exceptions=True)
                async with asyncio.timeout(LONG_S):
                    assert await loop.sock_recv(stream, 1) == b""
            await asyncio.sleep(0)
        return ended, asyncio.all_tasks() - {asyncio.current_task()}

    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended, left = asyncio.run(attempts(listening))
    assert list(map(type, ended)) == [DeliveryFailed, asyncio.CancelledError]
    assert not left
