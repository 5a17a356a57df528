"""Accounts: list, add, role, disable and enable, a link for a new password, end of sessions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection
from starlette.responses import Response

from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.access import administration
from steelsight.service.access.accounts import NewAccount, account_of_person, list_accounts
from steelsight.service.access.roles import Caller, Role
from steelsight.service.access.sessions import count_sessions
from steelsight.service.api.idempotency import once
from steelsight.service.api.parts import ServicePart
from steelsight.service.context import Service
from steelsight.service.pages.admin.parts import (
    TABS,
    Admin,
    FormKey,
    PublicId,
    act,
    answer,
    changed_meanwhile,
    keep_answer,
    made_already,
    new_key,
    own_origin,
)
from steelsight.service.pages.rendering import render
from steelsight.service.problem import Problem

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
PAGE = "/admin"
Text = Annotated[str, Form(max_length=200)]


@router.get(PAGE)
def show_users(request: Request, service: ServicePart, caller: Admin) -> HTMLResponse:
    """The accounts."""
    return _page(request, service, caller)


def _page(
    request: Request, service: Service, caller: Caller, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """The page.

    values  made: a link that is shown once; problem: a refusal; form: what was typed
    """
    with service.ledger.read() as connection:
        accounts = list_accounts(connection)
        sessions = count_sessions(connection, service.settings, now_us=now_us())
    empty = {"login": "", "name": "", "address": "", "role": Role.VIEWER}
    shown = {"made": None, "problem": None, "form": empty, **values}
    return render(
        request,
        "admin/users.html",
        caller,
        status=status,
        tabs=TABS,
        accounts=accounts,
        sessions=sessions,
        roles=tuple(Role),
        key=new_key(),
        link_hours=service.settings.link_hours,
        **shown,
    )


def _refused(request: Request, service: Service, caller: Caller, problem: Problem) -> HTMLResponse:
    return _page(request, service, caller, status=problem.status, problem=problem)


@router.post("/admin/users")
def add_user(
    request: Request,
    service: ServicePart,
    caller: Admin,
    key: FormKey,
    login: Text,
    role: Annotated[Role, Form()],
    name: Text = "",
    address: Text = "",
) -> HTMLResponse:
    """Add an account; the answer shows the link for its password, once."""
    sent = (login.encode(), role.encode(), name.encode(), address.encode())
    again = once(caller, "POST /admin/users", key, *sent)
    assert again is not None
    settings = service.settings

    def do(connection: Connection, writer: Writer) -> dict[str, Any]:
        earlier = again.stored(connection)
        if earlier is None:
            new = NewAccount(login, role, name, address)
            account, path = administration.add_user(
                connection, writer, caller, new, link_hours=settings.link_hours
            )
            again.store(connection, 201, {"person": account.person}, days=settings.idempotency_days)
        else:  # the answer to the first did not arrive, so neither did its link
            account = account_of_person(connection, earlier[1]["person"])
            if account.has_password or account.disabled:
                raise made_already("account")
            path = administration.make_user_link(
                connection, writer, caller, account.person, link_hours=settings.link_hours
            )
            keep_answer(connection, again, {"person": account.person}, days=settings.idempotency_days)
        return {"login": account.login, "path": path, "repeated": earlier is not None}

    try:
        made = act(service, do)
    except Problem as problem:
        form = {"login": login, "role": role, "name": name, "address": address}
        return _page(request, service, caller, status=problem.status, problem=problem, form=form)
    return _made(request, service, caller, made, status=201)


def _made(
    request: Request, service: Service, caller: Caller, made: dict[str, Any], *, status: int = 200
) -> HTMLResponse:
    link = own_origin(request, service) + made["path"]
    return _page(request, service, caller, status=status, made={**made, "link": link})


@router.post("/admin/users/{person}/role")
def change_role(
    request: Request,
    service: ServicePart,
    caller: Admin,
    person: PublicId,
    role: Annotated[Role, Form()],
    was: Annotated[Role, Form()],
) -> Response:
    """Give an account another role.

    was  the role that the form showed
    """

    def do(connection: Connection, writer: Writer) -> None:
        now = account_of_person(connection, person).role
        if now is role:  # a second click
            return
        if now is not was:
            raise changed_meanwhile("the role", now)
        administration.change_role(connection, writer, caller, person, role)

    return answer(service, do, PAGE, lambda problem: _refused(request, service, caller, problem))


@router.post("/admin/users/{person}/disable")
def disable_user(request: Request, service: ServicePart, caller: Admin, person: PublicId) -> Response:
    """Disable an account; its sessions end. A second time changes nothing."""
    return _switch(request, service, caller, person, disabled=True)


@router.post("/admin/users/{person}/enable")
def enable_user(request: Request, service: ServicePart, caller: Admin, person: PublicId) -> Response:
    """Enable an account again."""
    return _switch(request, service, caller, person, disabled=False)


def _switch(request: Request, service: Service, caller: Caller, person: str, *, disabled: bool) -> Response:
    def do(connection: Connection, writer: Writer) -> None:
        administration.switch_user(connection, writer, caller, person, disabled=disabled)

    return answer(service, do, PAGE, lambda problem: _refused(request, service, caller, problem))


@router.post("/admin/users/{person}/link")
def make_link(request: Request, service: ServicePart, caller: Admin, person: PublicId) -> Response:
    """A link for a new password, shown once; an earlier one of the account ends."""
    hours = service.settings.link_hours

    def do(connection: Connection, writer: Writer) -> dict[str, Any]:
        path = administration.make_user_link(connection, writer, caller, person, link_hours=hours)
        return {"login": account_of_person(connection, person).login, "path": path, "repeated": False}

    try:
        made = act(service, do)
    except Problem as problem:
        return _refused(request, service, caller, problem)
    return _made(request, service, caller, made)


@router.post("/admin/users/{person}/sessions")
def end_sessions(request: Request, service: ServicePart, caller: Admin, person: PublicId) -> Response:
    """End every session of an account."""

    def do(connection: Connection, writer: Writer) -> None:
        administration.end_user_sessions(connection, writer, caller, person)

    return answer(service, do, PAGE, lambda problem: _refused(request, service, caller, problem))
