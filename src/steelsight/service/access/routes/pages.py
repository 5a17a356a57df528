"""The page behind a one-time link: sets a password in a browser, without a script."""

from __future__ import annotations

from html import escape
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from steelsight.errors import BadAccount
from steelsight.service.access import login as logins
from steelsight.service.access.carried import anonymous, give_cookies, service_of
from steelsight.service.access.html import page, sentence
from steelsight.service.access.passwords import LONGEST, SHORTEST
from steelsight.service.access.routes.home import HOME
from steelsight.service.problem import Problem
from steelsight.service.wording.page_words import PageWords, words_of

__all__ = ["router"]

router = APIRouter(tags=["access"], include_in_schema=False, default_response_class=HTMLResponse)
Secret = Annotated[str, Query(max_length=200, alias="secret")]

_FORM: Final = """<p{mark}>{note}</p>
<form method="post" action="/access/link">
<input type="hidden" name="secret" value="{secret}">
<label>{name}
<input name="login" value="{login}" autocomplete="username" readonly></label>
<label>{new}
<input name="password" type="password" autocomplete="new-password" required autofocus
 minlength="{shortest}" maxlength="{longest}"></label>
<label>{same}
<input name="again" type="password" autocomplete="new-password" maxlength="{longest}" required></label>
<p><button>{set}</button></p>
</form>"""


def _form(words: PageWords, secret: str, login: str, note: str, status: int = 200) -> HTMLResponse:
    body = _FORM.format(
        mark="" if status == 200 else ' class="note" role="alert"',
        note=escape(note),
        secret=escape(secret),
        login=escape(login),
        shortest=SHORTEST,
        longest=LONGEST,
        name=escape(words("Login name")),
        new=escape(words("New password, at least %(number)s characters", number=SHORTEST)),
        same=escape(words("The same again")),
        set=escape(words("Set password and log in")),
    )
    return page(words, words("Set a password"), body, status)


def _ended(words: PageWords, problem: Problem) -> HTMLResponse:
    on = escape(words("To the first page"))
    link = f'<a href="{HOME}">{on}</a>'
    body = f"<p>{sentence(words, problem)}</p>\n<p>{link}</p>"
    return page(words, words("No password was set"), body, problem.status)


@router.get("/access/link")
def show_link(request: Request, secret: Secret) -> HTMLResponse:
    """The form; opening it does not use the link up."""
    words = words_of(request)
    try:
        login = logins.waiting_login(service_of(request), secret)
    except Problem as problem:
        return _ended(words, problem)
    return _form(words, secret, login, words("This link works once."))


@router.post("/access/link")
def use_link(
    request: Request,
    secret: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=4096)],
    again: Annotated[str, Form(max_length=4096)],
) -> Response:
    """Set the password, begin a session, and go to the first page."""
    service, login, words = service_of(request), "", words_of(request)
    try:
        carried = anonymous(request)
        login = logins.waiting_login(service, secret)
        if password != again:
            return _form(words, secret, login, words("The two passwords differ."), 422)
        started = logins.redeem_link(service, secret, password, carried)
    except BadAccount as error:
        return _form(words, secret, login, f"{error}.", 422)
    except Problem as problem:
        return _ended(words, problem)
    answer = RedirectResponse(HOME, status_code=303)
    give_cookies(request, answer, started)
    return answer
