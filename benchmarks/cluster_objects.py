"""A scan of object storage beside the same scan of a folder: throughput with and without faults, and rows.

    python benchmarks/cluster_objects.py [--sheets 2000] [--latency-ms 20] [--rounds 2]

The store is a small server of this script, in a process of its own and with a delay a request, because a
store on this machine has none. In turn: the folder, the store, and the store where a share of all answers is
a fault: 503, 500, a body cut in half, or a stall of one second.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.run import scan

FAULTS = (503, 500, "cut", "stall")


class Handler(BaseHTTPRequestHandler):
    """Lists and gives the files of a folder as the bucket `mill`."""

    protocol_version = "HTTP/1.1"
    folder, latency_s, share = Path(), 0.0, 0.0
    turn, lock, rng = itertools.cycle(FAULTS), threading.Lock(), random.Random(0)

    def do_GET(self) -> None:
        """A page of keys, or an object; or a fault."""
        time.sleep(self.latency_s)
        with self.lock:
            fault = next(self.turn) if self.rng.random() < self.share else None
        if isinstance(fault, int):
            code = "SlowDown" if fault == 503 else "InternalError"
            self.answer(fault, f"<Error><Code>{code}</Code></Error>".encode())
            return
        if fault == "stall":
            time.sleep(1)
        url = urlsplit(self.path)
        key = unquote(url.path).removeprefix("/mill").lstrip("/")
        content = (self.folder / key).read_bytes() if key else self.page(parse_qs(url.query))
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        ranged = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self.answer(206 if start else 200, content[start:], cut=fault == "cut", ETag=etag, **ranged)

    def page(self, query: dict[str, list[str]]) -> bytes:
        """The next 1000 keys."""
        after = query.get("continuation-token", [""])[0]
        names = sorted(name for name in os.listdir(self.folder) if name > after)  # noqa: PTH208
        more, names = len(names) > 1000, names[:1000]
        entries = "".join(f"<Contents><Key>{escape(name)}</Key><Size>9</Size></Contents>" for name in names)
        token = f"<NextContinuationToken>{escape(names[-1])}</NextContinuationToken>" if more else ""
        truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        return f"<ListBucketResult>{truncated}{token}{entries}</ListBucketResult>".encode()

    def answer(self, status: int, content: bytes, *, cut: bool = False, **headers: str) -> None:
        """Send it, or half of it and then nothing."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = cut

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


class Server(ThreadingHTTPServer):
    """Does not tell of clients that are gone."""

    def handle_error(self, *_: object) -> None:
        """Nothing is printed."""


def serve(folder: Path, latency_ms: float, share: float) -> None:
    """Serve a folder until this process is ended; prints the port."""
    Handler.folder, Handler.latency_s, Handler.share = folder, latency_ms / 1000, share
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def draw_sheets(folder: Path, count: int) -> None:
    """Small gray JPEG files."""
    rng = np.random.default_rng(0)
    for number in range(count):
        gray = np.clip(rng.normal(110, 20, (64, 400)), 0, 255).astype(np.uint8)
        Image.fromarray(gray).save(folder / f"{number:06d}.jpg", quality=85)


def rows_of(out: Path) -> list[dict[str, object]]:
    """All rows, named by their files alone."""
    parts = sorted((out / "verdicts").iterdir())
    rows = pa.concat_tables(pq.read_table(path) for path in parts).to_pylist()
    return [{**row, "name": row["name"].rpartition("/")[2]} for row in rows]


def scan_once(bundle: str, source: str, out: Path, workers: int) -> float:
    """Sheets a second of one scan, listing and start of the workers included."""
    started = time.perf_counter()
    report = scan(bundle, [source], out, ScanOptions(page=False), workers=workers)
    assert len(list((out / "verdicts").iterdir())) == -(-report.summary.sheets // 512)
    return report.summary.sheets / (time.perf_counter() - started)


def scan_stored(bundle: str, folder: Path, out: Path, given: argparse.Namespace, share: float) -> float:
    """As `scan_once`, from a server with faults."""
    command = [sys.executable, __file__, "--serve", str(folder), "--latency-ms", str(given.latency_ms)]
    server = subprocess.Popen([*command, "--share", str(share)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{int(server.stdout.readline())}"
        return scan_once(bundle, "s3://mill/", out, given.workers)
    finally:
        server.kill()
        server.wait()


def main() -> None:
    """Print sheets a second of each kind and round, and whether all rows are equal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheets", type=int, default=2000)
    parser.add_argument("--latency-ms", type=float, default=20.0, help="Of each request.")
    parser.add_argument("--share", type=float, default=0.05, help="Of answers that are faults.")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bundle", default="fast", help="Path, or name of a bundle of the package.")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.latency_ms, given.share)
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        os.environ[name] = "testing"
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "sheets"
        folder.mkdir()
        draw_sheets(folder, given.sheets)
        for number in range(given.rounds):
            outs = [Path(place) / f"{kind}-{number}" for kind in ("folder", "store", "faults")]
            speeds = [scan_once(given.bundle, str(folder), outs[0], given.workers)]
            speeds += [scan_stored(given.bundle, folder, outs[1], given, 0.0)]
            speeds += [scan_stored(given.bundle, folder, outs[2], given, given.share)]
            rows = [rows_of(out) for out in outs]
            equal = rows[0] == rows[1] == rows[2]
            facts = dict(zip(("folder", "store", "store_with_faults"), speeds, strict=True))
            print(
                json.dumps({name: round(speed, 1) for name, speed in facts.items()} | {"equal_rows": equal})
            )


if __name__ == "__main__":
    main()
