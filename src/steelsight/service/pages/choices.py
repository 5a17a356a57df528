"""Choices of a visitor that need no account: the language of the pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from steelsight.service.access.origin import check_site, client_of
from steelsight.service.access.routes.home import local_address
from steelsight.service.api.parts import ServicePart
from steelsight.service.pages.words import COOKIE, LANGUAGES
from steelsight.service.problem import Problem

__all__ = ["router"]

YEAR_S = 31_536_000
router = APIRouter(include_in_schema=False)


@router.post("/language")
def choose_language(
    request: Request,
    service: ServicePart,
    language: Annotated[str, Form(max_length=20)],
    next: Annotated[str, Form(max_length=500)] = "/",
) -> Response:
    """Keep the language in a cookie and go back."""
    client = client_of(request, service.settings)
    check_site(request, client, service.settings, None)
    if language not in LANGUAGES:
        expected = ", ".join(LANGUAGES)
        raise Problem(422, "unknown_language", f"expected one of {expected}, got {language!r}", "choose one")
    answer = RedirectResponse(local_address(next), status_code=303)
    answer.set_cookie(
        COOKIE, language, max_age=YEAR_S, httponly=True, samesite="lax", secure=client.scheme == "https"
    )
    return answer
