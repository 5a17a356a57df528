"""The account of an identity: found by issuer and subject, linked by a verified address, or made anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select, update

from steelsight.errors import BadAccount
from steelsight.ledger.database.accounts import accounts
from steelsight.ledger.writing.writer import Writer
from steelsight.service.access.accounts import (
    Account,
    NewAccount,
    account_of_person,
    add_account,
    list_accounts,
    record,
    set_role,
)
from steelsight.service.access.credentials import hash_secret
from steelsight.service.access.login_names import wanted_login
from steelsight.service.access.roles import Role
from steelsight.service.problem import Problem
from steelsight.service.settings.access import OidcSettings

__all__ = ["account_of", "role_of"]

LONGEST: Final = 200


def role_of(claims: Mapping[str, Any], settings: OidcSettings) -> Role | None:
    """The role of an identity: that of the first value in `roles` that its claim holds; None = refused."""
    held: Any = claims
    for part in settings.role_claim.split("."):
        held = held.get(part) if isinstance(held, Mapping) else None
    values = {held} if isinstance(held, str) else {each for each in held or () if isinstance(each, str)}
    for value, role in settings.roles.items():
        if value in values:
            return Role(role)
    return None if settings.default_role is None else Role(settings.default_role)


def account_of(
    connection: Connection, writer: Writer, claims: Mapping[str, Any], settings: OidcSettings
) -> Account:
    """The account that logs in, with the role that the provider gives it now.

    claims  of an ID token that was checked
    raises  Problem 403 no_role or account_disabled
    """
    role = role_of(claims, settings)
    if role is None:
        raise Problem(
            403,
            "no_role",
            f"the provider gives this identity no value of {settings.role_claim!r} that has a role here",
            "an administrator adds the value to `oidc.roles`, or gives the identity another group there",
        )
    account = _known(connection, claims, settings) or _by_email(connection, writer, claims, settings)
    if account is None:
        return _made(connection, writer, claims, settings, role)
    if account.disabled:
        raise Problem(403, "account_disabled", "this account is disabled", "ask an administrator")
    if settings.roles:  # the provider decides, also about the last administrator
        return set_role(connection, writer, account.person, role, by=None, keep_admin=False)
    return account


def _known(connection: Connection, claims: Mapping[str, Any], settings: OidcSettings) -> Account | None:
    query = select(accounts.c.person).where(
        accounts.c.oidc_issuer == settings.issuer, accounts.c.oidc_subject == claims["sub"]
    )
    person = connection.execute(query).scalar()
    return None if person is None else account_of_person(connection, person)


def _by_email(
    connection: Connection, writer: Writer, claims: Mapping[str, Any], settings: OidcSettings
) -> Account | None:
    """The one local account with the address that the provider has verified, if the settings allow it."""
    email = claims.get("email")
    if not settings.link_by_email or claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    wanted = email.strip().casefold()
    found = [
        each for each in list_accounts(connection) if wanted and each.address.strip().casefold() == wanted
    ]
    if len(found) != 1 or found[0].oidc or found[0].disabled:
        return None
    person = found[0].person
    identity = {"oidc_issuer": settings.issuer, "oidc_subject": claims["sub"]}
    connection.execute(update(accounts).where(accounts.c.person == person).values(identity))
    record(writer, connection, "identity_linked", person, None)
    return account_of_person(connection, person)


def _made(
    connection: Connection, writer: Writer, claims: Mapping[str, Any], settings: OidcSettings, role: Role
) -> Account:
    name = _text(claims, "name")
    email = _text(claims, "email") if claims.get("email_verified") is True else ""
    taken = {each.login for each in list_accounts(connection)}
    login = _free_login(claims, settings, taken)
    new = NewAccount(login, role, name, email, issuer=settings.issuer, subject=claims["sub"])
    return add_account(connection, writer, new, by=None)


def _free_login(claims: Mapping[str, Any], settings: OidcSettings, taken: set[str]) -> str:
    """The login name that the provider tells, or one made of the subject where it is taken or impossible."""
    try:
        login = wanted_login(_text(claims, settings.login_claim))
    except BadAccount:
        login = ""
    if login and login not in taken:
        return login
    return f"oidc-{hash_secret(settings.issuer + ' ' + claims['sub']).hex()[:16]}"


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        return ""
    return "".join(each for each in value if each.isprintable())[:LONGEST].strip()
