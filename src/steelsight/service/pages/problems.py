"""Refusals as pages where a browser opens an address; everything else gets the envelope of the API."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from steelsight.service.access.html import page, sentence
from steelsight.service.access.routes.home import HOME
from steelsight.service.api.errors import problem_answer
from steelsight.service.problem import Problem

__all__ = ["add_page_problems"]


def add_page_problems(app: FastAPI) -> None:
    """Answer refusals of pages as pages."""
    app.add_exception_handler(Problem, _answer)
    app.add_exception_handler(HTTPException, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    envelope = problem_answer(request, error)
    wants_page = "text/html" in request.headers.get("accept", "") and request.method == "GET"
    if not wants_page or request.url.path.startswith(("/api/", "/health/", "/metrics")):
        return envelope
    if envelope.status_code == 401:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{HOME}?next={quote(target[:500], safe='')}", status_code=303)
    problem = error if isinstance(error, Problem) else None
    if problem is None:
        problem = Problem(envelope.status_code, "not_found", "there is no such page", "open the first page")
    body = f'<p class="note" role="alert">{sentence(problem)}</p>\n<p><a href="{HOME}">Steelsight</a></p>'
    shown = page(f"Steelsight · {envelope.status_code}", body, envelope.status_code)
    shown.headers.update(problem.headers)
    return shown
