"""Accounts of people: login name, role and password hash; every change becomes an event of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from steelsight.errors import BadAccount
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database.accounts import accounts, links
from steelsight.ledger.database.schema import people
from steelsight.ledger.keeping.people import add_person
from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.access.credentials import hash_secret, new_secret
from steelsight.service.access.login_names import normalise_login, wanted_login
from steelsight.service.access.roles import Actor, Role
from steelsight.service.access.sessions import revoke_sessions

if TYPE_CHECKING:
    from steelsight.service.context import Service

__all__ = [
    "LINK_PATH",
    "Account",
    "NewAccount",
    "account_of_login",
    "account_of_person",
    "add_account",
    "first_login",
    "list_accounts",
    "make_link",
    "record",
    "set_disabled",
    "set_role",
]

FIRST_LOGIN: Final = "admin"
LINK_PATH: Final = "/access/link?secret="  # logs hold paths and no queries
LONGEST_NAME: Final = 200


@dataclass(frozen=True)
class NewAccount:
    """An account to be made."""

    login: str
    role: Role
    name: str = ""  # of the person; empty = the login name
    address: str = ""  # e-mail
    issuer: str | None = None  # of OIDC
    subject: str | None = None


@dataclass(frozen=True)
class Account:
    """An account, without the hash of its password."""

    person: str
    login: str
    name: str
    address: str
    role: Role
    disabled: bool
    has_password: bool
    oidc: bool
    created_us: int
    login_us: int | None


def add_account(connection: Connection, writer: Writer, new: NewAccount, *, by: Actor | None) -> Account:
    """A new person with an account that has no password yet.

    by      who adds it; None = the command line
    raises  BadAccount: an impossible login or name; kind taken where the login is in use
    """
    login = wanted_login(new.login)
    name = new.name.strip() or login
    for what, value in (("name", name), ("address", new.address)):
        if len(value) > LONGEST_NAME or not value.isprintable():
            raise BadAccount(
                f"{what}: expected at most {LONGEST_NAME} printable characters, got {value!r:.120}"
            )
    if account_of_login(connection, login) is not None:
        raise BadAccount(f"login {login}: is in use; choose another", kind="taken")
    person = add_person(connection, name, new.address)
    row = {
        "person": person.id,
        "login": login,
        "role": new.role.value,
        "password": None,
        "oidc_issuer": new.issuer,
        "oidc_subject": new.subject,
        "disabled": False,
        "created_us": now_us(),
        "login_us": None,
    }
    connection.execute(insert(accounts).values(row))
    record(writer, connection, "account_added", person.id, by, role=new.role.value, oidc=bool(new.issuer))
    return account_of_person(connection, person.id)


def record(
    writer: Writer, connection: Connection, name: str, subject: str, by: Actor | None, **details: Any
) -> None:
    """Write an event about a person or a token, in the caller's transaction; `by` is who did it."""
    if by is not None and by.token is not None:
        details["token"] = by.token
    event = Event(name=name, person=None if by is None else by.person, subject=subject, details=details)
    writer.append_within(connection, [event])


def _query() -> Any:
    return select(accounts, people.c.name, people.c.address).join(
        people, people.c.person == accounts.c.person
    )


def _account(row: Any) -> Account:
    return Account(
        person=row.person,
        login=row.login,
        name=row.name,
        address=row.address,
        role=Role(row.role),
        disabled=bool(row.disabled),
        has_password=row.password is not None,
        oidc=row.oidc_issuer is not None,
        created_us=row.created_us,
        login_us=row.login_us,
    )


def list_accounts(connection: Connection) -> list[Account]:
    """All accounts by login name."""
    return [_account(row) for row in connection.execute(_query().order_by(accounts.c.login))]


def account_of_login(connection: Connection, login: str) -> Account | None:
    """The account of a login name in any of its forms; None where there is none."""
    wanted = normalise_login(login)
    if not wanted.isprintable():  # no account has it, and PostgreSQL takes no NUL
        return None
    row = connection.execute(_query().where(accounts.c.login == wanted)).one_or_none()
    return None if row is None else _account(row)


def account_of_person(connection: Connection, person: str) -> Account:
    """The account of a person; raises BadAccount of kind unknown."""
    row = connection.execute(_query().where(accounts.c.person == person)).one_or_none()
    if row is None:
        raise BadAccount(f"account of person {person!r:.80}: there is none", kind="unknown")
    return _account(row)


