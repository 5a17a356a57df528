"""Refusals as pages where a browser opens an address or sends a form; all else gets the API's envelope."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from steelsight.service.access.html import page, sentence
from steelsight.service.access.routes.home import HOME
from steelsight.service.api.errors import invalid_answer, problem_answer
from steelsight.service.problem import Problem
from steelsight.service.wording.page_words import words_of
from steelsight.service.wording.refusals import in_words

__all__ = ["add_page_problems"]


def add_page_problems(app: FastAPI) -> None:
    """Answer refusals of pages as pages."""
    app.add_exception_handler(Problem, _answer)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _answer_invalid)


def _wants_page(request: Request) -> bool:
    headers = request.headers
    form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    sends = request.method == "GET" or (request.method == "POST" and form and "hx-request" not in headers)
    return sends and _is_own(request) and "text/html" in headers.get("accept", "")


def _is_own(request: Request) -> bool:
    """Whether the address is of a page or of its script, whose refusals people read."""
    return not request.url.path.startswith(("/api/", "/health/", "/metrics"))


async def _answer_invalid(request: Request, error: Exception) -> Response:
    """A form whose fields no page of this service sends."""
    assert isinstance(error, RequestValidationError)
    if not _wants_page(request):
        return await invalid_answer(request, error)
    first = error.errors()[0] if error.errors() else {"loc": ("form",), "msg": "is not valid"}
    message = f"{'.'.join(map(str, first['loc'][1:])) or 'form'}: {first['msg']}"
    return await _answer(request, Problem(422, "invalid_request", message, "load the page again"))


async def _answer(request: Request, error: Exception) -> Response:
    words = words_of(request)
    if isinstance(error, Problem) and _is_own(request):
        told: Exception = in_words(words, error)
    else:
        told = error
    envelope = problem_answer(request, told)
    if not _wants_page(request):
        return envelope
    if envelope.status_code == 401:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method == "POST":  # the page of the form, whose address begins as the form's
            target = "/".join(request.url.path.split("/")[:2])
        return RedirectResponse(f"{HOME}?next={quote(target[:500], safe='')}", status_code=303)
    problem = error if isinstance(error, Problem) else None
    if problem is None:
        problem = Problem(envelope.status_code, "not_found", "there is no such page", "open the first page")
    note = f'<p class="note" role="alert">{sentence(words, problem)}</p>'
    on = escape(words("To the first page"))
    link = f'<p><a href="{HOME}">{on}</a></p>'
    body = f"{note}\n<p><code>{escape(problem.code)}</code></p>\n{link}"
    shown = page(words, f"Steelsight · {envelope.status_code}", body, envelope.status_code)
    shown.headers.update(problem.headers)
    return shown
