"""PostgreSQL by pg8000: how a connection is made, set, written to by COPY, and closed in any case."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from pg8000.exceptions import InterfaceError
from pg8000.legacy import Connection as DriverConnection
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from steelsight.errors import BadLedger
from steelsight.ledger.database.pool import ClosingPool
from steelsight.reading import read_regular

__all__ = ["COPIED_ROWS", "PASSWORD", "SETTINGS", "TLS", "postgres_engine", "without_timeout"]

TLS: Final = ("disable", "require", "verify-full")
PASSWORD: Final = "password_file"  # in an address, so that no password is on a command line
SETTINGS: Final = ("sslmode", PASSWORD)  # what may follow '?' in an address
MOST_PASSWORD: Final = 4096  # bytes of that file
COPIED_ROWS: Final = "ledger_copied_rows"  # execution option: the stream of a COPY
TIMEOUT_S: Final = 30  # for one answer of the server


def postgres_engine(url: URL) -> Engine:
    """An engine that connects when it is first used.

    raises  BadLedger where the file with the password cannot be read
    """
    engine = create_engine(
        _with_password(url),
        poolclass=ClosingPool,
        pool_pre_ping=True,
        pool_size=10,
        connect_args={"timeout": TIMEOUT_S, "ssl_context": _tls(url.query.get("sslmode"))},
    )
    event.listen(engine, "do_connect", _connect_by_socket)
    event.listen(engine, "connect", _set_durable)
    event.listen(engine, "begin", _begin_snapshot)
    event.listen(engine, "do_execute", _copy_rows)
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


def _tls(mode: Any) -> ssl.SSLContext | bool | None:
    if mode is None:  # encrypted where the server offers it
        return None
    if mode == "disable":
        return False
    context = ssl.create_default_context()
    if mode == "require":  # encrypted, as libpq means it: the server's certificate is not checked
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _ClosedConnection(DriverConnection):  # type: ignore[misc]
    """A connection whose socket is closed at its end, also where the server has ended it before.

    The driver then raises, and its socket stays open until the garbage is collected.
    """

    def __init__(self, **values: Any) -> None:
        self._usock: socket.socket | None = None
        try:
            super().__init__(**values)
        except BaseException:
            _end(self._usock)
            raise

    def close(self) -> None:
        """End the connection; raises InterfaceError where it was closed before."""
        stream: socket.socket | None = self._usock
        if stream is None:
            raise InterfaceError("connection is closed")
        try:
            with suppress(InterfaceError, OSError):  # the server has ended it: there is nobody to tell
                super().close()
        finally:
            _end(stream)


@contextmanager
def without_timeout(driver: Any) -> Iterator[None]:
    """For statements that take as long as the tables are large; of a connection of this driver."""
    driver._usock.settimeout(None)
    try:
        yield
    finally:
        if driver._usock is not None:
            driver._usock.settimeout(TIMEOUT_S)


def _end(stream: socket.socket | None) -> None:
    """Close a socket at once, also where a file of it is open; what was not sent is dropped."""
    if stream is None:
        return
    with suppress(OSError):  # it is not connected any more
        stream.shutdown(socket.SHUT_RDWR)
    number = stream.detach()
    if number >= 0:
        socket.close(number)


def _connect_by_socket(_dialect: Any, _record: object, _arguments: object, parameters: dict[str, Any]) -> Any:
    """A connection over a socket that is closed where the server ends it before it has begun.

    The driver leaves such a socket open, and raises errors of the system that are none of the database's. It
    also leaves TCP_NODELAY off: each COPY then waits for the server's delayed acknowledgement, 40 ms.
    """
    values = {"port": 5432, **{name: each for name, each in parameters.items() if name not in SETTINGS}}
    try:
        stream = socket.create_connection((values["host"], values["port"]), values["timeout"])
    except OSError as error:
        where = f"{values['host']} port {values['port']}"
        raise InterfaceError(f"no connection to {where} ({error.strerror or error})") from error
    try:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return _ClosedConnection(**values, sock=stream)
    except OSError as error:
        _end(stream)
        raise InterfaceError(f"the server ended the connection ({error.strerror or error})") from error
    except (LookupError, ValueError, TypeError, struct.error) as error:
        _end(stream)
        raise InterfaceError("the server does not speak as PostgreSQL does; check host and port") from error
    except BaseException:
        _end(stream)
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


def _begin_snapshot(connection: Connection) -> None:
    if not connection.get_execution_options().get("ledger_write", False):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _copy_rows(cursor: Any, statement: str, _parameters: object, context: Any) -> bool:
    """Send the stream of a COPY; whether the statement was one. Errors become those of SQLAlchemy."""
    content = context.execution_options.get(COPIED_ROWS)
    if content is None:
        return False
    cursor.execute(statement, stream=[content])
    return True