def set_role(
    connection: Connection,
    writer: Writer,
    person: str,
    role: Role,
    *,
    by: Actor | None,
    keep_admin: bool = True,
) -> Account:
    """Give an account another role, from the next request on.

    keep_admin  refuse where nobody else can administer
    raises  BadAccount: kind unknown; kind last_admin where nobody else can administer
    """
    account = account_of_person(connection, person)
    if account.role is role:
        return account
    if role is not Role.ADMIN and keep_admin:
        _keep_an_admin(connection, account)
    connection.execute(update(accounts).where(accounts.c.person == person).values(role=role.value))
    record(writer, connection, "role_changed", person, by, before=account.role.value, after=role.value)
    return account_of_person(connection, person)


def set_disabled(
    connection: Connection, writer: Writer, person: str, disabled: bool, *, by: Actor | None
) -> Account:
    """Disable an account and end its sessions, or enable it again.

    raises  BadAccount: kind unknown; kind last_admin where nobody else can administer
    """
    account = account_of_person(connection, person)
    if account.disabled == disabled:
        return account
    if disabled:
        _keep_an_admin(connection, account)
        revoke_sessions(connection, person, now_us=now_us())
        connection.execute(delete(links).where(links.c.person == person))
    connection.execute(update(accounts).where(accounts.c.person == person).values(disabled=disabled))
    record(writer, connection, "account_disabled" if disabled else "account_enabled", person, by)
    return account_of_person(connection, person)


def _admins(connection: Connection) -> list[str]:
    """Persons of administrators who can log in; locked until the transaction ends, in one order."""
    query = select(accounts.c.person, accounts.c.password, accounts.c.oidc_issuer).where(
        accounts.c.role == Role.ADMIN.value, accounts.c.disabled.is_(False)
    )
    rows = connection.execute(query.order_by(accounts.c.person).with_for_update()).all()
    return [row.person for row in rows if row.password is not None or row.oidc_issuer is not None]


def _keep_an_admin(connection: Connection, account: Account) -> None:
    admins = _admins(connection)
    if account.person in admins and len(admins) == 1:
        raise BadAccount(
            f"account {account.login}: is the last administrator; make another one first", kind="last_admin"
        )


def make_link(connection: Connection, writer: Writer, person: str, *, hours: float, by: Actor | None) -> str:
    """A secret that sets the password of an account once; earlier ones of it end.

    raises  BadAccount: kind unknown, or the account is disabled
    """
    if account_of_person(connection, person).disabled:
        raise BadAccount("account: is disabled; enable it first")
    connection.execute(delete(links).where((links.c.person == person) | (links.c.expires_us <= now_us())))
    secret = new_secret()
    row = {"secret": hash_secret(secret), "person": person, "expires_us": now_us() + int(hours * 3600e6)}
    connection.execute(insert(links).values(row))
    record(writer, connection, "link_made", person, by)
    return secret


def first_login(service: Service) -> str | None:
    """The path of a one-time link that sets the password of the first administrator.

    returns  None where an administrator can log in already
    An account with the role of an administrator is made where there is none. Every call makes a new link, and
    the one before it ends.
    """
    with service.console.transaction() as (connection, writer):
        if _admins(connection):
            return None
        waiting = (each for each in list_accounts(connection) if _waits_for_a_link(each))
        account = next(waiting, None) or _add_first(connection, writer)
        hours = service.settings.link_hours
        secret = make_link(connection, writer, account.person, hours=hours, by=None)
    return LINK_PATH + secret


def _waits_for_a_link(account: Account) -> bool:
    return account.role is Role.ADMIN and not (account.has_password or account.oidc or account.disabled)


def _add_first(connection: Connection, writer: Writer) -> Account:
    """A new account `admin`, or `admin2`, ... : one that exists with another role is left as it is."""
    taken = {each.login for each in list_accounts(connection)}
    names = (FIRST_LOGIN if number == 1 else f"{FIRST_LOGIN}{number}" for number in count(1))
    login = next(name for name in names if name not in taken)
    return add_account(connection, writer, NewAccount(login, Role.ADMIN), by=None)
