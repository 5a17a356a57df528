"""Insert many rows at once, by the fastest statement of each database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Table, insert

from steelsight.errors import BadEntry
from steelsight.ledger.database.postgres import COPIED_ROWS

__all__ = ["copy_text", "insert_rows"]

_SPECIAL: Final = re.compile(r"[\\\t\n\r]")
_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that all have the same columns.

    PostgreSQL receives them as the stream of one COPY: it has no statement to parse for each row.
    raises  BadEntry for a text with a NUL character, which PostgreSQL cannot hold; TypeError for a value that
            is neither None, bool, int, float, str nor bytes; UnicodeEncodeError for an unpaired surrogate
    """
    if not rows:
        return
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), list(rows))
        return
    names = tuple(rows[0])
    content = copy_text([[row[name] for name in names] for row in rows])
    connection.exec_driver_sql(_statement(table.name, names), execution_options={COPIED_ROWS: content})


@lru_cache(maxsize=64)
def _statement(table: str, columns: tuple[str, ...]) -> str:
    return f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT text, ENCODING 'UTF8')"


def copy_text(rows: Sequence[Sequence[Any]]) -> bytes:
    r"""Rows in the text format of COPY.

    source  PostgreSQL's manual, COPY, "Text Format"

    >>> copy_text([[1, None, "a\tb", b"\x00"], [0.5, True, "", b""]])
    b'1\t\\N\ta\\tb\t\\\\x00\n0.5\tt\t\t\\\\x\n'
    """
    lines = ["\t".join([_field(value) for value in row]) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def _field(value: object) -> str:
    kind = type(value)
    if isinstance(value, str):
        if "\0" in value:
            raise BadEntry(f"text {value!r:.80}: holds a NUL character, which PostgreSQL cannot hold")
        return _SPECIAL.sub(_escape, value)
    if value is None:
        return "\\N"
    if kind is int:
        return str(value)
    if kind is float:
        return repr(value)
    if kind is bool:
        return "t" if value else "f"
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    raise TypeError(f"expected None, bool, int, float, str or bytes, got {kind.__name__}")


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES[found[0]]
