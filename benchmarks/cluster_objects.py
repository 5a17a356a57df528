"""A scan of object storage beside the same scan of a folder: throughput with and without faults, and rows.

    python benchmarks/cluster_objects.py [--sheets 2000] [--latency-ms 20] [--rounds 2]
    python benchmarks/cluster_objects.py --results [--part 32]    # sheets in a folder, results in the store

The store is a small server of this script, in a process of its own and with a delay a request, because a
store on this machine has none. In turn: the folder, the store, and the store where a share of all answers is
a fault: 503, 500, a body cut in half, or a stall of one second.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from steelsight.runtime.scan import run
from steelsight.runtime.scan.options import ScanOptions
from steelsight.runtime.scan.run import scan

FAULTS = (503, 500, "cut", "stall")


class Handler(BaseHTTPRequestHandler):
    """Lists and gives the files of a folder as the bucket `mill`; what is written is the bucket `results`."""

    protocol_version = "HTTP/1.1"
    folder, latency_s, share = Path(), 0.0, 0.0
    turn, lock, rng = itertools.cycle(FAULTS), threading.Lock(), random.Random(0)
    written: ClassVar[dict[str, bytes]] = {}
    writes: ClassVar[Counter[str]] = Counter()
    answers: ClassVar[Counter[str]] = Counter()  # by their fault

    def fault(self) -> int | str | None:
        """Wait for the latency, and answer as a fault says where there is one; returns it."""
        time.sleep(self.latency_s)
        with self.lock:
            fault = next(self.turn) if self.rng.random() < self.share else None
            self.answers[str(fault)] += 1
        if isinstance(fault, int):
            code = "SlowDown" if fault == 503 else "InternalError"
            self.answer(fault, f"<Error><Code>{code}</Code></Error>".encode())
        if fault == "stall":
            time.sleep(1)
        return fault

    def do_PUT(self) -> None:
        """Write an object where its condition holds; a fault `cut` writes it and then answers with 500."""
        content = self.body()
        fault = self.fault()
        if isinstance(fault, int):
            return
        key = unquote(urlsplit(self.path).path)
        with self.lock:
            here = self.written.get(key)
            wanted = self.headers.get("If-Match")
            if (wanted and (here is None or wanted != etag_of(here))) or (not wanted and here is not None):
                self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                return
            self.written[key] = content
            self.writes[key] += 1
        if fault == "cut":
            self.answer(500, b"<Error><Code>InternalError</Code></Error>")
        else:
            self.answer(200, b"", ETag=etag_of(content))

    def body(self) -> bytes:
        """The bytes of a request, also where they come in chunks with a checksum behind them."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            content = self.rfile.read(int(self.headers["Content-Length"]))
        else:
            content = b"".join(self.chunks(self.rfile))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            content = b"".join(self.chunks(io.BytesIO(content)))
        return content

    @staticmethod
    def chunks(file: BinaryIO) -> Iterator[bytes]:
        """The chunks of a body up to the empty one, and what follows up to an empty line."""
        while length := int(file.readline().partition(b";")[0], 16):
            yield file.read(length)
            file.readline()
        while file.readline().strip():
            pass

    def do_HEAD(self) -> None:
        """Size and time of an object that was written."""
        if isinstance(self.fault(), int):
            return
        content = self.written.get(unquote(urlsplit(self.path).path))
        if content is None:
            self.answer(404, b"")
            return
        self.answer(200, content, ETag=etag_of(content), **{"Last-Modified": self.date_time_string()})

    def do_GET(self) -> None:
        """A page of keys, or an object; or a fault."""
        fault = self.fault()
        if isinstance(fault, int):
            return
        url = urlsplit(self.path)
        path = unquote(url.path)
        if path.startswith("/results"):
            content = self.written[path] if "list-type" not in url.query else self.results()
        else:
            key = path.removeprefix("/mill").lstrip("/")
            content = (self.folder / key).read_bytes() if key else self.page(parse_qs(url.query))
        etag = etag_of(content)
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        ranged = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self.answer(206 if start else 200, content[start:], cut=fault == "cut", ETag=etag, **ranged)

    def results(self) -> bytes:
        """All that was written, as one page."""
        entries = "".join(
            f"<Contents><Key>{escape(key.removeprefix('/results/'))}</Key><Size>{len(content)}</Size>"
            f"<ETag>{escape(etag_of(content))}</ETag></Contents>"
            for key, content in sorted(self.written.items())
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()

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
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = cut

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


def etag_of(content: bytes) -> str:
    """The usual ETag of an object."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


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
    return named(pa.concat_tables(pq.read_table(path) for path in sorted((out / "verdicts").iterdir())))


def named(table: pa.Table) -> list[dict[str, object]]:
    """The rows of a table, named by their files alone."""
    rows = table.to_pylist()
    return [{**row, "name": row["name"].rpartition("/")[2]} for row in rows]


def scan_once(bundle: str, source: str, out: Path, workers: int) -> float:
    """Sheets a second of one scan, listing and start of the workers included."""
    started = time.perf_counter()
    report = scan(bundle, [source], out, ScanOptions(page=False), workers=workers)
    assert len(list((out / "verdicts").iterdir())) == -(-report.summary.sheets // 512)
    return report.summary.sheets / (time.perf_counter() - started)


def measure_results(given: argparse.Namespace, folder: Path, place: Path) -> None:
    """Print sheets a second of scans of a folder into a folder, a store, and a store with faults."""
    run.PART = given.part
    for number in range(given.rounds):
        out = place / f"folder-{number}"
        started = time.perf_counter()
        scan(given.bundle, [str(folder)], out, ScanOptions(page=False), workers=given.workers)
        facts: dict[str, object] = {"folder": round(given.sheets / (time.perf_counter() - started), 1)}
        for name, share in (("store", 0.0), ("store_with_faults", given.share)):
            Handler.folder, Handler.latency_s, Handler.share = folder, given.latency_ms / 1000, share
            Handler.written, Handler.writes, Handler.answers = {}, Counter(), Counter()
            server = Server(("127.0.0.1", 0), Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{server.server_port}"
            started = time.perf_counter()
            scan(
                given.bundle,
                [str(folder)],
                "s3://results/out",
                ScanOptions(page=False),
                workers=given.workers,
            )
            facts[name] = round(given.sheets / (time.perf_counter() - started), 1)
            server.shutdown()
            server.server_close()
            keys = sorted(key for key in Handler.written if "/verdicts/" in key)
            rows = pa.concat_tables(pq.read_table(pa.BufferReader(Handler.written[key])) for key in keys)
            facts[f"{name}_equal_rows"] = named(rows) == rows_of(out)
            facts[f"{name}_writes_of_a_part"] = sorted({Handler.writes[key] for key in keys})
            facts[f"{name}_parts"] = len(keys)
            facts[f"{name}_answers"] = dict(Handler.answers)
        print(json.dumps(facts))


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
    parser.add_argument("--results", action="store_true", help="Write results to the store.")
    parser.add_argument("--part", type=int, default=32, help="Sheets of a part, with --results.")
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
        if given.results:
            measure_results(given, folder, Path(place))
            return
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
