"""Time from an entry to 50 clients of event streams, at 50 verdicts a second; JSON as its last line.

    python benchmarks/event_streams.py [--ledger LEDGER] [--streams 50] [--rate 50] [--seconds 30]

The service runs as a process of its own; this one writes verdicts as a station does, and reads every stream.
Run nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from steelsight.ledger.chain.entries import SheetSeen, VerdictGiven
from steelsight.ledger.database.open import Ledger, create_ledger
from steelsight.ledger.writing.writer import open_writer

PATH = "/api/v1/events/stream?kind=verdict"
BATCH_S = 0.02  # a station's append
STEELSIGHT = (sys.executable, "-c", "from steelsight.cli import main; main()")
WARM_S = 2.0  # not counted: streams that are being opened


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ledger", help="an empty database; none = SQLite in a temporary folder")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--rate", type=float, default=50, help="verdicts a second")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        address = options.ledger or str(Path(folder) / "ledger.db")
        print(json.dumps(measure(address, options.streams, options.rate, options.seconds)))


def measure(address: str, streams: int, rate: float, seconds: float) -> dict[str, Any]:
    """Milliseconds from the commit of a verdict until each client has it, and how many each client missed.

    address  of an empty database
    rate     verdicts a second
    """
    ledger = create_ledger(address)
    try:
        with _Service(address) as service:
            committed: dict[int, float] = {}
            ready, total = threading.Event(), int(rate * seconds)
            writing = threading.Thread(target=_write, args=(ledger, total, rate, committed, ready))
            writing.start()
            arrived = asyncio.run(_read_all(service.url, streams, 2 * total, ready))
            writing.join()
    finally:
        ledger.close()
    late = [
        1000 * (at - committed[seq])
        for client in arrived
        for seq, at in client
        if committed[seq] - min(committed.values()) > WARM_S
    ]
    expected = {2 * number for number in range(1, total + 1)}
    missed = sum(len(expected - {seq for seq, _ in client}) for client in arrived)
    twice = sum(len(client) - len({seq for seq, _ in client}) for client in arrived)
    out_of_order = sum([seq for seq, _ in client] != sorted(seq for seq, _ in client) for client in arrived)
    return {
        "stream_p50_ms": round(float(np.percentile(late, 50)), 1),
        "stream_p95_ms": round(float(np.percentile(late, 95)), 1),
        "stream_max_ms": round(float(max(late)), 1),
        "streams": streams,
        "verdicts_per_s": rate,
        "messages": sum(map(len, arrived)),
        "missed": missed,
        "twice": twice,
        "streams_out_of_order": out_of_order,
    }


class _Service:
    """`steelsight serve --open` on a ledger."""

    def __init__(self, address: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [*STEELSIGHT, "serve", "--open", "--port", str(port), "--ledger", address]
        self._process = subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL)

    def __enter__(self) -> _Service:
        while True:
            if self._process.poll() is not None:
                raise SystemExit("steelsight serve ended; run it by hand to see why")
            try:
                httpx.get(self.url + "/health/live")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write(
    ledger: Ledger, total: int, rate: float, committed: dict[int, float], ready: threading.Event
) -> None:
    """Append sheets with verdicts at a rate; when each verdict was on disk, by its number."""
    ready.wait()
    begin, done = time.monotonic(), 0
    with open_writer(ledger, "line-1") as writer:
        while done < total:
            due = min(total, int((time.monotonic() - begin) * rate) + 1)
            entries = [each for number in range(done, due) for each in judged(number)]
            if entries:
                links = writer.append(entries)
                now = time.monotonic()
                committed.update((link.seq, now) for link in links[1::2])
                done = due
            time.sleep(BATCH_S)


def judged(number: int) -> list[SheetSeen | VerdictGiven]:
    """A sheet and its verdict, as a station writes them."""
    seen = SheetSeen(
        station="line-1",
        item=f"s{number:08}.jpg",
        image_hash=f"{number:064x}",
        width=1600,
        height=256,
        captured_us=1_700_000_000_000_000 + number * 20_000,
        coil="C1",
        position_m=number * 0.3,
    )
    probabilities = {"none": 0.9, "patch": 0.025, "pitted": 0.05, "scratch": 0.025}
    verdict = VerdictGiven(
        sheet=seen.sheet,
        bundle="b" * 32,
        label="none",
        probability=0.9,
        probabilities=probabilities,
        state="decided",
        reason="confident",
        engine="openvino",
        precision="fp32",
        latency_ms=6.5,
    )
    return [seen, verdict]


async def _read_all(
    url: str, streams: int, last: int, ready: threading.Event
) -> list[list[tuple[int, float]]]:
    """For each client the numbers of verdicts and when they arrived."""
    limits = httpx.Limits(max_connections=streams)
    async with httpx.AsyncClient(timeout=httpx.Timeout(60.0), limits=limits) as client:
        open_streams = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(_read(client, url, last, open_streams)) for _ in range(streams)]
        for _ in range(streams):
            await open_streams.acquire()
        ready.set()
        return await asyncio.gather(*tasks)


async def _read(
    client: httpx.AsyncClient, url: str, last: int, opened: asyncio.Semaphore
) -> list[tuple[int, float]]:
    got: list[tuple[int, float]] = []
    async with client.stream("GET", url + PATH) as answer:
        answer.raise_for_status()
        rest = b""
        opened.release()
        async for chunk in answer.aiter_raw():
            now = time.monotonic()
            *blocks, rest = (rest + chunk).split(b"\n\n")
            for block in blocks:
                for line in block.split(b"\n"):
                    if line.startswith(b"data: "):
                        got.append((json.loads(line[6:])["seq"], now))
            if got and got[-1][0] >= last:
                break
    return got


if __name__ == "__main__":
    main()
