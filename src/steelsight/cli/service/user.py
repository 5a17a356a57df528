"""`steelsight user …`: accounts of people and tokens of machines in a ledger."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, emit_json, print_line
from steelsight.cli.verb import Verb
from steelsight.errors import BadAccount, BadInput

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from steelsight.ledger.writing.writer import Writer
    from steelsight.service.access.accounts import Account
    from steelsight.service.access.tokens import Token

__all__ = ["user"]

user = typer.Typer(name="user", help="Accounts of people and tokens of machines.", no_args_is_help=True)

WRITER = "ledger"  # writes the events of these verbs
MOST_BYTES = 8192  # of a file with a password
LINK_HOURS = 24.0


class UserRole(StrEnum):
    """Roles of accounts."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Scope(StrEnum):
    """Scopes of tokens."""

    READ = "read"
    INSPECT = "inspect"
    REVIEW = "review"
    EXPORT = "export"
    CONFIGURE = "configure"
    AUDIT = "audit"
    USERS = "users"


Ledger = Annotated[
    str,
    typer.Option(
        "--ledger", help="A file, sqlite:///FILE, or postgresql://USER@HOST/NAME.", metavar="LEDGER"
    ),
]
Login = Annotated[str, typer.Argument(help="Login name.", metavar="LOGIN")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="File whose first line is the password; - reads it from standard input."),
]
LinkFlag = Annotated[
    bool,
    typer.Option("--link", help="Print a one-time link that sets the password; ask for none."),
]


