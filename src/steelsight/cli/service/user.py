"""`steelsight user …`: accounts of people and tokens of machines in a ledger."""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from steelsight.cli.console import JsonFlag, emit_json, print_line
from steelsight.cli.verb import Verb
from steelsight.errors import BadInput

if TYPE_CHECKING:
    from steelsight.api.ledger.accounts import AccountChange, IssuedToken, PasswordSource
    from steelsight.service.access.accounts import Account

__all__ = ["user"]

user = typer.Typer(name="user", help="Accounts of people and tokens of machines.", no_args_is_help=True)

MOST_BYTES = 8192  # of a file with a password


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
    from steelsight.api.ledger.accounts import add_account

    done = add_account(
        ledger, login, role.value, name=name, address=address, password=_source(password_file, link)
    )
    _print_account(done, "added", as_json=as_json)


@user.command("list", cls=Verb)
def list_(ledger: Ledger, as_json: JsonFlag = False) -> None:
    """List accounts and tokens."""
    from steelsight.api.ledger.accounts import list_access

    found = list_access(ledger)
    for each in found.accounts:
        print_line(f"{each.login}  {each.role}  {_state(each)}  person {each.person}")
    for token in found.tokens:
        state = "valid" if token.valid(found.at_us) else "revoked" if token.revoked_us else "expired"
        print_line(f"token {token.id}  {' '.join(token.scopes)}  {state}  {token.name}")
    print_line(f"{len(found.accounts)} accounts, {len(found.tokens)} tokens")
    if as_json:
        emit_json(found.as_dict())


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
    from steelsight.api.ledger.accounts import set_disabled

    account = set_disabled(ledger, login, disabled=disabled)
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
    from steelsight.api.ledger.accounts import set_role

    account = set_role(ledger, login, role.value)
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
    from steelsight.api.ledger.accounts import set_password

    done = set_password(ledger, login, password=_source(password_file, link))
    _print_account(done, "password set" if done.link is None else "link made", as_json=as_json)


@user.command("token", cls=Verb)
def create_token(
    name: Annotated[str, typer.Argument(help="Name of the machine.", metavar="NAME")],
    ledger: Ledger,
    scope: Annotated[list[Scope], typer.Option(help="What the token may do; may be given several times.")],
    days: Annotated[float, typer.Option(min=0, help="Days until it expires; 0 = never.")] = 365.0,
    as_json: JsonFlag = False,
) -> None:
    """Make a token for a machine and print it, once."""
    from steelsight.api.ledger.accounts import create_token as create

    _print_token(create(ledger, name, [each.value for each in scope], days=days or None), as_json=as_json)


def _print_token(issued: IssuedToken, *, as_json: bool) -> None:
    token = issued.token
    if as_json:
        emit_json({"token": vars(token), "secret": issued.secret})
        return
    print_line(f"token {token.id}: {' '.join(token.scopes)}; it is shown this once:")
    typer.echo(issued.secret)  # alone on standard output, for a script


@user.command("untoken", cls=Verb)
def revoke_token(
    token: Annotated[str, typer.Argument(help="Id of the token, as `user list` prints it.", metavar="TOKEN")],
    ledger: Ledger,
    as_json: JsonFlag = False,
) -> None:
    """End a token at once."""
    from steelsight.api.ledger.accounts import revoke_token as revoke

    revoke(ledger, token)
    print_line(f"token {token}: revoked")
    if as_json:
        emit_json({"id": token, "revoked": True})


def _print_account(done: AccountChange, did: str, *, as_json: bool) -> None:
    from steelsight.api.ledger.accounts import LINK_HOURS

    account = done.account
    print_line(f"{account.login}: {did}; {account.role}, person {account.person}")
    if done.link is not None:
        print_line(
            f"sets the password, once, within {LINK_HOURS:g} h, behind the service's address: {done.link}"
        )
    if as_json:
        emit_json(done.as_dict())


def _source(file: Path | None, link: bool) -> PasswordSource | None:
    """Where the password comes from; None = a link sets it."""
    if link:
        return None
    return _ask if file is None else partial(_read, file)


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
