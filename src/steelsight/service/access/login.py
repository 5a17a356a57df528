"""Log in and out, set passwords, redeem one-time links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from steelsight.ledger.chain.entries import Event
from steelsight.ledger.database.accounts import accounts, devices, links
from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.access.accounts import Account, account_of_login, account_of_person, record
from steelsight.service.access.credentials import hash_secret, new_secret
from steelsight.service.access.login_names import normalise_login
from steelsight.service.access.passwords import check_password, hasher_of
from steelsight.service.access.roles import Actor, Caller
from steelsight.service.access.sessions import Visitor, find_session, revoke_sessions, start_session
from steelsight.service.access.throttle import (
    Blocked,
    Key,
    account_key,
    address_key,
    count_attempt,
    device_key,
    forgive,
    must_wait,
)
from steelsight.service.context import Service
from steelsight.service.problem import Problem

__all__ = [
    "DEVICE_DAYS",
    "Carried",
    "Started",
    "begin_session",
    "change_password",
    "log_in",
    "log_out",
    "redeem_link",
    "set_password",
    "waiting_login",
]

DEVICE_DAYS: Final = 180
BURST: Final = 5  # failures in a row that become an event; so does every doubling


@dataclass(frozen=True)
class Carried:
    """What a browser brought along."""

    visitor: Visitor
    session: str | None = None  # secret of the cookie; that session ends at a login
    device: str | None = None  # secret of a browser that has logged in before


@dataclass(frozen=True)
class Started:
    """A session that has begun, with the secrets for the cookies."""

    account: Account
    session: str
    device: str


def log_in(service: Service, login: str, password: str, carried: Carried) -> Started:
    """Begin a session with a new secret.

    raises  Problem: 401 wrong_login, the same for every reason; 429 too_many_logins; 503 busy
    """
    settings, hasher = service.settings, hasher_of(service.settings)
    with service.ledger.read() as connection:
        account = account_of_login(connection, login)
        stored = _stored_hash(connection, "" if account is None else account.person)
        known = account is not None and _knows_device(connection, carried.device, account.person)
    person = None if account is None else account.person
    if known and carried.device:
        keys = [device_key(hash_secret(carried.device), settings)]
    else:
        named = account_key(person, normalise_login(login), settings)
        keys = [named, address_key(carried.visitor.address, settings)]
    with hasher.turn():
        counted = _counted(service, keys)
        right = hasher.verify(stored, password) and account is not None and not account.disabled
        better = hasher.hash(password) if right and stored and hasher.is_stale(stored) else stored
    if not right or account is None:
        _record_burst(service, account, counted)
        raise _wrong()
    with service.console.transaction() as (connection, writer):
        same = (
            accounts.c.person == account.person,
            accounts.c.password == stored,
            accounts.c.disabled.is_(False),
        )
        values = {"password": better, "login_us": now_us()}
        if connection.execute(update(accounts).where(*same).values(values)).rowcount != 1:
            raise _wrong()  # it was changed or disabled meanwhile
        forgive(connection, keys, now_us=now_us())
        return begin_session(connection, writer, service, account.person, carried, origin="password")


def _stored_hash(connection: Connection, person: str) -> str | None:
    return connection.execute(select(accounts.c.password).where(accounts.c.person == person)).scalar()


def _knows_device(connection: Connection, secret: str | None, person: str) -> bool:
    if secret is None:
        return False
    query = select(devices.c.person).where(
        devices.c.secret == hash_secret(secret), devices.c.person == person, devices.c.expires_us > now_us()
    )
    return connection.execute(query).one_or_none() is not None


def _counted(service: Service, keys: Sequence[Key]) -> dict[str, int]:
    """Count an attempt before its password is looked at; raises Problem 429 too_many_logins."""
    with service.ledger.write() as connection:
        counted = count_attempt(connection, keys, now_us=now_us())
    if isinstance(counted, Blocked):
        raise must_wait(counted)
    return counted


def _wrong() -> Problem:
    return Problem(
        401,
        "wrong_login",
        "the login name or the password is wrong, or the account is disabled",
        "check both; an administrator can make a one-time link that sets a new password",
    )


def _record_burst(service: Service, account: Account | None, counted: dict[str, int]) -> None:
    """Put 5, 10, 20, 40, … failures in a row on record: of an account, a browser or an address.

    Names that nobody has are not recorded, because anybody could fill the ledger with them; the work is much
    the same, so that its time does not tell which names exist.
    """
    for key, failures in counted.items():
        times, rest = divmod(failures, BURST)
        if rest or times & (times - 1):
            continue
        kind = key.partition(" ")[0]
        with service.console.transaction() as (connection, writer):
            if kind != "address" and account is None:
                writer.hold(connection)
                continue
            person = None if account is None or kind == "address" else account.person
            details = {"by": kind, "failures": failures}
            writer.append_within(connection, [Event(name="login_failures", subject=person, details=details)])


def begin_session(
    connection: Connection, writer: Writer, service: Service, person: str, carried: Carried, *, origin: str
) -> Started:
    """Begin a session in the caller's transaction; the one that the browser brought along ends.

    origin  password, link or oidc
    """
    now = now_us()
    if carried.session is not None:
        before = find_session(connection, carried.session, service.settings, now_us=now)
        if before is not None:
            revoke_sessions(connection, before.person, now_us=now, only=before.id)
    _, secret = start_session(
        connection, person, carried.visitor, service.settings, origin=origin, now_us=now
    )
    connection.execute(update(accounts).where(accounts.c.person == person).values(login_us=now))
    device = carried.device if _knows_device(connection, carried.device, person) else None
    if device is None:
        device = new_secret()
        connection.execute(delete(devices).where(devices.c.expires_us <= now))
        row = {
            "secret": hash_secret(device),
            "person": person,
            "expires_us": now + DEVICE_DAYS * 86_400_000_000,
        }
        connection.execute(insert(devices).values(row))
    writer.append_within(connection, [Event(name="login", person=person, details={"by": origin})])
    return Started(account_of_person(connection, person), secret, device)


def log_out(service: Service, person: str, session: str) -> None:
    """End a session by its public id."""
    with service.console.transaction() as (connection, writer):
        if revoke_sessions(connection, person, now_us=now_us(), only=session):
            writer.append_within(connection, [Event(name="logout", person=person)])


def set_password(
    connection: Connection,
    writer: Writer,
    person: str,
    hashed: str,
    *,
    by: Actor | None,
    but: str | None = None,
) -> None:
    """Set a password by its hash; its links, its known browsers and its sessions end.

    but  public id of a session that goes on
    """
    connection.execute(update(accounts).where(accounts.c.person == person).values(password=hashed))
    for table in (links, devices):
        connection.execute(delete(table).where(table.c.person == person))
    ended = revoke_sessions(connection, person, now_us=now_us(), but=but)
    record(writer, connection, "password_changed", person, by, sessions_ended=ended)


def change_password(service: Service, caller: Caller, current: str, wanted: str, carried: Carried) -> Started:
    """Set one's own password, knowing the current one; every session ends, and a new one begins.

    raises  BadAccount for a password that the rules refuse; Problem 403 wrong_password, 429 too_many_logins
    """
    person = str(caller.person)
    with service.ledger.read() as connection:
        account = account_of_person(connection, person)
        stored = _stored_hash(connection, person)
    check_password(wanted, account.login)
    hasher = hasher_of(service.settings)
    keys = [
        Key(f"session {caller.session}", service.settings.login_attempts)
    ]  # apart from attempts by others
    with hasher.turn():
        counted = _counted(service, keys)
        right = hasher.verify(stored, current)
        hashed = hasher.hash(wanted) if right else ""
    if not right:
        _record_burst(service, account, counted)
        raise Problem(403, "wrong_password", "the current password is wrong", "check it")
    with service.console.transaction() as (connection, writer):
        forgive(connection, keys, now_us=now_us())
        set_password(connection, writer, person, hashed, by=Actor(person))
        return begin_session(connection, writer, service, person, carried, origin="password")


def waiting_login(service: Service, link: str) -> str:
    """The login name whose password a one-time link sets; raises Problem 404 link_ended."""
    with service.ledger.read() as connection:
        person = connection.execute(select(links.c.person).where(*_usable(link))).scalar()
        if person is None:
            raise _link_ended()
        return account_of_person(connection, person).login


def _usable(link: str) -> tuple[Any, ...]:
    return links.c.secret == hash_secret(link), links.c.expires_us > now_us()


def _link_ended() -> Problem:
    return Problem(
        404,
        "link_ended",
        "this link is unknown, was used, or has expired",
        "ask an administrator for a new one, or run `steelsight user password LOGIN --link`",
    )


def redeem_link(service: Service, link: str, password: str, carried: Carried) -> Started:
    """Set the password of the link's account and log in; the link ends.

    raises  BadAccount for a password that the rules refuse; Problem 404 link_ended
    """
    check_password(password, waiting_login(service, link))
    hasher = hasher_of(service.settings)
    with hasher.turn():
        hashed = hasher.hash(password)
    with service.console.transaction() as (connection, writer):
        person = connection.execute(select(links.c.person).where(*_usable(link)).with_for_update()).scalar()
        if person is None:
            raise _link_ended()
        set_password(connection, writer, person, hashed, by=Actor(person))
        forgive(connection, [account_key(person, "", service.settings)], now_us=now_us())
        return begin_session(connection, writer, service, person, carried, origin="link")
