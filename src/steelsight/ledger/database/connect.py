"""Connect to the database of a ledger, with settings that keep what was committed, read back after setting.

SQLite: WAL, `synchronous=FULL`, BEGIN IMMEDIATE for writes, refused on network file systems, whose locks
cannot be trusted. PostgreSQL: pg8000, `synchronous_commit=on`, REPEATABLE READ for reads that must agree.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from steelsight.errors import BadLedger
from steelsight.reading import read_regular

__all__ = ["COPIED_ROWS", "connect", "parse_url", "reading", "writing"]

TLS: Final = ("disable", "require", "verify-full")  # sslmode of PostgreSQL
COPIED_ROWS: Final = "ledger_copied_rows"  # execution option: the stream of a COPY, for PostgreSQL
PASSWORD: Final = "password_file"  # in an address of PostgreSQL, so that no password is on a command line
MOST_PASSWORD: Final = 4096  # bytes of that file
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
        if set(url.query) - {"sslmode", PASSWORD} or url.query.get("sslmode", "disable") not in TLS:
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
        engine = create_engine(url, connect_args={"timeout": WAIT_MS / 1000, "check_same_thread": False})
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    else:
        engine = create_engine(
            _with_password(url).set(query={}),
            pool_pre_ping=True,
            pool_size=10,
            connect_args={"timeout": 30, "ssl_context": _tls(str(url.query.get("sslmode", "disable")))},
        )
        event.listen(engine, "do_connect", _connect_by_socket)
        event.listen(engine, "connect", _set_durable)
        event.listen(engine, "begin", _begin_snapshot)
        event.listen(engine, "do_execute", _copy_rows)
    try:
        with engine.connect():
            pass
    except (SQLAlchemyError, OSError) as error:
        raise _unreachable(url, error) from error
    return engine


def _with_password(url: URL) -> URL:
    """The address with the password that a file holds, such as a secret of a container."""
    path = url.query.get(PASSWORD)
    if path is None:
        return url
    try:
        content = read_regular(Path(str(path)), most_bytes=MOST_PASSWORD)
        password = content.decode().strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadLedger(f"{path}: expected a file with the database's password ({error})") from error
    return url.set(password=password)


def _tls(mode: str) -> ssl.SSLContext | None:
    if mode == "disable":
        return None
    context = ssl.create_default_context()
    if mode == "require":  # encrypted, as libpq means it: the server's certificate is not checked
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _unreachable(url: URL, error: Exception) -> BadLedger:
    cause = getattr(error, "orig", None) or error
    return BadLedger(
        f"ledger {url.render_as_string(hide_password=True)}: cannot be opened ({_first_line(cause)}); "
        "check the address, the permissions, and that the database runs"
    )


def _first_line(cause: object) -> str:
    values = getattr(cause, "args", ())
    if values and isinstance(values[0], dict):  # pg8000: the fields of the server's message
        return f"{values[0].get('M', values[0])}"
    return (str(cause).splitlines() or [type(cause).__name__])[0]


def _check_file(path: Path, *, create: bool) -> None:
    if not create and not path.is_file():
        raise BadLedger(
            f"{path}: expected a ledger, found none; make one with `steelsight ledger init {path}`"
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


def _connect_by_socket(dialect: Any, _record: object, _arguments: object, parameters: dict[str, Any]) -> Any:
    """A connection over a socket that is closed where the server ends it before it has begun.

    The driver leaves such a socket open, and raises errors of the system that are none of the database's. It
    also leaves TCP_NODELAY off: each COPY then waits for the server's delayed acknowledgement, 40 ms.
    """
    values = {"port": 5432, **parameters}
    driver = dialect.loaded_dbapi
    try:
        stream = socket.create_connection((values["host"], values["port"]), values["timeout"])
    except OSError as error:
        where = f"{values['host']} port {values['port']}"
        raise driver.InterfaceError(f"no connection to {where} ({error.strerror or error})") from error
    try:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return driver.Connection(**values, sock=stream)
    except OSError as error:
        stream.close()
        raise driver.InterfaceError(f"the server ended the connection ({error.strerror or error})") from error
    except BaseException:
        stream.close()
        raise


def _set_durable(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("SET synchronous_commit = on")
    cursor.execute("SHOW synchronous_commit")
    row = cursor.fetchone()
    cursor.execute("SHOW fsync")
    fsync = cursor.fetchone()
    cursor.close()
    connection.commit()
    if row[0] != "on" or fsync[0] != "on":
        raise BadLedger(f"PostgreSQL: expected synchronous_commit and fsync on, got {row[0]} and {fsync[0]}")


def _copy_rows(cursor: Any, statement: str, _parameters: object, context: Any) -> bool:
    """Send the stream of a COPY; whether the statement was one. Errors become those of SQLAlchemy."""
    content = context.execution_options.get(COPIED_ROWS)
    if content is None:
        return False
    cursor.execute(statement, stream=[content])
    return True


def _begin_snapshot(connection: Connection) -> None:
    if not connection.get_execution_options().get("ledger_write", False):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


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
        cause = _first_line(getattr(error, "orig", None) or error)
        place = engine.url.render_as_string(hide_password=True)
        raise BadLedger(
            f"ledger {place}: the database refused ({cause}); nothing of this step was written; check its "
            "disk, its permissions, and that it runs"
        ) from error
