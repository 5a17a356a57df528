"""Routes of one's own login: log in and out, who am I, sessions, password, one-time link."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import Field

from steelsight.ledger.writing.writer import now_us
from steelsight.service.access import login as logins
from steelsight.service.access import sessions
from steelsight.service.access.carried import (
    Body,
    anonymous,
    end_cookies,
    give_cookies,
    refusing,
    service_of,
)
from steelsight.service.access.cookies import SESSION, read_cookie
from steelsight.service.access.credentials import csrf_token
from steelsight.service.access.guard import needs, needs_person
from steelsight.service.access.login import Carried, Started
from steelsight.service.access.origin import client_of
from steelsight.service.access.passwords import LONGEST, SHORTEST
from steelsight.service.access.roles import PERMISSIONS, Caller, Permission, Role
from steelsight.service.problem import Problem

__all__ = ["router"]

router = APIRouter(tags=["access"])
Anonymous = Annotated[Carried, Depends(anonymous)]
Anyone = Annotated[Caller, Depends(needs())]
Person = Annotated[Caller, Depends(needs_person)]
SessionId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Public id of a session.")]


class LoginBody(Body):
    """A login name and its password."""

    login: str = Field(min_length=1, max_length=400, examples=["anna"])
    password: str = Field(min_length=1, max_length=4096, examples=["four words are better"])


class PasswordBody(Body):
    """A new password and the current one."""

    current: str = Field(min_length=1, max_length=4096)
    password: str = Field(
        max_length=4096,
        description=f"{SHORTEST} to {LONGEST} characters.",
        examples=["four words are better"],
    )


class LinkBody(Body):
    """The secret of a one-time link and the password it sets."""

    link: str = Field(min_length=1, max_length=200, description="The last part of the link.")
    password: str = Field(
        max_length=4096,
        description=f"{SHORTEST} to {LONGEST} characters.",
        examples=["four words are better"],
    )


class Me(Body):
    """The caller of this request."""

    person: str | None = Field(description="Random id, as entries of the ledger hold it; null for machines.")
    name: str
    role: Role | None = Field(description="Null for machines.")
    permissions: tuple[Permission, ...]
    csrf: str | None = Field(
        description="For the header X-CSRF-Token where a browser sends no Sec-Fetch-Site."
    )


class SessionShown(Body):
    """One of one's own sessions."""

    id: str
    current: bool = Field(description="Whether this request belongs to it.")
    origin: str = Field(description="How it began: password, link or oidc.")
    address: str
    agent: str
    created_us: int
    used_us: int
    expires_us: int


class SessionList(Body):
    """One's own sessions, newest first."""

    sessions: tuple[SessionShown, ...]


def _begun(request: Request, response: Response, started: Started) -> Me:
    give_cookies(request, response, started)
    return Me(
        person=started.account.person,
        name=started.account.name,
        role=started.account.role,
        permissions=tuple(sorted(PERMISSIONS[started.account.role])),
        csrf=csrf_token(started.session),
    )


@router.post("/login")
def log_in(body: LoginBody, request: Request, response: Response, carried: Anonymous) -> Me:
    """Begin a session: the cookie of the answer authenticates what follows."""
    return _begun(request, response, logins.log_in(service_of(request), body.login, body.password, carried))


@router.post("/logout", status_code=204)
def log_out(request: Request, response: Response, caller: Person) -> None:
    """End this session."""
    logins.log_out(service_of(request), str(caller.person), str(caller.session))
    end_cookies(request, response)


@router.get("/me")
def show_me(request: Request, response: Response, caller: Anyone) -> Me:
    """Who calls, and what that caller may do."""
    response.headers["Cache-Control"] = "no-store"
    secret = None
    if caller.session is not None:
        secret = read_cookie(request, SESSION, client_of(request, service_of(request).settings))
    return Me(
        person=caller.person,
        name=caller.name,
        role=caller.role,
        permissions=tuple(sorted(caller.permissions)),
        csrf=csrf_token(secret) if secret else None,
    )


@router.get("/me/sessions")
def list_own_sessions(request: Request, caller: Person) -> SessionList:
    """One's own sessions that are valid now."""
    service = service_of(request)
    with service.ledger.read() as connection:
        found = sessions.list_sessions(connection, str(caller.person), service.settings, now_us=now_us())
    fields = set(SessionShown.model_fields) - {"current"}
    shown = (
        SessionShown(current=each.id == caller.session, **{name: getattr(each, name) for name in fields})
        for each in found
    )
    return SessionList(sessions=tuple(shown))


@router.delete("/me/sessions/{session}", status_code=204)
def end_own_session(request: Request, session: SessionId, caller: Person) -> None:
    """End one of one's own sessions, as on a computer that was left logged in."""
    service = service_of(request)
    with service.ledger.read() as connection:
        found = sessions.list_sessions(connection, str(caller.person), service.settings, now_us=now_us())
    if session not in {each.id for each in found}:
        raise Problem(404, "not_found", f"session {session}: you have none with this id", "list them first")
    logins.log_out(service, str(caller.person), session)


@router.post("/me/password")
def change_password(
    body: PasswordBody, request: Request, response: Response, caller: Person, carried: Anonymous
) -> Me:
    """Change one's own password: every other session ends, and this one gets a new cookie."""
    with refusing():
        started = logins.change_password(service_of(request), caller, body.current, body.password, carried)
    return _begun(request, response, started)


@router.post("/links/redeem")
def redeem_link(body: LinkBody, request: Request, response: Response, carried: Anonymous) -> Me:
    """Set a password by a one-time link and log in; the link ends."""
    with refusing():
        started = logins.redeem_link(service_of(request), body.link, body.password, carried)
    return _begun(request, response, started)
