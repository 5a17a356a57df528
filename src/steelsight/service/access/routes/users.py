"""Routes of accounts, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field

from steelsight.service.access import accounts, administration
from steelsight.service.access.accounts import Account, NewAccount
from steelsight.service.access.carried import Body, refusing, service_of
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission, Role

__all__ = ["router"]

router = APIRouter(tags=["users"])
Admin = Annotated[Caller, Depends(needs(Permission.USERS))]
PersonId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Random id of the person.")]


class UserBody(Body):
    """An account to be made."""

    login: str = Field(min_length=1, max_length=100, examples=["anna"])
    role: Role
    name: str = Field("", max_length=200, description="Of the person; empty = the login name.")
    address: str = Field("", max_length=200, description="E-mail.")


class RoleBody(Body):
    """Another role."""

    role: Role


class User(Body):
    """An account."""

    person: str = Field(description="Random id, as entries of the ledger hold it.")
    login: str
    name: str
    address: str
    role: Role
    disabled: bool
    has_password: bool
    oidc: bool = Field(description="Whether it belongs to an identity of the OIDC provider.")
    created_us: int
    login_us: int | None = Field(description="Last login.")


class UserList(Body):
    """All accounts by login name."""

    users: tuple[User, ...]


class OneTimeLink(Body):
    """A one-time link that sets a password."""

    path: str = Field(description="Behind the address of this service. It is shown once.")


class NewUser(Body):
    """An account and the link that sets its first password."""

    user: User
    link: OneTimeLink


def _shown(account: Account) -> User:
    return User(**vars(account))


@router.get("/users")
def list_users(request: Request, _caller: Admin) -> UserList:
    """All accounts."""
    with service_of(request).ledger.read() as connection:
        return UserList(users=tuple(map(_shown, accounts.list_accounts(connection))))


@router.post("/users", status_code=201)
def add_user(body: UserBody, request: Request, caller: Admin) -> NewUser:
    """Add an account; the person sets the password by the link of the answer."""
    service = service_of(request)
    new = NewAccount(body.login, body.role, body.name, body.address)
    with refusing(), service.console.transaction() as (connection, writer):
        account, path = administration.add_user(
            connection, writer, caller, new, link_hours=service.settings.link_hours
        )
    return NewUser(user=_shown(account), link=OneTimeLink(path=path))


@router.put("/users/{person}/role")
def change_role(body: RoleBody, request: Request, person: PersonId, caller: Admin) -> User:
    """Give an account another role, from its next request on."""
    with refusing(), service_of(request).console.transaction() as (connection, writer):
        return _shown(administration.change_role(connection, writer, caller, person, body.role))


@router.post("/users/{person}/disable")
def disable_user(request: Request, person: PersonId, caller: Admin) -> User:
    """Disable an account; its sessions end."""
    with refusing(), service_of(request).console.transaction() as (connection, writer):
        return _shown(administration.switch_user(connection, writer, caller, person, disabled=True))


@router.post("/users/{person}/enable")
def enable_user(request: Request, person: PersonId, caller: Admin) -> User:
    """Enable an account again."""
    with refusing(), service_of(request).console.transaction() as (connection, writer):
        return _shown(administration.switch_user(connection, writer, caller, person, disabled=False))


@router.post("/users/{person}/link", status_code=201)
def make_user_link(request: Request, person: PersonId, caller: Admin) -> OneTimeLink:
    """A one-time link that sets a new password; the current password stays until it is used."""
    service = service_of(request)
    with refusing(), service.console.transaction() as (connection, writer):
        hours = service.settings.link_hours
        path = administration.make_user_link(connection, writer, caller, person, link_hours=hours)
    return OneTimeLink(path=path)


@router.delete("/users/{person}/sessions", status_code=204)
def end_user_sessions(request: Request, person: PersonId, caller: Admin) -> None:
    """End every session of an account."""
    with refusing(), service_of(request).console.transaction() as (connection, writer):
        administration.end_user_sessions(connection, writer, caller, person)
