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

__all__ = ["HOME", "local_address", "router"]

router = APIRouter(tags=["access"], include_in_schema=False)
HOME: Final = "/"
LOG_IN: Final = "Log in to Steelsight"

_LOGIN: Final = """{note}<form method="post" action="/access/login">
<input type="hidden" name="next" value="{next}">
<label>Login name
<input name="login" value="{login}" autocomplete="username" maxlength="400" required autofocus></label>
<label>Password
<input name="password" type="password" autocomplete="current-password" maxlength="4096" required></label>
<p><button>Log in</button></p>
</form>
"""
_OIDC: Final = """<p><a href="/api/v1/oidc/login">Log in with the identity provider</a></p>
"""
_NO_PASSWORD: Final = (
    """<p>No password yet, or forgotten? An administrator makes a one-time link that sets one.</p>"""
)
_LOGOUT: Final = """<form method="post" action="/access/logout"><button>Log out</button></form>"""
_LINKS: Final = (  # address, words, and the permission that it needs
    ("/line", "Line: verdicts as they come", Permission.READ),
    ("/coils", "Coils: maps and tables of their defects", Permission.READ),
    ("/review", "Review: sheets that wait for a person", Permission.REVIEW),
    ("/quality", "Quality: escape, overkill, reviewers", Permission.EXPORT),
    ("/admin", "Admin: users, tokens, stations, retention", Permission.USERS),
    ("/audit", "Audit log: events of the ledger", Permission.AUDIT),
    ("/models", "Models: which bundle judges, and what it was tested for", Permission.READ),
    ("/api/v1/openapi.json", "Description of the API (OpenAPI)", Permission.READ),
    ("/metrics", "Figures for Prometheus", Permission.READ),
    ("/health/ready", "State of the service", None),
)


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
    target = local_address(next)
    try:
        caller = optional_caller(request)
    except Problem as problem:
        return page(LOG_IN, _login_form(request, "", problem, target))
    if caller is None:
        return page(LOG_IN, _login_form(request, "", None, target) + _NO_PASSWORD)
    return _known(caller) if target == HOME else RedirectResponse(target, status_code=303)


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
        refused = page(LOG_IN, _login_form(request, login, problem, local_address(next)), problem.status)
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


def _login_form(request: Request, login: str, problem: Problem | None, target: str) -> str:
    note = "" if problem is None else f'<p class="note" role="alert">{sentence(problem)}</p>\n'
    body = _LOGIN.format(note=note, login=escape(login), next=escape(target))
    return body + (_OIDC if service_of(request).settings.oidc is not None else "")


def _known(caller: Caller) -> HTMLResponse:
    facts = {
        "Admitted as" if caller.session is None else "Logged in as": caller.name,
        "Role": caller.role or "machine token",
        "Permissions": ", ".join(sorted(caller.permissions)),
    }
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>\n" for name, value in facts.items())
    links = "".join(
        f'<li><a href="{address}">{words}</a></li>\n'
        for address, words, needed in _LINKS
        if needed is None or caller.may(needed)
    )
    end = _LOGOUT if caller.session is not None else ""
    return page("Steelsight", f"<dl>\n{rows}</dl>\n<ul>\n{links}</ul>\n{end}")
