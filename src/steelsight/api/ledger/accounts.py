"""Accounts of people and tokens of machines in a ledger, as the verbs of `user` have them. No torch.

No argument is a password and no value shows one: a password comes from a function that asks for it or reads
it, and links and secrets of tokens are left out where a value is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from steelsight.argument_types import checked
from steelsight.errors import BadAccount
from steelsight.plain import plain

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from steelsight.ledger.writing.writer import Writer
    from steelsight.service.access.accounts import Account
    from steelsight.service.access.roles import Permission, Role
    from steelsight.service.access.tokens import Token

__all__ = [
    "LINK_HOURS",
    "AccessList",
    "AccountChange",
    "IssuedToken",
    "PasswordSource",
    "add_account",
    "create_token",
    "list_access",
    "revoke_token",
    "set_disabled",
    "set_password",
    "set_role",
]

LINK_HOURS: Final = 24.0  # that a one-time link is valid

PasswordSource = Callable[[], str]  # such as getpass.getpass


@dataclass(frozen=True)
class AccountChange:
    """An account, and the one-time link that sets its password, where one was made."""

    account: Account
    link: str | None = field(default=None, repr=False)  # a path behind the service's address

    def as_dict(self) -> dict[str, Any]:
        """Login, person, role and link."""
        account = self.account
        return {
            "login": account.login,
            "person": account.person,
            "role": account.role.value,
            "link": self.link,
        }


@dataclass(frozen=True)
class IssuedToken:
    """A new token of a machine."""

    token: Token
    secret: str = field(repr=False)  # nothing can show it again


@dataclass(frozen=True)
class AccessList:
    """Who may use a service on this ledger."""

    accounts: tuple[Account, ...]  # by login name
    tokens: tuple[Token, ...]  # revoked ones too, the newest first
    at_us: int  # when they were read, microseconds since 1970-01-01 UTC

    def as_dict(self) -> dict[str, Any]:
        """Accounts as `users`, and tokens, without passwords and secrets."""
        values: dict[str, Any] = plain({"users": self.accounts, "tokens": self.tokens})
        return values


@checked
def add_account(
    ledger: Path | str,
    login: str,
    role: Role | str,
    *,
    name: str = "",
    address: str = "",
    password: PasswordSource | None = None,
) -> AccountChange:
    """Add a person with an account.

    ledger    a file, sqlite:///FILE, or postgresql://USER@HOST/NAME
    role      viewer, operator, engineer, auditor or admin
    name      of the person; empty = the login name
    address   e-mail address
    password  a function that returns it, such as `getpass.getpass`, called once the login name is known to be
              possible; None = a one-time link that sets it is made
    raises    BadAccount for a login name, role, name or password that cannot be taken; BadLedger
    """
    from steelsight.service.access.accounts import NewAccount
    from steelsight.service.access.accounts import add_account as add
    from steelsight.service.access.login_names import wanted_login

    new = NewAccount(login, _role(role), name, address)
    hashed = None if password is None else _new_hash(wanted_login(login), password)
    with _changing(ledger) as (connection, writer):
        account = add(connection, writer, new, by=None)
        link = _set(connection, writer, account, hashed)
        return AccountChange(_known(connection, account.login), link)  # as it is with the password


@checked
def list_access(ledger: Path | str) -> AccessList:
    """All accounts and tokens; raises BadLedger."""
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.writing.writer import now_us
    from steelsight.service.access.accounts import list_accounts
    from steelsight.service.access.tokens import list_tokens

    with opened(str(ledger)) as found, found.read() as connection:
        return AccessList(tuple(list_accounts(connection)), tuple(list_tokens(connection)), now_us())


@checked
def set_disabled(ledger: Path | str, login: str, *, disabled: bool) -> Account:
    """Disable an account and end its sessions, or enable it again.

    raises  BadAccount: no such login, or the last administrator; BadLedger
    """
    from steelsight.service.access.accounts import set_disabled as switch

    with _changing(ledger) as (connection, writer):
        return switch(connection, writer, _known(connection, login).person, disabled, by=None)


@checked
def set_role(ledger: Path | str, login: str, role: Role | str) -> Account:
    """Give an account another role, from its next request on; raises as `set_disabled`."""
    from steelsight.service.access.accounts import set_role as change

    wanted = _role(role)
    with _changing(ledger) as (connection, writer):
        return change(connection, writer, _known(connection, login).person, wanted, by=None)


@checked
def set_password(ledger: Path | str, login: str, *, password: PasswordSource | None = None) -> AccountChange:
    """Set the password of an account and end its sessions, or make a link that does.

    password  as of `add_account`
    raises    BadAccount: no such login, a password that the rules refuse, a disabled account; BadLedger
    """
    from steelsight.service.access.login_names import normalise_login

    hashed = None if password is None else _new_hash(normalise_login(login), password)
    with _changing(ledger) as (connection, writer):
        account = _known(connection, login)
        link = _set(connection, writer, account, hashed)
        return AccountChange(_known(connection, account.login), link)  # as it is with the password


@checked
def create_token(
    ledger: Path | str, name: str, scopes: Sequence[Permission | str], *, days: float | None = 365.0
) -> IssuedToken:
    """Make a token for a machine.

    scopes  read, inspect, review, export, configure, audit, users; at least one
    days    until it expires; None = never
    raises  BadAccount for an impossible name, scope or time; BadLedger
    """
    from steelsight.service.access.roles import Permission
    from steelsight.service.access.tokens import create_token as create

    unknown = [each for each in scopes if each not in list(Permission)]
    if unknown:
        raise BadAccount(f"scope: expected some of {', '.join(Permission)}, got {unknown[0]!r:.80}")
    wanted = [Permission(each) for each in scopes]
    with _changing(ledger) as (connection, writer):
        return IssuedToken(*create(connection, writer, name, wanted, days=days, by=None))


@checked
def revoke_token(ledger: Path | str, token: str) -> None:
    """End a token at once.

    token   its id, as `list_access` gives it
    raises  BadAccount where there is none with this id that is not revoked; BadLedger
    """
    from steelsight.service.access.tokens import revoke_token as revoke

    with _changing(ledger) as (connection, writer):
        revoke(connection, writer, token, by=None)


@contextmanager
def _changing(address: Path | str) -> Iterator[tuple[Connection, Writer]]:
    """One transaction, and the writer of its events."""
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.writing.writer import SYSTEM_WRITER, open_writer

    with (
        opened(str(address)) as ledger,
        open_writer(ledger, SYSTEM_WRITER) as writer,
        ledger.write() as connection,
    ):
        yield connection, writer


def _role(role: Role | str) -> Role:
    from steelsight.service.access.roles import Role

    if role not in list(Role):
        raise BadAccount(f"role: expected one of {', '.join(Role)}, got {role!r:.80}")
    return Role(role)


def _known(connection: Connection, login: str) -> Account:
    from steelsight.service.access.accounts import account_of_login

    account = account_of_login(connection, login)
    if account is None:
        raise BadAccount(
            f"login {login!r:.120}: no account has it; `steelsight user list` shows all", kind="unknown"
        )
    return account


def _set(connection: Connection, writer: Writer, account: Account, hashed: str | None) -> str | None:
    """Set a password by its hash, or make a link; returns the link's path."""
    from steelsight.service.access.accounts import LINK_PATH, make_link
    from steelsight.service.access.login import set_password as store

    if hashed is None:
        return LINK_PATH + make_link(connection, writer, account.person, hours=LINK_HOURS, by=None)
    store(connection, writer, account.person, hashed, by=None)
    return None


def _new_hash(login: str, password: PasswordSource) -> str:
    """The hash of a new password that the rules admit."""
    from steelsight.service.access.passwords import check_password, hasher_of
    from steelsight.service.settings.access import AccessSettings

    wanted = password()
    check_password(wanted, login)
    return hasher_of(AccessSettings.model_validate({})).hash(wanted)
