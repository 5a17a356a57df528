"""The first page: who is logged in, a login without a script, and where to go on."""

from __future__ import annotations

from html import escape
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from steelsight.service.access import login as logins
from steelsight.service.access.carried import anonymous, end_cookies, give_cookies, service_of
from steelsight.service.access.guard import optional_caller
from steelsight.service.access.html import STYLE, STYLE_PATH, page, sentence
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.problem import Problem
from steelsight.service.wording.page_words import PageWords, words_of

__all__ = ["HOME", "local_address", "router"]

router = APIRouter(tags=["access"], include_in_schema=False)
HOME: Final = "/"

_LOGIN: Final = """{note}<form method="post" action="/access/login">
<input type="hidden" name="next" value="{next}">
<label>{name}
<input name="login" value="{login}" autocomplete="username" maxlength="400" required autofocus></label>
<label>{password}
<input name="password" type="password" autocomplete="current-password" maxlength="4096" required></label>
<p><button>{log_in}</button></p>
</form>
"""


def local_address(text: str) -> str:
    """An address to go to after a login; HOME for one that is not a path of this service.

    >>> local_address("/review?order=newest"), local_address("//elsewhere"), local_address("https://x")
    ('/review?order=newest', '/', '/')
    """
    plain = text.isprintable() and text.isascii() and "\\" not in text
    return text if plain and text.startswith("/") and not text.startswith("//") else HOME


@router.get(HOME)
def show_home(request: Request, next: Annotated[str, Query(max_length=600)] = HOME) -> Response:
    """Who is logged in; a form to log in where nobody is.

    next  where to go after the login
    """
    target, words = local_address(next), words_of(request)
    try:
        caller = optional_caller(request)
    except Problem as problem:
        return _login(request, "", problem, target)
    if caller is None:
        return _login(request, "", None, target)
    return _known(words, caller) if target == HOME else RedirectResponse(target, status_code=303)


@router.post("/access/login")
def log_in(
    request: Request,
    login: Annotated[str, Form(min_length=1, max_length=400)],
    password: Annotated[str, Form(min_length=1, max_length=4096)],
    next: Annotated[str, Form(max_length=600)] = HOME,
) -> Response:
    """Begin a session from the form."""
    try:
        started = logins.log_in(service_of(request), login, password, anonymous(request))
    except Problem as problem:
        refused = _login(request, login, problem, local_address(next), problem.status)
        refused.headers.update(problem.headers)
        return refused
    answer = RedirectResponse(local_address(next), status_code=303)
    give_cookies(request, answer, started)
    return answer


@router.post("/access/logout")
def log_out(request: Request) -> Response:
    """End the session, where there is one."""
    try:
        caller = optional_caller(request)
    except Problem as problem:
        if problem.status != 401:
            raise
        caller = None  # a token that is not valid
    answer = RedirectResponse(HOME, status_code=303)
    if caller is not None and caller.session is not None:
        logins.log_out(service_of(request), str(caller.person), caller.session)
        end_cookies(request, answer)
    return answer


@router.get(STYLE_PATH)
def show_style() -> Response:
    """The style sheet of the pages."""
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


def _login(
    request: Request, login: str, problem: Problem | None, target: str, status: int = 200
) -> HTMLResponse:
    """The form to log in, below what was refused."""
    words = words_of(request)
    note = "" if problem is None else f'<p class="note" role="alert">{sentence(words, problem)}</p>\n'
    body = _LOGIN.format(
        note=note,
        login=escape(login),
        next=escape(target),
        name=escape(words("Login name")),
        password=escape(words("Password")),
        log_in=escape(words("Log in")),
    )
    if service_of(request).settings.oidc is not None:
        provider = escape(words("Log in with the identity provider"))
        body += f'<p><a href="/api/v1/oidc/login">{provider}</a></p>\n'
    if problem is None:
        help_text = words(
            "No password yet, or forgotten? An administrator makes a one-time link that sets one."
        )
        body += f"<p>{escape(help_text)}</p>"
    return page(words, words("Log in to Steelsight"), body, status)


def _known(words: PageWords, caller: Caller) -> HTMLResponse:
    """Who is logged in, and where that person may go."""
    admitted = words("Admitted as") if caller.session is None else words("Logged in as")
    role = _term(words, "role", caller.role) if caller.role else words("machine token")
    permissions = ", ".join(_term(words, "permission", each) for each in sorted(caller.permissions))
    facts = {admitted: caller.name, words("Role"): role, words("Permissions"): permissions}
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n" for name, value in facts.items())
    links = "".join(
        f'<li><a href="{address}">{escape(text)}</a></li>\n'
        for address, text, needed in _links(words)
        if needed is None or caller.may(needed)
    )
    log_out = escape(words("Log out"))
    end = f'<form method="post" action="/access/logout"><button>{log_out}</button></form>'
    ending = end if caller.session is not None else ""
    return page(words, "Steelsight", f"<dl>\n{rows}</dl>\n<ul>\n{links}</ul>\n{ending}")


def _term(words: PageWords, kind: str, name: str) -> str:
    """What a role or a permission is called; its name where there is no catalog."""
    message = f"{kind} {name}"
    found = words(message)
    return name if found == message else found


def _links(words: PageWords) -> tuple[tuple[str, str, Permission | None], ...]:
    """Address, words, and the permission that each needs."""
    return (
        ("/line", words("Line: verdicts as they come"), Permission.READ),
        ("/coils", words("Coils: maps and tables of their defects"), Permission.READ),
        ("/review", words("Review: sheets that wait for a person"), Permission.REVIEW),
        ("/quality", words("Quality: escape, overkill, reviewers"), Permission.EXPORT),
        ("/admin", words("Admin: users, tokens, stations, retention"), Permission.USERS),
        ("/audit", words("Audit log: events of the ledger"), Permission.AUDIT),
        ("/models", words("Models: which bundle judges, and what it was tested for"), Permission.READ),
        ("/api/v1/openapi.json", words("Description of the API (OpenAPI)"), Permission.READ),
        ("/metrics", words("Figures for Prometheus"), Permission.READ),
        ("/health/ready", words("State of the service"), None),
    )
