"""What the routes of access share: bodies that refuse unknown fields, cookies of a login, and errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from steelsight.errors import BadAccount
from steelsight.service.access.cookies import (
    DEVICE,
    SESSION,
    drop_cookie,
    read_cookie,
    require_private,
    set_cookie,
)
from steelsight.service.access.login import DEVICE_DAYS, Carried, Started
from steelsight.service.access.origin import Client, check_site, client_of
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.access.sessions import Visitor
from steelsight.service.context import Service
from steelsight.service.problem import Problem

__all__ = [
    "Body",
    "anonymous",
    "carried_by",
    "check_grant",
    "end_cookies",
    "give_cookies",
    "refusing",
    "service_of",
]

STATUS: Final = {"unknown": 404, "taken": 409, "last_admin": 409, "refused": 422}


class Body(BaseModel):
    """A body whose fields are all known: none that is unknown is ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def service_of(request: Request) -> Service:
    """The service that answers."""
    service: Service = request.app.state.service
    return service


def anonymous(request: Request) -> Carried:
    """What a browser brings along to a login; raises Problem 403 cross_site and https_needed."""
    service = service_of(request)
    client = client_of(request, service.settings)
    require_private(client)
    check_site(request, client, service.settings, None)
    return carried_by(request)


def carried_by(request: Request) -> Carried:
    """What a browser brings along, whatever site sent it."""
    client = client_of(request, service_of(request).settings)
    visitor = Visitor(client.address, request.headers.get("user-agent", ""))
    return Carried(visitor, read_cookie(request, SESSION, client), read_cookie(request, DEVICE, client))


def give_cookies(request: Request, response: Response, started: Started) -> None:
    """Set the cookies of a session that has begun."""
    service = service_of(request)
    client = client_of(request, service.settings)
    seconds = int(service.settings.session_hours * 3600)
    set_cookie(response, SESSION, started.session, client, seconds=seconds)
    set_cookie(response, DEVICE, started.device, client, seconds=DEVICE_DAYS * 86_400)
    response.headers["Cache-Control"] = "no-store"


def end_cookies(request: Request, response: Response) -> None:
    """Remove the session's cookie."""
    client: Client = client_of(request, service_of(request).settings)
    drop_cookie(response, SESSION, client)
    response.headers["Cache-Control"] = "no-store"


def check_grant(caller: Caller, permissions: Iterable[Permission], what: str) -> None:
    """Refuse to give what the caller does not have; raises Problem 403 beyond_own."""
    missing = sorted(set(permissions) - caller.permissions)
    if missing:
        raise Problem(
            403,
            "beyond_own",
            f"{what} may {', '.join(missing)}, which the caller may not",
            "an administrator does this, or a token that has these scopes itself",
        )


@contextmanager
def refusing() -> Iterator[None]:
    """Answer an account that cannot be made or changed so: 404, 409 or 422."""
    try:
        yield
    except BadAccount as error:
        code = f"{error.kind}_account" if error.kind != "last_admin" else error.kind
        raise Problem(STATUS[error.kind], code, str(error), "correct what the message names") from error
