"""Connect to the database of a ledger, with settings that keep what was committed, read back after setting.

SQLite: WAL, `synchronous=FULL`, BEGIN IMMEDIATE for writes, refused on network file systems, whose locks
cannot be trusted. PostgreSQL: `postgres`, `synchronous_commit=on`, REPEATABLE READ for reads that must agree.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from steelsight.errors import BadLedger
from steelsight.ledger.database.pool import ClosingPool
from steelsight.ledger.database.postgres import PASSWORD, SETTINGS, TLS, postgres_engine

__all__ = ["connect", "ledger_command", "parse_url", "reading", "shown_address", "writing"]

WAIT_MS: Final = 30_000  # for another process's write transaction
PRAGMAS: Final = {
    "journal_mode": ("WAL", "wal"),
    "synchronous": ("FULL", 2),
    "busy_timeout": (WAIT_MS, WAIT_MS),
    "foreign_keys": ("ON", 1),
    "recursive_triggers": ("ON", 1),
    "secure_delete": ("ON", 1),  # text of a person who was erased is overwritten
    "trusted_schema": ("OFF", 0),
}
# File systems of other machines, whose locks SQLite cannot rely on.
NETWORK: Final = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs"),
        *("glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"),
    )
)


def parse_url(address: str) -> URL:
    """The address of a ledger's database: a file, `sqlite:///FILE`, or `postgresql://USER@HOST/NAME`.

    raises  BadLedger for another kind of database or a malformed address
    """
    if "://" not in address:
        return URL.create("sqlite+pysqlite", database=os.fspath(Path(address).absolute()))
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise BadLedger(f"ledger: cannot read the address {_shown(address)} ({error})") from error
    kind = url.get_backend_name()
    if kind == "sqlite":
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            raise BadLedger(f"ledger {address}: expected a file, as in sqlite:///ledger.db")
        if url.query:
            raise BadLedger(
                f"ledger {address}: settings in the address have no effect; remove the part from '?'"
            )
        return url.set(drivername="sqlite+pysqlite", database=os.fspath(Path(url.database).absolute()))
    if kind in ("postgresql", "postgres"):
        if set(url.query) - set(SETTINGS) or url.query.get("sslmode", "disable") not in TLS:
            raise BadLedger(
                f"ledger {_shown(address)}: after '?' expected sslmode={'|'.join(TLS)} or {PASSWORD}=FILE"
            )
        return url.set(drivername="postgresql+pg8000")
    raise BadLedger(
        f"ledger {_shown(address)}: expected a file, sqlite:///… or postgresql://…, got {kind}://"
    )


def _shown(address: str) -> str:
    """The address without a password."""
    before, found, after = address.rpartition("@")
    return f"{before.split('://')[0]}://…@{after}" if found else address


def connect(address: str, *, create: bool = False) -> Engine:
    """An engine whose connections are safe to write with.

    create  SQLite: make the file where it is missing
    raises  BadLedger: no such file, a network file system, no connection, a setting that did not take
    """
    url = parse_url(address)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        _check_file(path, create=create)
        if create and not path.exists():
            _make_private(path)
        engine = create_engine(
            url,
            poolclass=ClosingPool,
            connect_args={"timeout": WAIT_MS / 1000, "check_same_thread": False},
        )
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    else:
        engine = postgres_engine(url)
    with ExitStack() as undo:
        undo.callback(engine.dispose)
        try:
            with engine.connect():
                pass
        except (SQLAlchemyError, OSError) as error:
            raise BadLedger(
                f"ledger {shown_address(engine)}: cannot be opened ({_first_line(error)}); {_advice(engine)}"
            ) from error
        undo.pop_all()
    return engine


def shown_address(engine: Engine) -> str:
    """The address of a ledger as a person gives it, without a password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    if PASSWORD in url.query:  # the file holds it
        url = url._replace(password=None)
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


def ledger_command(verb: str, address: str, *more: str) -> str:
    """A command that a message proposes, in the form in which a shell takes it.

    address  of the ledger, as `shown_address` gives it

    >>> ledger_command("init", "my ledger.db")
    "`steelsight ledger init 'my ledger.db'`"
    """
    return f"`steelsight ledger {verb} {shlex.join([address, *more])}`"


def _advice(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        return (
            "check that its disk has space, and that this user may write the file and its folder, where "
            "SQLite writes other files beside it"
        )
    return "check the address, the permissions, and that the database runs and its disk has space"


def _first_line(error: Exception) -> str:
    """Of the driver's message, where the error has one."""
    cause = getattr(error, "orig", None) or error
    values = getattr(cause, "args", ())
    if values and isinstance(values[0], dict):  # pg8000: the fields of the server's message
        return f"{values[0].get('M', values[0])}"
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def _check_file(path: Path, *, create: bool) -> None:
    if not create and not path.is_file():
        raise BadLedger(
            f"{path}: expected a ledger, found none; check the path, or make one with "
            f"{ledger_command('init', str(path))}"
        )
    if not path.parent.is_dir():
        raise BadLedger(f"{path}: its folder does not exist; create it first")
    system = file_system(path.parent)
    if system in NETWORK:
        raise BadLedger(
            f"{path}: lies on a network file system ({system}), where SQLite's locks cannot be trusted; "
            "use a local disk, or PostgreSQL: postgresql://USER@HOST/NAME"
        )


def _make_private(path: Path) -> None:
    """An empty file of its owner's: a ledger holds password hashes. SQLite's other files take its mode."""
    try:
        path.touch(mode=0o600)
    except OSError as error:
        raise BadLedger(f"ledger {path}: cannot be made ({error.strerror or error})") from error


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The type of the file system a folder lies on; None where the system does not tell."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    place = folder.resolve()
    best: tuple[int, str] | None = None
    for line in lines:
        left, _, right = line.partition(" - ")
        mount = Path(left.split()[4].encode().decode("unicode_escape"))
        if place.is_relative_to(mount) and (best is None or len(mount.parts) >= best[0]):
            best = (len(mount.parts), right.split()[0])
    return best[1] if best else None


def _set_pragmas(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin` alone
    cursor = connection.cursor()
    try:
        for name, (value, expected) in PRAGMAS.items():
            cursor.execute(f"PRAGMA {name} = {value}")
            row = cursor.execute(f"PRAGMA {name}").fetchone()
            if row is None or row[0] != expected:
                raise BadLedger(f"SQLite: PRAGMA {name} should be {value}, is {row and row[0]}")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    # A write takes its lock at once: the busy timeout does not cover an upgrade from reading to writing.
    write = connection.get_execution_options().get("ledger_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state of the database throughout.

    raises  BadLedger where the database fails
    """
    with _refusing(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write; committed at the end, undone where an error is raised.

    raises  BadLedger where the database fails: full disk, read-only file, lost connection
    """
    with (
        _refusing(engine),
        engine.connect().execution_options(ledger_write=True) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def _refusing(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, NoConnectionFree, ConnectionError, TimeoutError) as error:
        raise BadLedger(
            f"ledger {shown_address(engine)}: the database refused ({_first_line(error)}); nothing of this "
            f"step was written; {_advice(engine)}"
        ) from error
