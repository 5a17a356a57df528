"""A database that is killed amid commits, and a full disk: what was acknowledged is there, once."""

import errno
import os
import random
import signal
import tempfile
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text
from tests.databases import Cluster, postgresql_binaries
from tests.ledger.conftest import judged

from steelsight.errors import BadOutput
from steelsight.ledger.database import schema
from steelsight.ledger.database.open import create_ledger, open_ledger
from steelsight.ledger.proof.verify import verify
from steelsight.service.station import recorder as recorder_module
from steelsight.service.station import spool as spool_module
from steelsight.service.station.folder import FolderSource
from steelsight.service.station.line import Line
from steelsight.service.station.recorder import Recorder
from steelsight.service.station.spool import Spool

_numbers = count()
SHORT_AND_LONG = [2, pytest.param(10, marks=pytest.mark.long)]


@pytest.fixture(scope="module")
def own_cluster():
    """A server that these tests may kill."""
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        running = Cluster(binaries, Path(folder))
        with (running.data / "postgresql.conf").open("a") as settings:
            settings.write("recovery_init_sync_method = syncfs\n")  # else each start syncs every file
        try:
            yield running
        finally:
            running.stop()


class EndBackends:
    """Ends every connection to a database, as an administrator or the kernel does."""

    def __init__(self, cluster, name):
        self.name = name
        self.engine = create_engine(
            cluster.url("postgres").replace("://", "+pg8000://"), isolation_level="AUTOCOMMIT"
        )

    def __call__(self):
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = :name"
        with self.engine.connect() as connection:
            return connection.execute(text(query), {"name": self.name}).scalar_one()


class KillServer:
    """Kills every process of the server and starts it again."""

    def __init__(self, cluster, name):
        self.cluster = cluster

    def __call__(self):
        first = (self.cluster.data / "postmaster.pid").read_text().split()[0]
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in (first, *children):
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        deadline = time.monotonic() + 120
        while True:
            try:
                self.cluster.start()
            except AssertionError:  # its other processes have not ended yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return 1


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes in /proc")
# pg8000 leaves the socket of a connection that broke while it was made to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kills", SHORT_AND_LONG)
@pytest.mark.parametrize("kill", [EndBackends, KillServer])
def test_no_acknowledged_sheet_is_lost_or_written_twice(own_cluster, tmp_path, monkeypatch, kill, kills):
    monkeypatch.setattr(recorder_module, "RETRY_S", 0.02)
    name = f"killed{next(_numbers)}"
    address = own_cluster.create(name)
    create_ledger(address).close()
    strike = kill(own_cluster, name)
    recorder = Recorder(address, "line-1", Spool(tmp_path / "spool"), report=lambda line: None)
    struck = []
    dice = random.Random(kills)

    def strike_at_random():
        for _ in range(kills):
            time.sleep(dice.random() * 0.3)
            struck.append(strike())

    killer = threading.Thread(target=strike_at_random)
    killer.start()
    acknowledged = 0
    while killer.is_alive() or acknowledged < 50:
        recorder.write([judged(acknowledged, acknowledged + 1), judged(acknowledged + 1, acknowledged + 2)])
        acknowledged += 2
        time.sleep(0.005)  # a line of 400 sheets a second: what waits in the spool stays small
    killer.join()
    assert len(struck) == kills
    deadline = time.monotonic() + 120
    while recorder.away_since is not None and time.monotonic() < deadline:
        recorder.idle()
    recorder.close()
    ledger = open_ledger(address)
    with ledger.read() as connection:
        items = connection.execute(select(schema.sheets.c.item).order_by(schema.sheets.c.seq)).scalars().all()
    assert items == [f"s{number:05}.jpg" for number in range(acknowledged)]
    assert verify(ledger).clean
    ledger.close()
    assert (tmp_path / "spool").read_bytes() == b""


def test_a_full_disk_of_the_spool_ends_the_line_and_loses_nothing(
    inspector, sqlite_ledger, tmp_path, monkeypatch
):
    """The database is away and the spool's disk is full; the next start takes up what was refused."""
    from tests.service.conftest import draw_sheet

    place = tmp_path / "sheets"
    for number in range(8):
        draw_sheet(place / f"s{number}.jpg", number)
    address = str(sqlite_ledger.engine.url.database)
    sqlite_ledger.close()
    away = Path(address).rename(tmp_path / "away.db")
    real, left = os.fsync, iter(range(6))

    def full_after_some(handle):
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    def run():
        recorder = Recorder(address, "line-1", Spool(tmp_path / "spool"), report=lambda line: None)
        try:
            return Line(inspector, recorder).run(FolderSource(place, idle_s=0.3, poll_s=0.02))
        finally:
            recorder.close()

    with monkeypatch.context() as full:
        full.setattr(spool_module.os, "fsync", full_after_some)
        with pytest.raises(BadOutput, match=r"No space left on device.*free space on the disk of --spool"):
            run()
    away.rename(address)
    run()
    ledger = open_ledger(address)
    with ledger.read() as connection:
        items = connection.execute(select(schema.sheets.c.item)).scalars().all()
        assert len(connection.execute(select(schema.verdicts)).all()) == 8
    assert {item.partition("@")[0] for item in items} == {f"s{number}.jpg" for number in range(8)}
    assert verify(ledger).clean
    ledger.close()
