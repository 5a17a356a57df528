"""Opening databases: addresses, settings that are read back, schemas of other versions."""

import contextlib
import gc
import socket
import sqlite3
import struct
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from steelsight.errors import BadLedger
from steelsight.ledger.database import connect as connect_module
from steelsight.ledger.database import migrate, schema
from steelsight.ledger.database.connect import connect, file_system, parse_url
from steelsight.ledger.database.open import create_ledger, open_ledger

SYNCHRONOUS = connect_module.PRAGMAS[
    "synchronous"
]  # before `tests/conftest.py` replaces it: no test loses power


def test_the_tables_are_those_of_the_schema(ledger):
    with ledger.engine.connect() as connection:
        options = {"compare_type": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), schema.metadata) == []


def test_the_newest_revision_is_named():
    from alembic.script import ScriptDirectory

    assert ScriptDirectory.from_config(migrate._config()).get_current_head() == migrate.HEAD


def test_sqlite_keeps_what_was_committed(tmp_path, monkeypatch):
    monkeypatch.setitem(connect_module.PRAGMAS, "synchronous", SYNCHRONOUS)
    made = create_ledger(str(tmp_path / "ledger.db"))
    with made.read() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "recursive_triggers", "foreign_keys")
        }
    made.close()
    assert values == {"journal_mode": "wal", "synchronous": 2, "recursive_triggers": 1, "foreign_keys": 1}


def test_a_setting_that_does_not_take_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(connect_module.PRAGMAS, "synchronous", ("OFF", 2))
    with pytest.raises(BadLedger, match="PRAGMA synchronous should be OFF, is 0"):
        create_ledger(str(tmp_path / "ledger.db"))


def test_postgresql_commits_durably_whatever_its_database_says(cluster):
    address = cluster.create("loose")
    with (ledger := create_ledger(address)).write() as connection:
        connection.execute(text("ALTER DATABASE loose SET synchronous_commit = off"))
    ledger.close()
    again = open_ledger(address)
    with again.read() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
    again.close()


def test_postgresql_is_asked_for_encryption(cluster):
    """The server of the tests has no certificate: what is asked for is not silently left out."""
    address = cluster.create("plain_text")
    create_ledger(f"{address}?sslmode=disable").close()
    for mode in ("require", "verify-full"):
        with pytest.raises(BadLedger, match="SSL"):
            open_ledger(f"{address}?sslmode={mode}")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mysql://a@b/c", r"expected a file, sqlite:///… or postgresql://…, got mysql://"),
        ("sqlite://", "expected a file, as in sqlite:///ledger.db"),
        ("sqlite:///:memory:", "expected a file"),
        ("sqlite:///a.db?journal_mode=wal", "settings in the address have no effect"),
        (
            "postgresql://a@b/c?options=x",
            r"expected sslmode=disable\|require\|verify-full or password_file=FILE",
        ),
        ("postgresql://a@b/c?sslmode=prefer", "expected sslmode="),
        ("post gres://x", "cannot read the address"),
        ("postgresql://user:secret@[::1/x", "cannot read the address"),
    ],
)
def test_an_address_of_another_kind_is_refused(address, message):
    with pytest.raises(BadLedger, match=message) as caught:
        parse_url(address)
    assert "secret" not in str(caught.value)


