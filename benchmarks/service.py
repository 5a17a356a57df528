"""Speed and losses of the ledger and of a station; JSON as its last line.

    python benchmarks/service.py --prepare build/service/list.db [--rows 1000000]
    python benchmarks/service.py [--postgresql postgresql://USER@HOST/NAME] [--list build/service/list.db]

The first fills a ledger for the lists, once (`make test-long` does it); without `--list` one is filled anew.
The PostgreSQL database must be empty, and its user may end connections; without it those figures are null.
Run nothing else meanwhile.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select, text

from event_streams import measure as event_streams
from service_api import api
from steelsight.errors import BadLedger
from steelsight.ledger.chain.entries import Entry, LedgerRegion, SheetSeen, VerdictGiven
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import Ledger, create_ledger, open_ledger
from steelsight.ledger.proof.verify import verify
from steelsight.ledger.reading.lists import VerdictFilter, list_verdicts
from steelsight.ledger.writing.writer import open_writer

BUNDLE = Path(__file__).parents[1] / "src" / "steelsight" / "runtime" / "bundles" / "fast"
LABELS = ("none", "pitted", "inclusion", "scratch", "patch")
BATCH = 100  # sheets of one append


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--postgresql")
    parser.add_argument("--seconds", type=float, default=60, help="of each ingest")
    parser.add_argument("--rows", type=int, default=1_000_000, help="verdicts behind the lists")
    parser.add_argument("--line-seconds", type=float, default=120)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--prepare", metavar="LEDGER", help="fill a ledger for the lists, and nothing else")
    parser.add_argument("--list", metavar="LEDGER", help="filled by --prepare")
    parser.add_argument("--requests", type=int, default=100_000, help="to the API, for its memory")
    options = parser.parse_args()
    if options.prepare:
        prepare(options.prepare, options.rows)
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name, address in (("sqlite", str(work / "ingest.db")), ("postgresql", options.postgresql)):
            rate, p99 = ingest(address, options.seconds) if address else (None, None)
            found |= {f"ingest_{name}": rate, f"commit_p99_ms_{name}": p99}
            print(name, rate, "verdicts/s; p99 of a commit", p99, "ms", flush=True)
        found |= verify_speed(str(work / "ingest.db"))
        found |= lists(options.list or prepare(str(work / "list.db"), options.rows))
        found |= paced_line(work, options.line_seconds)
        found |= throughput(work)
        found |= killed_line(work, options.kills, options.postgresql)
        pictures = [path.read_bytes() for path in sorted((work / "drawn").rglob("*.jpg"))]
        found |= api(work, pictures, 400, options.requests)
        found |= event_streams(str(work / "streams.db"), streams=50, rate=50.0, seconds=30.0)
    print(json.dumps(found))


def judged(number: int) -> list[Entry]:
    """A sheet and its verdict, as a station writes them."""
    seen = SheetSeen(
        station=f"line-{number % 3}",
        item=f"s{number:08}.jpg",
        image_hash=f"{number:064x}",
        image="images/x",
        width=1600,
        height=256,
        captured_us=1_700_000_000_000_000 + number * 20_000,
        coil=f"C{number // 2000}",
        position_m=number % 2000 * 0.3,
    )
    label = LABELS[0] if number % 50 else LABELS[1 + number // 50 % 4]
    verdict = VerdictGiven(
        sheet=seen.sheet,
        bundle="b" * 16,
        label=label,
        probability=0.9876543,
        probabilities=dict.fromkeys(LABELS, 0.2),
        state="doubtful" if number % 97 == 0 else "decided",
        reason="confident",
        regions=(LedgerRegion(box=(1, 2, 300, 40), area_px=900, score=1.0),),
        distance=1.25,
        engine="openvino",
        precision="f32",
        latency_ms=7.5,
    )
    return [seen, verdict]


def ingest(address: str, seconds: float) -> tuple[float, float]:
    """Verdicts a second with chain and read models, and the 99th percentile of a commit in ms."""
    ledger = create_ledger(address)
    commits, done = [], 0
    with open_writer(ledger, "line-1") as writer:
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            entries = [entry for number in range(done, done + BATCH) for entry in judged(number)]
            before = time.perf_counter()
            writer.append(entries)
            commits.append((time.perf_counter() - before) * 1000)
            done += BATCH
        spent = time.perf_counter() - started
    ledger.close()
    return round(done / spent, 1), round(float(np.percentile(commits, 99)), 2)


def verify_speed(address: str) -> dict[str, Any]:
    """Entries verified a second, of what `ingest` wrote."""
    ledger = open_ledger(address)
    before = time.perf_counter()
    result = verify(ledger)
    spent = time.perf_counter() - before
    ledger.close()
    assert result.clean, result.findings[:3]
    return {"verify_entries_per_s": round(result.entries / spent)}


def prepare(address: str, rows: int) -> str:
    """Fill a ledger with verdicts, in large commits, or go on filling it; its address."""
    try:
        ledger = open_ledger(address)
    except BadLedger:
        if "://" not in address:
            Path(address).parent.mkdir(parents=True, exist_ok=True)
        ledger = create_ledger(address)
    start = count_verdicts(ledger)
    with open_writer(ledger, "line-1", lease_s=600.0) as writer:
        for first in range(start, rows, 2000):
            writer.append(
                [entry for number in range(first, min(first + 2000, rows)) for entry in judged(number)]
            )
    held = count_verdicts(ledger)
    print(address, "holds", held, "verdicts,", round(bytes_of(ledger) / held), "bytes each", flush=True)
    ledger.close()
    return address


def count_verdicts(ledger: Ledger) -> int:
    with ledger.read() as connection:
        return int(connection.execute(select(func.count()).select_from(schema.verdicts)).scalar_one())


def bytes_of(ledger: Ledger) -> int:
    """Size of the database, with its indexes."""
    size = {
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        "postgresql": "SELECT pg_database_size(current_database())",
    }
    with ledger.read() as connection:
        return int(connection.execute(text(size[connection.dialect.name])).scalar_one())


def lists(address: str) -> dict[str, Any]:
    """Milliseconds of a page of a filtered list, first and 50 pages deep."""
    ledger = open_ledger(address)
    rows = count_verdicts(ledger)
    filters = [
        VerdictFilter(),
        VerdictFilter(station="line-1"),
        VerdictFilter(label="scratch"),
        VerdictFilter(state="doubtful"),
        VerdictFilter(label="scratch", state="doubtful"),
        VerdictFilter(coil=f"C{rows // 4000}"),
        VerdictFilter(since_us=1_700_000_000_000_000, until_us=1_700_000_000_000_000 + rows * 10_000),
    ]
    first, deep = [], []
    for wanted in filters * 5:
        cursor = None
        for page in range(50):
            with ledger.read() as connection:
                before = time.perf_counter()
                answer = list_verdicts(connection, wanted, limit=50, cursor=cursor)
                (first if page == 0 else deep).append((time.perf_counter() - before) * 1000)
            cursor = answer.cursor
            if cursor is None:
                break
    ledger.close()
    return {
        "list_rows": rows,
        "list_p95_ms": round(float(np.percentile(first, 95)), 2),
        "list_deep_p95_ms": round(float(np.percentile(deep, 95)), 2),
    }


def draw_sheets(folder: Path, number: int) -> list[bytes]:
    """JPEG bytes of generated strip images of 256 x 1600 pixels."""
    words = ["synth", str(folder), "--count", str(number), "--seed", "5"]
    subprocess.run(["steelsight", *words], check=True, capture_output=True)
    return [path.read_bytes() for path in sorted(folder.rglob("*.jpg"))]


def start_line(folder: Path, address: str, spool: Path, idle: float) -> subprocess.Popen[bytes]:
    words = ["line", str(BUNDLE), str(folder), "--ledger", address, "--station", "line-1"]
    words += ["--spool", str(spool), "--idle", str(idle), "--json"]
    return subprocess.Popen(["steelsight", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def place(folder: Path, name: str, content: bytes) -> None:
    """As a camera's driver writes: under another name, then renamed."""
    hidden = folder / f".{name}"
    hidden.write_bytes(content)
    hidden.rename(folder / name)


