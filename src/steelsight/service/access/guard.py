"""The check of every request: who calls, by session or token, and whether that caller may do it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Annotated, Final

from fastapi import Depends
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from steelsight.errors import BadLedger
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access import sessions, tokens
from steelsight.service.access.cookies import SESSION, read_cookie
from steelsight.service.access.origin import Client, check_site, client_of
from steelsight.service.access.roles import PERMISSIONS, Caller, Permission, Role
from steelsight.service.context import Service
from steelsight.service.problem import Problem

__all__ = ["OPEN_ROLE", "needs", "needs_person", "optional_caller", "still_allowed"]

OPEN_ROLE: Final = Role.OPERATOR  # of everybody under `--open`
TOUCH_US: Final = 60_000_000  # use of a session or token is written at most so often
LOG: Final = logging.getLogger("steelsight.service.access")

_BEARER: Final = HTTPBearer(auto_error=False, scheme_name="token", description="Token of a machine.")
_COOKIE: Final = APIKeyCookie(
    name=f"__Host-{SESSION}", auto_error=False, scheme_name="session", description="Session of a person."
)


@cache
def needs(permission: Permission | None = None) -> Callable[[Request, object, object], Awaitable[Caller]]:
    """A dependency that yields the caller of a request who has a permission.

    permission  None = anybody who is known
    The dependency raises Problem: 401 not_logged_in, 403 forbidden, 403 cross_site, 400 cookie_twice.
    """

    async def check(
        request: Request,
        _bearer: Annotated[object, Depends(_BEARER)],  # both for the description in OpenAPI
        _cookie: Annotated[object, Depends(_COOKIE)],
    ) -> Caller:
        if _carries_secret(request):  # which is looked up in the database
            caller = await run_in_threadpool(optional_caller, request)
        else:
            caller = optional_caller(request)
        request.state.caller = caller  # for the log
        if caller is None:
            raise _unknown("expected a session or a token, got none that is valid")
        if permission is not None and not caller.may(permission):
            raise Problem(
                403,
                "forbidden",
                f"expected the permission {permission}, which {_who(caller)} does not have",
                "ask an administrator for a role or a token that has it",
            )
        return caller

    return check


def _carries_secret(request: Request) -> bool:
    return "authorization" in request.headers or "cookie" in request.headers


def needs_person(
    caller: Annotated[Caller, Depends(needs())],
) -> Caller:
    """A dependency that yields a caller with a session; raises Problem 403 without one."""
    if caller.session is None or caller.person is None:
        raise Problem(
            403,
            "person_needed",
            f"expected a person who has logged in, got {_who(caller)}",
            "log in with an account",
        )
    return caller


def _who(caller: Caller) -> str:
    if caller.role is not None:
        return f"the role {caller.role}"
    return "this token"


def optional_caller(request: Request) -> Caller | None:
    """The caller of a request; None where it carries no valid session and no token.

    A header `Authorization: Bearer` decides alone: the cookie beside it is not looked at, and where the token
    is not valid, nobody is known.
    raises  Problem: 403 cross_site, 401 not_logged_in for a token that is not valid, 400 cookie_twice
    """
    service: Service = request.app.state.service
    client = client_of(request, service.settings)
    bearer = _bearer_token(request)
    if bearer is not None:
        return _machine(service, bearer)
    secret = read_cookie(request, SESSION, client)
    caller = None if not secret else _person(service, secret)
    if caller is not None:
        check_site(request, client, service.settings, secret)
        return caller
    return _anybody(request, service, client)


def _bearer_token(request: Request) -> str | None:
    """The token of the header Authorization; None where there is none, or another scheme such as Basic."""
    found = []
    for header in request.headers.getlist("authorization"):
        scheme, _, value = header.strip().partition(" ")
        if scheme.lower() == "bearer":
            found.append(value.strip())
    if len(found) > 1:
        raise _unknown("expected one header Authorization with a token, got several")
    return found[0] if found else None


def _machine(service: Service, secret: str) -> Caller:
    now = now_us()
    with service.ledger.read() as connection:
        token = tokens.find_token(connection, secret, at_us=now)
    if token is None:
        raise _unknown("the token is unknown, revoked or expired")
    if token.used_us is None or now - token.used_us > TOUCH_US:
        try:
            with service.ledger.write() as connection:
                tokens.touch_token(connection, token, at_us=now)
        except BadLedger as error:
            LOG.warning("the use of a token could not be written: %s", error)
    return Caller(None, token.name, None, frozenset(token.scopes), token=token.id)


def _person(service: Service, secret: str) -> Caller | None:
    now = now_us()
    with service.ledger.read() as connection:
        session = sessions.find_session(connection, secret, service.settings, now_us=now)
    if session is None:
        return None
    if now - session.used_us > TOUCH_US:
        try:
            with service.ledger.write() as connection:
                sessions.touch(connection, session, now_us=now)
        except BadLedger as error:
            LOG.warning("the use of a session could not be written: %s", error)
    return Caller(session.person, session.name, session.role, PERMISSIONS[session.role], session=session.id)


def _anybody(request: Request, service: Service, client: Client) -> Caller | None:
    if not service.settings.open:
        return None
    check_site(request, client, service.settings, None)
    return Caller(None, "anybody", OPEN_ROLE, PERMISSIONS[OPEN_ROLE])


def _unknown(message: str) -> Problem:
    return Problem(
        401,
        "not_logged_in",
        message,
        "log in, or send a token in the header Authorization: Bearer",
        headers={"WWW-Authenticate": "Bearer"},
    )


def still_allowed(request: Request, permission: Permission) -> bool:
    """Whether the caller of a long request, such as a stream, still has a permission; ask now and then."""
    try:
        caller = optional_caller(request)
    except Problem:
        return False
    return caller is not None and caller.may(permission)
