"""Speed and memory of the HTTP API behind `steelsight serve`; JSON as its last line.

    python benchmarks/service_api.py [--images 400] [--requests 100000]

Clients and server share the machine, as do the threads of both; run nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from steelsight.runtime.bundle.default import default_bundle
from steelsight.runtime.engine.inspector import load

CLIENTS = 8
TURNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=400, help="of each of five turns")
    parser.add_argument("--requests", type=int, default=100_000, help="between the two looks at the memory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        words = ["synth", str(work / "drawn"), "--count", "40", "--seed", "5"]
        subprocess.run(["steelsight", *words], check=True, capture_output=True)
        pictures = [path.read_bytes() for path in sorted((work / "drawn").rglob("*.jpg"))]
        print(json.dumps(api(work, pictures, options.images, options.requests)))


def api(work: Path, pictures: Sequence[bytes], images: int, requests: int) -> dict[str, Any]:
    """Latency of one client, throughput of eight as a share of the engine's own, growth of the memory."""
    with serving(work) as (process, port):
        jobs = [inspection(pictures[number % len(pictures)]) for number in range(images)]
        send_all(port, jobs[:50], CLIENTS)  # warm
        one, rates = in_turns(port, jobs, [pictures[number % len(pictures)] for number in range(images)])
        small = [request("GET", f"/api/v1/verdicts?limit={1 + number % 50}") for number in range(200)]
        mixed = [*small, *jobs[:20]]
        send_all(port, mixed * 10, CLIENTS)
        before = resident_kb(process.pid)
        started = time.perf_counter()
        send_all(port, mixed * (requests // len(mixed)), CLIENTS)
        spent = time.perf_counter() - started
        after = resident_kb(process.pid)
    together, own = np.median(rates, axis=0)
    return {
        "api_p50_ms": round(float(np.percentile(one, 50)) * 1000, 2),
        "api_p99_ms": round(float(np.percentile(one, 99)) * 1000, 2),
        "api_per_s": round(float(together), 1),
        "engine_per_s": round(float(own), 1),
        "api_share_of_engine": round(float(together / own), 3),
        "requests": requests,
        "requests_per_s": round(requests / spent, 1),
        "memory_growth": round(after / before - 1, 4),
    }


def in_turns(
    port: int, jobs: Sequence[bytes], contents: Sequence[bytes]
) -> tuple[list[float], list[tuple[float, float]]]:
    """Seconds of each request of one client; images a second of eight clients and of the engine, in turns.

    The engine's own: one process judges from the bytes of files, while the server has nothing to do.
    """
    inspector = load(default_bundle())
    list(inspector.stream(contents[:50], heatmaps=False))
    one, rates = [], []
    for _ in range(TURNS):
        one += send_all(port, jobs, 1)
        started = time.perf_counter()
        send_all(port, jobs, CLIENTS)
        between = time.perf_counter()
        for _verdict in inspector.stream(contents, heatmaps=False):
            pass
        ended = time.perf_counter()
        rates.append((len(jobs) / (between - started), len(jobs) / (ended - between)))
    return one, rates


@contextmanager
def serving(work: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A service on a new ledger, open to this machine; its process and port."""
    words = ["serve", "--open", "--port", "0", "--ledger", str(work / "api.db"), "--set", "log_level=warning"]
    process = subprocess.Popen(["steelsight", *words], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"Steelsight on http://127\.0\.0\.1:(\d+)", line):
            break
    threading.Thread(target=process.stderr.read, daemon=True).start()
    assert found
    try:
        yield process, int(found[1])
    finally:
        process.terminate()
        process.wait(timeout=30)


def inspection(content: bytes) -> bytes:
    return request("POST", "/api/v1/inspect", content, "image/jpeg")


def request(method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
    """The bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + (f"Content-Type: {kind}\r\n".encode() if kind else b"") + b"\r\n" + body


def send_all(port: int, jobs: Sequence[bytes], clients: int) -> list[float]:
    """Send requests over as many connections at a time; seconds of each."""
    waiting = iter(jobs)
    lock = threading.Lock()
    spent: list[float] = []

    def work() -> None:
        with socket.create_connection(("127.0.0.1", port)) as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                with lock:
                    job = next(waiting, None)
                if job is None:
                    return
                started = time.perf_counter()
                stream.sendall(job)
                status = read_answer(stream)
                assert status == 200, status
                spent.append(time.perf_counter() - started)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(spent) == len(jobs), "a client failed"
    return spent


def read_answer(stream: socket.socket) -> int:
    content = stream.recv(65536)
    while b"\r\n\r\n" not in content:
        content += stream.recv(65536)
    head, _, body = content.partition(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head)
    assert found, head
    left = int(found[1]) - len(body)
    while left > 0:
        left -= len(stream.recv(65536))
    return int(head.split(None, 2)[1])


def resident_kb(process: int) -> int:
    """Resident memory of a process."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    main()
