"""What administrators do with accounts and tokens, for the routes of the API and for the pages.

Each function works in the caller's transaction and refuses to reach for more than the caller may do itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.access import accounts, tokens
from steelsight.service.access.accounts import LINK_PATH, Account, NewAccount
from steelsight.service.access.carried import check_grant
from steelsight.service.access.roles import PERMISSIONS, Caller, Permission, Role
from steelsight.service.access.sessions import revoke_sessions
from steelsight.service.access.tokens import Token

__all__ = [
    "add_user",
    "change_role",
    "create_token",
    "end_user_sessions",
    "make_user_link",
    "switch_user",
]


def _check_reach(caller: Caller, *roles: Role) -> None:
    """Refuse a caller to reach for more than it may do itself: a token with the scope `users` alone."""
    for role in roles:
        check_grant(caller, PERMISSIONS[role], f"the role {role}")


def _reached(connection: Connection, caller: Caller, person: str) -> None:
    _check_reach(caller, accounts.account_of_person(connection, person).role)


def add_user(
    connection: Connection, writer: Writer, caller: Caller, new: NewAccount, *, link_hours: float
) -> tuple[Account, str]:
    """A new account and the path of the link that sets its first password.

    raises  Problem 403 beyond_own; BadAccount
    """
    _check_reach(caller, new.role)
    account = accounts.add_account(connection, writer, new, by=caller.actor)
    secret = accounts.make_link(connection, writer, account.person, hours=link_hours, by=caller.actor)
    return account, LINK_PATH + secret


def change_role(connection: Connection, writer: Writer, caller: Caller, person: str, role: Role) -> Account:
    """Give an account another role; errors as of `add_user`, and BadAccount for the last administrator."""
    _check_reach(caller, role)
    _reached(connection, caller, person)
    return accounts.set_role(connection, writer, person, role, by=caller.actor)


def switch_user(
    connection: Connection, writer: Writer, caller: Caller, person: str, *, disabled: bool
) -> Account:
    """Disable an account, which ends its sessions, or enable it again; errors as of `change_role`."""
    _reached(connection, caller, person)
    return accounts.set_disabled(connection, writer, person, disabled, by=caller.actor)


def make_user_link(
    connection: Connection, writer: Writer, caller: Caller, person: str, *, link_hours: float
) -> str:
    """The path of a one-time link that sets a new password; the current one stays until it is used."""
    _reached(connection, caller, person)
    return LINK_PATH + accounts.make_link(connection, writer, person, hours=link_hours, by=caller.actor)


def end_user_sessions(connection: Connection, writer: Writer, caller: Caller, person: str) -> int:
    """End every session of an account; returns how many."""
    _reached(connection, caller, person)
    ended = revoke_sessions(connection, person, now_us=now_us())
    accounts.record(writer, connection, "sessions_revoked", person, caller.actor, sessions_ended=ended)
    return ended


def create_token(
    connection: Connection,
    writer: Writer,
    caller: Caller,
    name: str,
    scopes: Iterable[Permission],
    *,
    days: float | None,
) -> tuple[Token, str]:
    """A token for a machine and its secret; days and errors as of `tokens.create_token`."""
    wanted = tuple(scopes)
    check_grant(caller, wanted, "a token with these scopes")
    return tokens.create_token(connection, writer, name, wanted, days=days, by=caller.actor)
