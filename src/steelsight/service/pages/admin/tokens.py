"""Tokens of machines: list, make (shown once), revoke."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection
from starlette.responses import Response

from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.access import administration, tokens
from steelsight.service.access.accounts import list_accounts
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.access.tokens import MOST_DAYS, Token
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
    keep_answer,
    made_already,
    new_key,
)
from steelsight.service.pages.rendering import render
from steelsight.service.problem import Problem

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
PAGE = "/admin/tokens"
DAYS = 365.0


@router.get(PAGE)
def show_tokens(request: Request, service: ServicePart, caller: Admin) -> HTMLResponse:
    """The tokens, newest first."""
    return _page(request, service, caller)


def _page(
    request: Request, service: Service, caller: Caller, *, status: int = 200, **values: Any
) -> HTMLResponse:
    """The page.

    values  made: a secret that is shown once; problem: a refusal; form: what was typed
    """
    with service.ledger.read() as connection:
        found = tokens.list_tokens(connection)
        names = {each.person: each.name for each in list_accounts(connection)}
    now = now_us()
    shown = {"made": None, "problem": None, "form": {"name": "", "scopes": (), "days": f"{DAYS:g}"}, **values}
    return render(
        request,
        "admin/tokens.html",
        caller,
        status=status,
        tabs=TABS,
        tokens=[(each, _state(each, now), names.get(each.creator or "", "")) for each in found],
        scopes=tuple(each for each in Permission if caller.may(each)),
        most_days=MOST_DAYS,
        key=new_key(),
        **shown,
    )


def _state(token: Token, now: int) -> str:
    return "valid" if token.valid(now) else "revoked" if token.revoked_us else "expired"


@router.post(PAGE)
def create_token(
    request: Request,
    service: ServicePart,
    caller: Admin,
    key: FormKey,
    name: Annotated[str, Form(max_length=200)],
    scopes: Annotated[list[Permission], Form(default_factory=list)],
    days: Annotated[float, Form(ge=0, le=MOST_DAYS, allow_inf_nan=False)] = DAYS,
) -> HTMLResponse:
    """Make a token; the answer shows its secret, once.

    days  0 = it never expires
    """
    wanted = sorted(set(scopes))
    again = once(
        caller, "POST /admin/tokens", key, name.encode(), " ".join(wanted).encode(), f"{days}".encode()
    )
    assert again is not None

    def do(connection: Connection, writer: Writer) -> dict[str, Any]:
        earlier = again.stored(connection)
        if earlier is not None:  # the answer to the first did not arrive, so neither did its secret
            _take_back(connection, writer, caller, earlier[1]["token"])
        token, secret = administration.create_token(
            connection, writer, caller, name, wanted, days=days or None
        )
        keep_answer(connection, again, {"token": token.id}, days=service.settings.idempotency_days)
        return {"token": token, "secret": secret, "repeated": earlier is not None}

    try:
        made = act(service, do)
    except Problem as problem:
        form = {"name": name, "scopes": tuple(wanted), "days": f"{days:g}"}
        return _page(request, service, caller, status=problem.status, problem=problem, form=form)
    return _page(request, service, caller, status=201, made=made)


def _take_back(connection: Connection, writer: Writer, caller: Caller, identity: str) -> None:
    """Revoke the token of the first time; raises Problem 409 where it is in use, or was revoked already."""
    first = next((each for each in tokens.list_tokens(connection) if each.id == identity), None)
    if first is None or first.used_us is not None or first.revoked_us is not None:
        raise made_already("token")
    tokens.revoke_token(connection, writer, identity, by=caller.actor)


@router.post("/admin/tokens/{token}/revoke")
def revoke_token(request: Request, service: ServicePart, caller: Admin, token: PublicId) -> Response:
    """End a token at once. A second time changes nothing."""

    def do(connection: Connection, writer: Writer) -> None:
        revoked = {each.id for each in tokens.list_tokens(connection) if each.revoked_us is not None}
        if token not in revoked:
            tokens.revoke_token(connection, writer, token, by=caller.actor)

    def refused(problem: Problem) -> Response:
        return _page(request, service, caller, status=problem.status, problem=problem)

    return answer(service, do, PAGE, refused)
