"""Sessions of people: a random secret in a cookie, its hash in the database; revocable at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from steelsight.ledger.database import accounts as tables
from steelsight.ledger.database.schema import people
from steelsight.service.access.credentials import hash_secret, new_id, new_secret, same_secret
from steelsight.service.access.roles import Role
from steelsight.service.settings.access import AccessSettings

__all__ = [
    "Session",
    "Visitor",
    "count_sessions",
    "find_session",
    "list_sessions",
    "revoke_sessions",
    "start_session",
    "touch",
]

MINUTE_US: Final = 60_000_000
LONGEST_AGENT: Final = 200


@dataclass(frozen=True)
class Visitor:
    """Where a login comes from; shown to its person in the list of sessions."""

    address: str
    agent: str = ""


@dataclass(frozen=True)
class Session:
    """A session that is valid now."""

    id: str
    person: str
    name: str
    login: str
    role: Role
    origin: str  # password, link or oidc
    address: str
    agent: str
    created_us: int
    used_us: int
    expires_us: int


def start_session(
    connection: Connection,
    person: str,
    visitor: Visitor,
    settings: AccessSettings,
    *,
    origin: str,
    now_us: int,
) -> tuple[str, str]:
    """Begin a session and remove those that have expired; returns its public id and its secret."""
    table = tables.sessions
    connection.execute(delete(table).where(table.c.expires_us <= now_us))
    secret = new_secret()
    row = {
        "id": new_id(),
        "secret": hash_secret(secret),
        "person": person,
        "origin": origin,
        "address": visitor.address[:LONGEST_AGENT],
        "agent": "".join(each for each in visitor.agent[:LONGEST_AGENT] if each.isprintable()),
        "created_us": now_us,
        "used_us": now_us,
        "expires_us": now_us + int(settings.session_hours * 3600e6),
    }
    connection.execute(insert(table).values(row))
    return str(row["id"]), secret


def find_session(
    connection: Connection, secret: str, settings: AccessSettings, *, now_us: int
) -> Session | None:
    """The session of a cookie; None where it is unknown, revoked or expired, or its account is disabled."""
    table = tables.sessions
    hashed = hash_secret(secret)
    row = connection.execute(_query(settings, now_us).where(table.c.secret == hashed)).one_or_none()
    return None if row is None or not same_secret(row.secret, secret) else _session(row)


def list_sessions(
    connection: Connection, person: str, settings: AccessSettings, *, now_us: int
) -> list[Session]:
    """The valid sessions of a person, newest first."""
    table = tables.sessions
    query = _query(settings, now_us).where(table.c.person == person)
    rows = connection.execute(query.order_by(table.c.created_us.desc(), table.c.id))
    return [_session(row) for row in rows]


def count_sessions(connection: Connection, settings: AccessSettings, *, now_us: int) -> dict[str, int]:
    """How many valid sessions each person has; none where a person is absent."""
    valid = _query(settings, now_us).subquery()
    query = select(valid.c.person, func.count()).group_by(valid.c.person)
    return {person: int(number) for person, number in connection.execute(query)}


def _query(settings: AccessSettings, now_us: int) -> Any:
    table, account = tables.sessions, tables.accounts
    idle_us = int(settings.session_idle_minutes * MINUTE_US)
    return (
        select(table, account.c.login, account.c.role, people.c.name)
        .join(account, account.c.person == table.c.person)
        .join(people, people.c.person == table.c.person)
        .where(
            table.c.revoked_us.is_(None),
            table.c.expires_us > now_us,
            table.c.used_us > now_us - idle_us,
            account.c.disabled.is_(False),
        )
    )


def _session(row: Any) -> Session:
    return Session(
        **{name: getattr(row, name) for name in Session.__dataclass_fields__ if name != "role"},
        role=Role(row.role),
    )


def touch(connection: Connection, session: Session, *, now_us: int) -> None:
    """Put on record that a session is in use."""
    table = tables.sessions
    connection.execute(
        update(table).where(table.c.id == session.id, table.c.used_us < now_us).values(used_us=now_us)
    )


def revoke_sessions(
    connection: Connection, person: str, *, now_us: int, only: str | None = None, but: str | None = None
) -> int:
    """End sessions of a person; returns how many.

    only  public id of the one to end
    but   public id of one that goes on
    """
    table = tables.sessions
    query = update(table).where(table.c.person == person, table.c.revoked_us.is_(None))
    if only is not None:
        query = query.where(table.c.id == only)
    if but is not None:
        query = query.where(table.c.id != but)
    return int(connection.execute(query.values(revoked_us=now_us)).rowcount)