def test_a_password_is_never_shown():
    with pytest.raises(BadLedger, match="cannot be opened") as caught:
        open_ledger("postgresql://user:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


def test_a_missing_ledger_is_not_made(tmp_path):
    with pytest.raises(BadLedger, match="found none; check the path, or make one with `steelsight ledger"):
        open_ledger(str(tmp_path / "none.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(BadLedger, match="its folder does not exist"):
        create_ledger(str(tmp_path / "none" / "ledger.db"))


def test_a_database_without_a_ledger_is_refused(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t (a)")
    for use in (open_ledger, create_ledger):
        with pytest.raises(BadLedger, match="found the table t of something else; c"):
            use(str(path))
    empty = tmp_path / "a b.db"
    empty.touch()
    with pytest.raises(BadLedger, match=f"holds no ledger; .*`steelsight ledger init '{empty}'`"):
        open_ledger(str(empty))


def test_two_processes_make_one_ledger(address):
    """The second finds what the first has made meanwhile: a ledger has one identity."""
    start, made, told = threading.Barrier(2), [], []

    def make():
        start.wait()
        try:
            made.append(create_ledger(address))
        except BadLedger as error:
            told.append(str(error))

    threads = [threading.Thread(target=make) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(made) == 1
    assert "exists already" in told[0]
    made[0].close()
    open_ledger(address).close()


def test_a_message_names_a_ledger_as_a_person_does(cluster, tmp_path):
    address = cluster.create("named")
    secret = tmp_path / "password"
    secret.write_text("s3cret words")
    made = create_ledger(f"{address}?password_file={secret}&sslmode=disable")
    shown = made.address
    made.close()
    assert shown.startswith("postgresql://ledger@127.0.0.1")
    open_ledger(shown).close()  # the address in a message opens the same ledger


def test_a_connection_that_is_used_is_closed_when_it_comes_back(ledger):
    """Another thread reads while the ledger is closed: its connection does not stay open."""
    with ledger.read() as connection:
        driver = connection.connection.driver_connection
        ledger.close()
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    with pytest.raises(ledger.engine.dialect.loaded_dbapi.Error, match="closed"):
        driver.cursor().execute("SELECT 1")


def test_a_connection_that_the_server_ended_is_closed_at_once(cluster, caplog):
    """Nothing of it stays open, and no error of its end is written to the log."""
    made = create_ledger(cluster.create("ended"))
    with made.write() as connection:
        driver = connection.connection.driver_connection
    stream = driver._usock
    stream.shutdown(socket.SHUT_RDWR)
    made.close()
    assert stream.fileno() == -1
    assert not caplog.records
    with pytest.raises(made.engine.dialect.loaded_dbapi.InterfaceError, match="closed"):
        driver.close()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_file_that_is_no_database_is_refused(tmp_path, content):
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(BadLedger, match=r"cannot be opened|refused"):
        open_ledger(str(path))


def test_a_password_comes_from_a_file(cluster, tmp_path):
    address = cluster.create("with_password")  # the cluster trusts loopback: any password is accepted
    secret = tmp_path / "password"
    secret.write_text("s3cret words\n")
    made = create_ledger(f"{address}?password_file={secret}")
    assert made.engine.url.password == "s3cret words"
    assert "s3cret" not in made.address
    made.close()
    secret.unlink()
    with pytest.raises(BadLedger, match="password: expected a file with the database's password"):
        open_ledger(f"{address}?password_file={secret}")


def test_a_ledger_is_made_once(ledger, address):
    with pytest.raises(BadLedger, match="exists already"):
        create_ledger(address)


def test_a_later_schema_is_refused(ledger, address):
    with ledger.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(
        BadLedger, match=rf"has schema 9999, which this version \(schema {migrate.HEAD}\) does not know"
    ):
        open_ledger(address)
    with pytest.raises(BadLedger, match="install the version of Steelsight that wrote it"):
        migrate.upgrade(ledger.engine)


def test_an_earlier_schema_is_told(ledger, address, monkeypatch):
    stored = migrate.HEAD
    monkeypatch.setattr(migrate, "HEAD", "9999")
    with pytest.raises(BadLedger, match=f"has schema {stored}, this version reads 9999; .*make a backup"):
        open_ledger(address)


MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:30 / {folder} rw,relatime shared:2 - {kind} server:/export rw
"""


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9p"])
def test_a_network_file_system_is_refused(tmp_path, monkeypatch, kind):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(folder=str(tmp_path).replace(" ", "\\040"), kind=kind))
    assert file_system(tmp_path, mounts) == kind
    monkeypatch.setattr(connect_module, "file_system", lambda folder: file_system(folder, mounts))
    with pytest.raises(BadLedger, match=rf"lies on a network file system \({kind}\)"):
        create_ledger(str(tmp_path / "ledger.db"))


def test_the_nearest_mount_decides(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(folder="/srv/share", kind="nfs4"))
    assert file_system(tmp_path, mounts) == "ext4"
    assert file_system(tmp_path, tmp_path / "none") is None


def test_a_read_only_ledger_is_told(sqlite_ledger, tmp_path, monkeypatch):
    from steelsight.ledger.writing.writer import open_writer

    raw = sqlite_ledger.engine.raw_connection()
    raw.execute("PRAGMA query_only = ON")
    raw.close()
    with pytest.raises(BadLedger, match="readonly database"), open_writer(sqlite_ledger, "line-1"):
        pass


@pytest.mark.parametrize("answer", [b"", b"E\0\0\0", b"x" * 50])
def test_a_server_that_ends_a_connection_leaves_no_socket_open(answer):
    """Reset at once, cut in a message, another protocol: pytest makes an open socket an error."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def end_all():
            with contextlib.suppress(OSError):
                while True:
                    stream = listening.accept()[0]
                    if answer:
                        stream.recv(4096)
                        stream.sendall(answer)
                    else:
                        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    stream.close()

        thread = threading.Thread(target=end_all)
        thread.start()
        try:
            for _ in range(3):
                with pytest.raises(BadLedger, match="cannot be opened"):
                    connect(f"postgresql://u@127.0.0.1:{listening.getsockname()[1]}/d")
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
    gc.collect()


def test_a_host_without_a_server_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(BadLedger, match=f"no connection to 127.0.0.1 port {port}"):
        connect(f"postgresql://u@127.0.0.1:{port}/d")