@user.command(cls=Verb)
def add(
    login: Login,
    ledger: Ledger,
    role: Annotated[UserRole, typer.Option(help="What the person may do.")],
    name: Annotated[str, typer.Option(help="Name of the person. Default: the login name.")] = "",
    address: Annotated[str, typer.Option(help="E-mail address.")] = "",
    password_file: PasswordFile = None,
    link: LinkFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Add an account, with a password that is asked for, read from a file, or set later by a link."""
    from steelsight.service.access.accounts import NewAccount, add_account
    from steelsight.service.access.login_names import wanted_login
    from steelsight.service.access.roles import Role

    hashed = None if link else _new_hash(wanted_login(login), password_file)
    with _changing(ledger) as (connection, writer):
        account = add_account(connection, writer, NewAccount(login, Role(role), name, address), by=None)
        path = _set(connection, writer, account, hashed)
    _print_account(account, "added", path, as_json=as_json)


@user.command("list", cls=Verb)
def list_(ledger: Ledger, as_json: JsonFlag = False) -> None:
    """List accounts and tokens."""
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.writing.writer import now_us
    from steelsight.service.access.accounts import list_accounts
    from steelsight.service.access.tokens import list_tokens

    with opened(ledger) as found, found.read() as connection:
        accounts, tokens = list_accounts(connection), list_tokens(connection)
    for each in accounts:
        print_line(f"{each.login}  {each.role}  {_state(each)}  person {each.person}")
    for token in tokens:
        state = "valid" if token.valid(now_us()) else "revoked" if token.revoked_us else "expired"
        print_line(f"token {token.id}  {' '.join(token.scopes)}  {state}  {token.name}")
    print_line(f"{len(accounts)} accounts, {len(tokens)} tokens")
    if as_json:
        emit_json({"users": [vars(each) for each in accounts], "tokens": [vars(each) for each in tokens]})


def _state(account: Account) -> str:
    if account.disabled:
        return "disabled"
    return "enabled" if account.has_password or account.oidc else "no password yet"


@user.command(cls=Verb)
def disable(login: Login, ledger: Ledger, as_json: JsonFlag = False) -> None:
    """Disable an account and end its sessions."""
    _switch(ledger, login, disabled=True, as_json=as_json)


@user.command(cls=Verb)
def enable(login: Login, ledger: Ledger, as_json: JsonFlag = False) -> None:
    """Enable an account again."""
    _switch(ledger, login, disabled=False, as_json=as_json)


def _switch(ledger: str, login: str, *, disabled: bool, as_json: bool) -> None:
    from steelsight.service.access.accounts import set_disabled

    with _changing(ledger) as (connection, writer):
        person = _known(connection, login).person
        account = set_disabled(connection, writer, person, disabled, by=None)
    print_line(f"{account.login}: {'disabled' if disabled else 'enabled'}")
    if as_json:
        emit_json(vars(account))


@user.command("role", cls=Verb)
def change_role(
    login: Login,
    role: Annotated[UserRole, typer.Argument(help="What the person may do.", metavar="ROLE")],
    ledger: Ledger,
    as_json: JsonFlag = False,
) -> None:
    """Give an account another role, from its next request on."""
    from steelsight.service.access.accounts import set_role
    from steelsight.service.access.roles import Role

    with _changing(ledger) as (connection, writer):
        account = set_role(connection, writer, _known(connection, login).person, Role(role), by=None)
    print_line(f"{account.login}: {account.role}")
    if as_json:
        emit_json(vars(account))


@user.command(cls=Verb)
def password(
    login: Login,
    ledger: Ledger,
    password_file: PasswordFile = None,
    link: LinkFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Set the password of an account and end its sessions, or print a link that does."""
    from steelsight.service.access.login_names import normalise_login

    hashed = None if link else _new_hash(normalise_login(login), password_file)
    with _changing(ledger) as (connection, writer):
        account = _known(connection, login)
        path = _set(connection, writer, account, hashed)
    _print_account(account, "password set" if path is None else "link made", path, as_json=as_json)


@user.command("token", cls=Verb)
def create_token(
    name: Annotated[str, typer.Argument(help="Name of the machine.", metavar="NAME")],
    ledger: Ledger,
    scope: Annotated[list[Scope], typer.Option(help="What the token may do; may be given several times.")],
    days: Annotated[float, typer.Option(min=0, help="Days until it expires; 0 = never.")] = 365.0,
    as_json: JsonFlag = False,
) -> None:
    """Make a token for a machine and print it, once."""
    from steelsight.service.access import tokens
    from steelsight.service.access.roles import Permission

    wanted = [Permission(each) for each in scope]
    with _changing(ledger) as (connection, writer):
        token, secret = tokens.create_token(connection, writer, name, wanted, days=days or None, by=None)
    _print_token(token, secret, as_json=as_json)


def _print_token(token: Token, secret: str, *, as_json: bool) -> None:
    if as_json:
        emit_json({"token": vars(token), "secret": secret})
        return
    print_line(f"token {token.id}: {' '.join(token.scopes)}; it is shown this once:")
    typer.echo(secret)  # alone on standard output, for a script


@user.command("untoken", cls=Verb)
def revoke_token(
    token: Annotated[str, typer.Argument(help="Id of the token, as `user list` prints it.", metavar="TOKEN")],
    ledger: Ledger,
    as_json: JsonFlag = False,
) -> None:
    """End a token at once."""
    from steelsight.service.access import tokens

    with _changing(ledger) as (connection, writer):
        tokens.revoke_token(connection, writer, token, by=None)
    print_line(f"token {token}: revoked")
    if as_json:
        emit_json({"id": token, "revoked": True})


@contextmanager
def _changing(address: str) -> Iterator[tuple[Connection, Writer]]:
    from steelsight.ledger.database.open import opened
    from steelsight.ledger.writing.writer import open_writer

    with opened(address) as ledger, open_writer(ledger, WRITER) as writer, ledger.write() as connection:
        yield connection, writer


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
    from steelsight.service.access.login import set_password

    if hashed is None:
        return LINK_PATH + make_link(connection, writer, account.person, hours=LINK_HOURS, by=None)
    set_password(connection, writer, account.person, hashed, by=None)
    return None


def _print_account(account: Account, did: str, path: str | None, *, as_json: bool) -> None:
    print_line(f"{account.login}: {did}; {account.role}, person {account.person}")
    if path is not None:
        print_line(f"sets the password, once, within {LINK_HOURS:g} h, behind the service's address: {path}")
    if as_json:
        emit_json({"login": account.login, "person": account.person, "role": account.role, "link": path})


def _new_hash(login: str, file: Path | None) -> str:
    """The hash of a new password that the rules admit."""
    from steelsight.service.access.passwords import check_password, hasher_of
    from steelsight.service.settings.access import AccessSettings

    wanted = _ask() if file is None else _read(file)
    check_password(wanted, login)
    return hasher_of(AccessSettings.model_validate({})).hash(wanted)


def _ask() -> str:
    if not sys.stdin.isatty():
        raise BadInput(
            "password: expected a terminal to ask at; give --password-file FILE, or - for input from a pipe"
        )
    return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))


def _read(file: Path) -> str:
    from steelsight.reading import read_regular

    try:
        content = (
            sys.stdin.buffer.read(MOST_BYTES)
            if str(file) == "-"
            else read_regular(file, most_bytes=MOST_BYTES)
        )
        return content.decode().partition("\n")[0].rstrip("\r")
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: expected a password in UTF-8") from error