def paced_line(work: Path, seconds: float) -> dict[str, Any]:
    """50 sheets a second: milliseconds from the file's last change to its row in the ledger, and losses."""
    pictures = draw_sheets(work / "drawn", 40)
    folder, address = work / "camera", str(work / "line.db")
    folder.mkdir()
    create_ledger(address).close()
    process = start_line(folder, address, work / "line.spool", idle=5.0)
    wait_for_lease(address)
    for number in range(int(seconds * 50)):
        due = time.perf_counter() + 0.02
        place(folder, f"s{number:06}.jpg", pictures[number % len(pictures)])
        time.sleep(max(0.0, due - time.perf_counter()))
    output, _ = process.communicate(timeout=600)
    ledger = open_ledger(address)
    with ledger.read() as connection:
        table = schema.sheets
        rows = connection.execute(table.select()).all()
        waits = [(row.entered_us - row.captured_us) / 1000 for row in rows]
    ledger.close()
    return {
        "line_sheets": len(rows),
        "line_p50_ms": round(float(np.percentile(waits, 50)), 1),
        "line_p99_ms": round(float(np.percentile(waits, 99)), 1),
        "lost": int(seconds * 50) - len(rows),
        "line_report": json.loads(output.splitlines()[-1]),
    }


def wait_for_lease(address: str) -> None:
    ledger = open_ledger(address)
    for _ in range(600):
        with ledger.read() as connection:
            if connection.execute(schema.writers.select()).all():
                break
        time.sleep(0.1)
    ledger.close()


