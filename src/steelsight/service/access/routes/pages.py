"""The page behind a one-time link: sets a password in a browser, without a script."""

from __future__ import annotations

from html import escape
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse

from steelsight.errors import BadAccount
from steelsight.service.access import login as logins
from steelsight.service.access.carried import anonymous, give_cookies, service_of
from steelsight.service.access.login import Carried
from steelsight.service.access.passwords import LONGEST, SHORTEST
from steelsight.service.problem import Problem

__all__ = ["router"]

router = APIRouter(tags=["access"], include_in_schema=False, default_response_class=HTMLResponse)
Secret = Annotated[str, Query(max_length=200, alias="secret")]

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Steelsight</title>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
_FORM: Final = """<p>{note}</p>
<form method="post" action="/access/link">
<input type="hidden" name="secret" value="{secret}">
<p><label>Login name<br>
<input name="login" value="{login}" autocomplete="username" readonly></label></p>
<p><label>New password, at least {shortest} characters<br>
<input name="password" type="password" autocomplete="new-password" required autofocus
 minlength="{shortest}" maxlength="{longest}"></label></p>
<p><label>The same again<br>
<input name="again" type="password" autocomplete="new-password" maxlength="{longest}" required></label></p>
<p><button>Set password and log in</button></p>
</form>"""


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status_code=status, headers=headers)


def _form(secret: str, login: str, note: str, status: int = 200) -> HTMLResponse:
    body = _FORM.format(
        note=escape(note), secret=escape(secret), login=escape(login), shortest=SHORTEST, longest=LONGEST
    )
    return _page("Set a password", body, status)


def _ended(problem: Problem) -> HTMLResponse:
    return _page("No password was set", f"<p>{escape(f'{problem}; {problem.advice}')}.</p>", problem.status)


@router.get("/access/link")
def show_link(request: Request, secret: Secret) -> HTMLResponse:
    """The form; opening it does not use the link up."""
    try:
        login = logins.waiting_login(service_of(request), secret)
    except Problem as problem:
        return _ended(problem)
    return _form(secret, login, "This link works once.")


@router.post("/access/link")
def use_link(
    request: Request,
    carried: Annotated[Carried, Depends(anonymous)],
    secret: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=4096)],
    again: Annotated[str, Form(max_length=4096)],
) -> HTMLResponse:
    """Set the password and begin a session."""
    service = service_of(request)
    try:
        login = logins.waiting_login(service, secret)
        if password != again:
            return _form(secret, login, "The two passwords differ.", 422)
        started = logins.redeem_link(service, secret, password, carried)
    except BadAccount as error:
        return _form(secret, login, f"{error}.", 422)
    except Problem as problem:
        return _ended(problem)
    answer = _page(
        "The password is set", f"<p>You are logged in as {escape(login)}, {started.account.role}.</p>"
    )
    give_cookies(request, answer, started)
    return answer
