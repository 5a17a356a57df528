"""A ledger in each kind of database: SQLite in a file, PostgreSQL in a cluster of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")

from sqlalchemy import create_engine, text

from steelsight.ledger.chain.entries import LedgerRegion, SheetSeen, VerdictGiven
from steelsight.ledger.database.open import create_ledger, open_ledger

PLACES = ("/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt")


def _binaries() -> Path | None:
    """The folder with initdb and postgres; None where PostgreSQL is not installed."""
    found = [path.parent for place in PLACES for path in Path(place).glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path is not None:
        found.append(Path(on_path).resolve().parent)
    whole = [folder for folder in found if (folder / "postgres").exists() and (folder / "pg_ctl").exists()]
    return max(whole, default=None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A PostgreSQL server in a temporary folder, on a port of loopback."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.binaries = binaries
        self.data = folder / "data"
        self.port = _free_port()
        # PostgreSQL refuses to run as root: the account of its package runs it there.
        self.account = {"user": "postgres"} if os.geteuid() == 0 else {}
        if self.account:
            shutil.chown(folder, "postgres")
        self._call("initdb", "-D", self.data, "-A", "trust", "-U", "ledger", "--no-sync", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -k {self.data.parent} -c listen_addresses=127.0.0.1"
        log = self.data.parent / "log"
        self._call("pg_ctl", "-D", self.data, "-o", options, "-l", log, "-w", "-t", "120", "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def url(self, name: str) -> str:
        return f"postgresql://ledger@127.0.0.1:{self.port}/{name}"

    def create(self, name: str) -> str:
        engine = create_engine(
            self.url("postgres").replace("://", "+pg8000://"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)

    def _call(self, name: str, *arguments: object) -> None:
        command = [str(self.binaries / name), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.data.parent, **self.account)
        assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        running = Cluster(binaries, Path(folder))
        try:
            yield running
        finally:
            running.stop()


_numbers = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "ledger.db")
    return request.getfixturevalue("cluster").create(f"test{next(_numbers)}")


@pytest.fixture
def ledger(address):
    """An empty ledger in each kind of database."""
    opened = create_ledger(address)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_ledger(tmp_path):
    opened = create_ledger(str(tmp_path / "ledger.db"))
    yield opened
    opened.close()


@pytest.fixture
def reopen():
    """Open a ledger a second time, as another process would."""
    more = []

    def call(ledger):
        if ledger.engine.dialect.name == "sqlite":
            address = str(ledger.engine.url.database)
        else:
            address = ledger.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        more.append(open_ledger(address))
        return more[-1]

    yield call
    for each in more:
        each.close()


def sheet(number: int, station: str = "line-1", **values) -> SheetSeen:
    facts = {
        "station": station,
        "item": f"s{number:05}.jpg",
        "image_hash": f"{number:064x}",
        "width": 1600,
        "height": 256,
        "captured_us": 1_700_000_000_000_000 + number * 20_000,
        "coil": f"C{number // 10}",
        "position_m": number * 0.3,
    }
    return SheetSeen(**{**facts, **values})


def verdict(seen: SheetSeen, label: str = "scratch", **values) -> VerdictGiven:
    facts = {
        "sheet": seen.sheet,
        "bundle": "b" * 16,
        "label": label,
        "probability": 0.75,
        "probabilities": {"none": 0.25, "scratch": 0.75},
        "state": "decided",
        "reason": "confident",
        "regions": (LedgerRegion(box=(1, 2, 30, 40), area_px=900, score=1.0),),
        "distance": 1.5,
        "latency_ms": 7.25,
    }
    return VerdictGiven(**{**facts, **values})


def judged(first: int, last: int, **values):
    """Entries of sheets `first` to `last` - 1, each with one verdict."""
    entries = []
    for number in range(first, last):
        seen = sheet(number, **values)
        entries += [seen, verdict(seen)]
    return entries
