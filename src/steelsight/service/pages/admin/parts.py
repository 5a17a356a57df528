"""What the pages of administrators share: who may, and how a form is answered."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Form, Path, Request
from sqlalchemy import Connection, delete
from starlette.responses import RedirectResponse, Response

from steelsight.ledger.database.schema import idempotency_keys
from steelsight.ledger.writing.writer import Writer
from steelsight.service.access.carried import refusing
from steelsight.service.access.guard import needs
from steelsight.service.access.origin import client_of
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.idempotency import Once
from steelsight.service.context import Service
from steelsight.service.pages.navigation import N_
from steelsight.service.problem import Problem

__all__ = [
    "TABS",
    "Admin",
    "FormKey",
    "PublicId",
    "act",
    "answer",
    "changed_meanwhile",
    "keep_answer",
    "made_already",
    "new_key",
    "own_origin",
]

Value = TypeVar("Value")
Admin = Annotated[Caller, Depends(needs(Permission.USERS))]
PublicId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
FormKey = Annotated[str, Form(pattern="^[0-9a-f]{32}$")]  # of one showing of a form
TABS: Final = (
    ("/admin", N_("Users")),
    ("/admin/tokens", N_("Tokens")),
    ("/admin/stations", N_("Stations")),
    ("/admin/retention", N_("Retention")),
    ("/audit", N_("Audit log")),
)


def new_key() -> str:
    """A key for a form, by which it is known when it comes twice."""
    return secrets.token_hex(16)


def act(service: Service, do: Callable[[Connection, Writer], Value]) -> Value:
    """Do something in one transaction with the event about it; raises Problem for what is refused."""
    with refusing(), service.console.transaction() as (connection, writer):
        return do(connection, writer)


def answer(
    service: Service,
    do: Callable[[Connection, Writer], Any],
    target: str,
    refused: Callable[[Problem], Response],
) -> Response:
    """Do what a form asks for, and go to a page; a refusal is shown on the page of the form.

    target   address to go to
    refused  the page with the refusal
    """
    try:
        act(service, do)
    except Problem as problem:
        return refused(problem)
    return RedirectResponse(target, status_code=303)


def changed_meanwhile(what: str, now: str) -> Problem:
    """The refusal of a form that shows what is no longer so."""
    return Problem(
        409,
        "changed_meanwhile",
        f"{what} was changed meanwhile: it is {now} now",
        "nothing was written; look at the page as it is now, and send the form again if it is still wanted",
    )


def made_already(what: str) -> Problem:
    """The refusal of a form that came twice and whose first result is in use."""
    return Problem(
        409,
        "made_already",
        f"this form was sent before, and the {what} of that time is in use",
        "use a fresh form for another one",
    )


def keep_answer(connection: Connection, again: Once, values: dict[str, str], *, days: float) -> None:
    """Keep what a form has made, in place of what it made before."""
    table = idempotency_keys
    connection.execute(delete(table).where(table.c.scope == again.scope, table.c.key == again.key))
    again.store(connection, 201, values, days=days)


def own_origin(request: Request, service: Service) -> str:
    """The address of the service as browsers see it, without a path."""
    return (service.settings.public_url or client_of(request, service.settings).origin).rstrip("/")
