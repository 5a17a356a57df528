"""Writers of the ledger: which there are, who holds each name, and when each wrote last."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from steelsight.ledger.database import schema
from steelsight.ledger.writing.writer import database_us

__all__ = ["list_writers"]


def list_writers(connection: Connection) -> list[dict[str, Any]]:
    """Every writer by name, with its last entry.

    returns  for each: name, entries, held (a live process has the name), last_us (of its last verdict)
    """
    now = database_us(connection)
    writers = connection.execute(select(schema.writers).order_by(schema.writers.c.name)).all()
    return [
        {
            "name": row.name,
            "entries": row.seq,
            "held": row.holder is not None and row.lease_until_us > now,
            "last_us": _last_us(connection, row.name),
        }
        for row in writers
    ]


def _last_us(connection: Connection, writer: str) -> int | None:
    table = schema.verdicts
    query = select(table.c.entered_us).where(table.c.writer == writer).order_by(table.c.seq.desc()).limit(1)
    found: int | None = connection.execute(query).scalar_one_or_none()
    return found
