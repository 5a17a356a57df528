"""Tokens of machines: a random secret with scopes and an expiry, shown once; its hash in the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from steelsight.errors import BadAccount
from steelsight.ledger.database import accounts as tables
from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.access.accounts import record
from steelsight.service.access.credentials import hash_secret, new_id, new_secret, same_secret
from steelsight.service.access.roles import Actor, Permission

__all__ = ["PREFIX", "Token", "create_token", "find_token", "list_tokens", "revoke_token", "touch_token"]

PREFIX: Final = "sst_"  # tells tools that look for secrets in files what this is
LONGEST_NAME: Final = 100
DAY_US: Final = 86_400_000_000
MOST_DAYS: Final = 36_500


@dataclass(frozen=True)
class Token:
    """A token as lists show it."""

    id: str
    name: str
    scopes: tuple[Permission, ...]
    creator: str | None  # person; None = the command line
    created_us: int
    used_us: int | None
    expires_us: int | None  # None = never
    revoked_us: int | None

    def valid(self, at_us: int) -> bool:
        """Whether it was neither revoked nor has expired."""
        return self.revoked_us is None and (self.expires_us is None or at_us < self.expires_us)


def create_token(
    connection: Connection,
    writer: Writer,
    name: str,
    scopes: Iterable[Permission],
    *,
    days: float | None,
    by: Actor | None,
) -> tuple[Token, str]:
    """A new token and its secret, which nothing can show again.

    days    until it expires; None = never
    by      who makes it; None = the command line
    raises  BadAccount for an impossible name, no scope, or an impossible time
    """
    wanted = tuple(sorted(set(scopes)))
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadAccount(
            f"token: expected a name of 1 to {LONGEST_NAME} printable characters, got {name!r:.80}"
        )
    if not wanted:
        raise BadAccount(f"token {name}: expected at least one scope of {', '.join(Permission)}, got none")
    if days is not None and not 0 < days <= MOST_DAYS:
        raise BadAccount(f"token {name}: expected more than 0 and at most {MOST_DAYS} days, got {days}")
    secret, now = new_secret(PREFIX), now_us()
    expires = None if days is None else now + int(days * DAY_US)
    token = Token(new_id(), name, wanted, None if by is None else by.person, now, None, expires, None)
    row = {**vars(token), "scopes": " ".join(wanted), "secret": hash_secret(secret)}
    connection.execute(insert(tables.tokens).values(row))
    record(writer, connection, "token_created", token.id, by, scopes=list(wanted), expires_us=expires)
    return token, secret


def find_token(connection: Connection, secret: str, *, at_us: int) -> Token | None:
    """The valid token of a secret, else None."""
    table = tables.tokens
    row = connection.execute(select(table).where(table.c.secret == hash_secret(secret))).one_or_none()
    if row is None or not same_secret(row.secret, secret):
        return None
    token = _token(row)
    return token if token.valid(at_us) else None


def list_tokens(connection: Connection) -> list[Token]:
    """All tokens, revoked ones too, newest first."""
    table = tables.tokens
    rows = connection.execute(select(table).order_by(table.c.created_us.desc(), table.c.id))
    return [_token(row) for row in rows]


def _token(row: Any) -> Token:
    known = {each.value for each in Permission}
    scopes = tuple(Permission(each) for each in row.scopes.split() if each in known)
    values = {name: getattr(row, name) for name in Token.__dataclass_fields__ if name != "scopes"}
    return Token(**values, scopes=scopes)


def touch_token(connection: Connection, token: Token, *, at_us: int) -> None:
    """Put on record that a token is in use."""
    table = tables.tokens
    connection.execute(update(table).where(table.c.id == token.id).values(used_us=at_us))


def revoke_token(connection: Connection, writer: Writer, token_id: str, *, by: Actor | None) -> None:
    """End a token at once; raises BadAccount where there is none of that id, or it was revoked already."""
    table = tables.tokens
    query = update(table).where(table.c.id == token_id, table.c.revoked_us.is_(None))
    if connection.execute(query.values(revoked_us=now_us())).rowcount != 1:
        raise BadAccount(
            f"token {token_id!r:.80}: there is none with this id that is not revoked", kind="unknown"
        )
    record(writer, connection, "token_revoked", token_id, by)
