"""Databases of tests: SQLite in a file, PostgreSQL in a cluster of each worker, and empty ledgers in both.

Every room has these fixtures by `tests/conftest.py`; none imports them, since each import of a fixture of a
session would make another cluster.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from steelsight.ledger.database.open import Ledger

# PostgreSQL's files lie in memory where there is room: production refuses `fsync = off`, and a disk is slow.
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30
# No autovacuum: it would start a process for each of the tests' databases in turn.
CHEAP = "-c autovacuum=off -c max_wal_size=256MB -c wal_level=minimal -c max_wal_senders=0"
PLACES = ("/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt")


def postgresql_binaries() -> Path | None:
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
        options = f"-p {self.port} -k {self.data.parent} -c listen_addresses=127.0.0.1 {CHEAP}"
        log = self.data.parent / "log"
        self._call("pg_ctl", "-D", self.data, "-o", options, "-l", log, "-w", "-t", "120", "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def url(self, name: str) -> str:
        return f"postgresql://ledger@127.0.0.1:{self.port}/{name}"

    def create(self, name: str, *, template: str = "template1") -> str:
        self._command(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, name: str) -> None:
        self._command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _command(self, command: str) -> None:
        from sqlalchemy import create_engine, text

        engine = create_engine(
            self.url("postgres").replace("://", "+pg8000://"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(text(command))
        engine.dispose()

    def _call(self, name: str, *arguments: object) -> None:
        command = [str(self.binaries / name), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.data.parent, **self.account)
        assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"


class LastingCluster(Cluster):
    """One that no test stops, administered by a connection that stays, since each takes a while to begin."""

    _administrator: Any = None

    def stop(self) -> None:
        if self._administrator is not None:
            self._administrator.close()
        super().stop()

    def _command(self, command: str) -> None:
        from pg8000.native import Connection

        if self._administrator is None:
            stream = socket.create_connection(("127.0.0.1", self.port))
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._administrator = Connection("ledger", database="postgres", sock=stream)
        self._administrator.run(command)


@pytest.fixture(scope="session")
def cluster() -> Iterator[LastingCluster]:
    pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    place = MEMORY if roomy else None
    with tempfile.TemporaryDirectory(prefix="pg", dir=place, ignore_cleanup_errors=True) as folder:
        running = LastingCluster(binaries, Path(folder))
        try:
            yield running
        finally:
            running.stop()


_numbers = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path) -> Iterator[str]:
    """Where each kind of database goes, which is not made yet: a file, or the name of one in the cluster."""
    if request.param == "sqlite":
        yield str(tmp_path / "ledger.db")
        return
    cluster, name = request.getfixturevalue("cluster"), f"test{next(_numbers)}"
    yield name
    cluster.drop(name)


def _is_file(database: str) -> bool:
    return Path(database).is_absolute()


@pytest.fixture
def address(request, database) -> str:
    """The address of an empty database of each kind."""
    return database if _is_file(database) else request.getfixturevalue("cluster").create(database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory) -> Path:
    """The tables of a ledger that has no identity yet: a copy is as good as a new one, and quicker."""
    pytest.importorskip("sqlalchemy", reason="needs the extra [serve]")
    from steelsight.ledger.database.open import create_ledger

    path = tmp_path_factory.mktemp("template") / "ledger.db"
    create_ledger(str(path), restored_id="template").close()
    return path


@pytest.fixture(scope="session")
def postgresql_template(cluster) -> str:
    """The same, as the name of a database."""
    from steelsight.ledger.database.open import create_ledger

    create_ledger(cluster.create("ledger_template"), restored_id="template").close()
    return "ledger_template"


def _new(address: str) -> Ledger:
    """The ledger in a copy of a template, as `create_ledger` makes one."""
    from steelsight.ledger.database.connect import connect, writing
    from steelsight.ledger.database.open import Ledger, identify

    identity = secrets.token_hex(16)
    engine = connect(address)
    with writing(engine) as connection:
        identify(connection, identity, epoch=1)
    return Ledger(engine, identity)


@pytest.fixture
def ledger(request, database):
    """An empty ledger in each kind of database; at `address` where a test asks for that too."""
    if "address" in request.fixturenames:
        from steelsight.ledger.database.open import create_ledger

        opened = create_ledger(request.getfixturevalue("address"))
    elif _is_file(database):
        opened = _copied(request.getfixturevalue("sqlite_template"), database)
    else:
        cluster, template = map(request.getfixturevalue, ("cluster", "postgresql_template"))
        opened = _new(cluster.create(database, template=template))
    yield opened
    opened.close()


@pytest.fixture
def sqlite_ledger(sqlite_template, tmp_path):
    """An empty ledger in SQLite."""
    opened = _copied(sqlite_template, str(tmp_path / "ledger.db"))
    yield opened
    opened.close()


def _copied(template: Path, address: str) -> Ledger:
    shutil.copy(template, address)  # with its mode: a ledger is its owner's alone
    return _new(address)
