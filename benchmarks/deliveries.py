"""A broker and a webhook that are away while a line goes on: what is lost, and when they have caught up.

    python benchmarks/deliveries.py [--ledger LEDGER] [--away-minutes 10] [--rate 50]

Needs mosquitto. The last line is JSON.
"""

from __future__ import annotations

import argparse
import http.server
import json
import shutil
import subprocess
import tempfile
import threading
import time
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from event_streams import free_port, judged
from steelsight.ledger.database.open import create_ledger
from steelsight.ledger.reading.tail import read_heads
from steelsight.ledger.writing.writer import open_writer
from steelsight.service.console import SharedWriter
from steelsight.service.events.outbox.destinations import NewDestination, add_destination, find_destination
from steelsight.service.events.outbox.worker import Delivery
from steelsight.service.settings.events import EventSettings

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or "mosquitto"
SETTINGS = EventSettings(allowed_networks=(ip_network("127.0.0.0/8"),), delivery_backoff_s=30.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ledger", help="an empty database; none = SQLite in a temporary folder")
    parser.add_argument("--away-minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=50, help="verdicts a second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address = options.ledger or str(Path(folder) / "ledger.db")
        print(json.dumps(measure(address, Path(folder), options.away_minutes * 60, options.rate)))


def measure(address: str, folder: Path, away_s: float, rate: float) -> dict[str, Any]:
    """Run a line at a rate for half a minute, through the outage, and half a minute after."""
    ledger = create_ledger(address)
    console = SharedWriter(ledger, "console")
    hook, broker = _Hook(), _Broker(folder)
    hook.start()
    broker.start()
    with console.transaction() as (connection, writer):
        begin = read_heads(connection)
        made = [
            add_destination(connection, writer, NewDestination(kind, kind, to), begin=begin, by=None)
            for kind, to in (("webhook", hook.url), ("mqtt", broker.url))
        ]
    delivery = Delivery(ledger, console, SETTINGS)
    delivery.start()
    stop, count = threading.Event(), [0]
    line = threading.Thread(target=_write, args=(ledger, rate, stop, count))
    line.start()
    time.sleep(30)
    hook.stop()
    broker.stop()
    time.sleep(away_s)
    with ledger.read() as connection:
        told = [find_destination(connection, each.id) for each in made]
    hook.start()
    broker.start()
    back = time.monotonic()
    caught_up: dict[str, float] = {}
    while len(caught_up) < 2 and time.monotonic() - back < 600:
        for name, got in (("webhook", hook.got), ("mqtt", broker.got)):
            if name not in caught_up and got and max(seq for seq, _ in got) >= 2 * count[0] - 2 * rate:
                caught_up[name] = round(time.monotonic() - back, 1)
        time.sleep(0.2)
    time.sleep(30)
    stop.set()
    line.join()
    end = time.monotonic() + 60
    while time.monotonic() < end and min(_most(hook.got), _most(broker.got)) < 2 * count[0]:
        time.sleep(0.1)
    delivery.stop()
    console.close()
    ledger.close()
    found = {
        "away_s": away_s,
        "entries": 2 * count[0],
        "failures_told": [each.failures for each in told if each is not None],
        "caught_up_s": caught_up,
        **{
            name: {"lost": 2 * count[0] - len({seq for seq, _ in got}), "repeated": len(got) - len(set(got))}
            for name, got in (("webhook", hook.got), ("mqtt", broker.got))
        },
        "ids_of_one_entry": max(
            len(set(got)) / max(1, len({seq for seq, _ in got})) for got in (hook.got, broker.got)
        ),
    }
    hook.stop()
    broker.close()
    return found


def _most(got: list[tuple[int, str]]) -> int:
    return max((seq for seq, _ in got), default=0)


def _write(ledger: Any, rate: float, stop: threading.Event, count: list[int]) -> None:
    begin = time.monotonic()
    with open_writer(ledger, "line-1") as writer:
        while not stop.is_set():
            due = int((time.monotonic() - begin) * rate)
            entries = [each for number in range(count[0], due) for each in judged(number)]
            if entries:
                writer.append(entries)
                count[0] = due
            time.sleep(0.05)


class _Hook:
    """A webhook that can be away."""

    def __init__(self) -> None:
        self.got: list[tuple[int, str]] = []
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._server: http.server.ThreadingHTTPServer | None = None

    def start(self) -> None:
        self._away = False
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if hook._away:  # a connection that was open before
                    self.close_connection = True
                    return
                if body["writer"] == "line-1":
                    hook.got.append((body["seq"], body["id"]))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._away = True
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Broker:
    """A mosquitto that keeps sessions over a restart, and a subscriber that is always there."""

    def __init__(self, folder: Path) -> None:
        self.got: list[tuple[int, str]] = []
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._config = folder / "mosquitto.conf"
        kept = f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\n"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n{kept}")
        self._process: subprocess.Popen[bytes] | None = None
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="subscriber", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("steelsight/line-1/#", qos=1)
        self._client.on_message = self._keep
        self._client.connect_async("127.0.0.1", self.port)
        self._client.loop_start()

    def _keep(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        body = json.loads(message.payload)
        self.got.append((body["seq"], body["id"]))

    def start(self) -> None:
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(2)  # the subscriber is there before a message is

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self.stop()


if __name__ == "__main__":
    main()
