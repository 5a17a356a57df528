"""The same request twice is done once: answers by Idempotency-Key, written with what they tell of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Header
from pydantic import StringConstraints
from sqlalchemy import Connection, delete, insert, select

from steelsight.ledger.database.schema import idempotency_keys as table
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.roles import Caller
from steelsight.service.problem import Problem

__all__ = ["IdempotencyKey", "Once", "once"]

DAY_US: Final = 86_400_000_000

IdempotencyKey = Annotated[
    Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] | None,
    Header(
        alias="Idempotency-Key",
        description="Chosen by the client, such as a UUID: the same key with the same request gets the "
        "first answer again and writes nothing.",
    ),
]


@dataclass(frozen=True)
class Once:
    """One request with its key."""

    scope: str
    key: str
    request: str  # SHA-256 of what was sent

    def stored(self, connection: Connection) -> tuple[int, dict[str, Any]] | None:
        """Status and body of the answer that was given; None = this is the first time.

        raises  Problem 422 where the key was used with another request
        """
        query = select(table).where(table.c.scope == self.scope, table.c.key == self.key)
        row = connection.execute(query).one_or_none()
        if row is None:
            return None
        if row.request != self.request:
            raise Problem(
                422,
                "idempotency_key_reused",
                "this Idempotency-Key came with another request before",
                "use a new key for each request, and the same one only to repeat a request unchanged",
            )
        return int(row.status), json.loads(row.body)

    def store(self, connection: Connection, status: int, body: Mapping[str, Any], *, days: float) -> None:
        """Keep an answer, without words or names of people, in the transaction that wrote
        what it tells of; older ones go after `days`.
        """
        now = now_us()
        connection.execute(delete(table).where(table.c.created_us < now - int(days * DAY_US)))
        row = {"scope": self.scope, "key": self.key, "request": self.request, "status": status}
        connection.execute(insert(table).values({**row, "body": json.dumps(body), "created_us": now}))


def once(caller: Caller, route: str, key: str | None, *sent: bytes) -> Once | None:
    """The request of a caller; None without a key.

    sent  everything that makes it this request and no other
    """
    if key is None:
        return None
    digest = hashlib.sha256()
    for part in sent:
        digest.update(len(part).to_bytes(8, "big") + part)
    who = f"person {caller.person}" if caller.person else f"token {caller.token}" if caller.token else "open"
    return Once(f"{route} {who}", key, digest.hexdigest())