def throughput(work: Path) -> dict[str, Any]:
    """Sheets a second of a line that finds 2,000 files, and its share of `scan` in one process."""
    folder = work / "many"
    folder.mkdir()
    pictures = [path.read_bytes() for path in sorted((work / "drawn").rglob("*.jpg"))]
    for number in range(2000):
        (folder / f"s{number:06}.jpg").write_bytes(pictures[number % len(pictures)])
    address = str(work / "many.db")
    create_ledger(address).close()
    process = start_line(folder, address, work / "many.spool", idle=1.0)
    process.communicate(timeout=600)
    ledger = open_ledger(address)
    with ledger.read() as connection:
        entered = [row.entered_us for row in connection.execute(schema.sheets.select())]
    ledger.close()
    line = (len(entered) - 8) / ((max(entered) - min(entered)) / 1e6)
    words = ["scan", str(BUNDLE), str(folder), "--out", str(work / "scan"), "--workers", "1", "--json"]
    done = subprocess.run(["steelsight", *words], check=True, capture_output=True)
    scanned = json.loads(done.stdout.splitlines()[-1])["sheets_per_s"]
    return {
        "line_per_s": round(line, 1),
        "scan_per_s": scanned,
        "line_share_of_scan": round(line / scanned, 3),
    }


def killed_line(work: Path, kills: int, postgresql: str | None) -> dict[str, Any]:
    """Kills at random moments while files arrive: sheets lost, written twice, findings, seconds to work.

    With PostgreSQL every other kill ends the database's connections, and the others the line.
    """
    folder, address = work / "killed", postgresql or str(work / "killed.db")
    folder.mkdir()
    if postgresql is None:
        create_ledger(address).close()
    before = count_of(address)
    pictures = [path.read_bytes() for path in sorted((work / "drawn").rglob("*.jpg"))]
    stop = threading.Event()
    arriving = threading.Thread(target=arrive, args=(folder, pictures, count(), stop))
    arriving.start()
    dice, up_s = random.Random(5), []
    process = start_line(folder, address, work / "killed.spool", idle=60.0)
    wait_for_more(address)
    for number in range(kills):
        time.sleep(dice.random() * 2.0)
        started = time.perf_counter()
        if postgresql is not None and number % 2:
            end_connections(postgresql)
        else:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            process = start_line(folder, address, work / "killed.spool", idle=60.0)
        wait_for_more(address)
        up_s.append(time.perf_counter() - started)
    stop.set()
    arriving.join()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    start_line(folder, address, work / "killed.spool", idle=2.0).communicate(timeout=600)
    ledger = open_ledger(address)
    findings = len(verify(ledger).findings)
    rows = verdict_rows(ledger)[before:]
    ledger.close()
    return {
        "kills": kills,
        "kills_lost": len(list(folder.iterdir())) - len(set(rows)),
        "kills_twice": len(rows) - len(set(rows)),
        "kills_findings": findings,
        "kills_up_p50_s": round(float(np.median(up_s)), 2),
        "kills_up_s": round(max(up_s), 2),
    }


def count_of(address: str) -> int:
    ledger = open_ledger(address)
    found = count_verdicts(ledger)
    ledger.close()
    return found


def wait_for_more(address: str) -> None:
    """Until the ledger holds more verdicts than now."""
    before = count_of(address)
    for _ in range(6000):
        try:
            if count_of(address) > before:
                return
        except BadLedger:  # the connection was ended
            pass
        time.sleep(0.01)
    raise TimeoutError("no sheet reached the ledger for a minute")


def end_connections(address: str) -> None:
    ledger = open_ledger(address)
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    with ledger.write() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
    ledger.close()


def arrive(folder: Path, pictures: list[bytes], placed: Iterator[int], stop: threading.Event) -> None:
    while not stop.is_set():
        number = next(placed)
        place(folder, f"s{number:06}.jpg", pictures[number % len(pictures)])
        time.sleep(0.02)


def verdict_rows(ledger: Ledger) -> list[str]:
    """The sheet of each verdict, in the order of the entries."""
    table = schema.verdicts
    with ledger.read() as connection:
        return list(connection.execute(select(table.c.sheet).order_by(table.c.writer, table.c.seq)).scalars())


if __name__ == "__main__":
    main()
