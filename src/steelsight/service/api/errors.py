"""One envelope for every error: {"error": {"code", "message", "advice", "request_id", …}}."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from steelsight.errors import BadBundle, BadEntry, BadInput, BadLedger, BadOutput, LeaseLost
from steelsight.service.problem import Problem

__all__ = [
    "ErrorBody",
    "ErrorEnvelope",
    "add_error_handlers",
    "answer_problem",
    "invalid_answer",
    "problem_answer",
]


class ErrorBody(BaseModel):
    """What went wrong, and what to do."""

    model_config = ConfigDict(extra="allow")

    code: str = Field(description="A word for programs; it keeps its meaning.")
    message: str = Field(description="What was expected and what came.")
    advice: str = Field(description="What to do.")
    request_id: str = Field(description="Also in the log and in the header X-Request-ID.")


class ErrorEnvelope(BaseModel):
    """The body of every answer with a status of 400 or more."""

    error: ErrorBody


_OF_HTTP: Final[dict[int, tuple[str, str]]] = {  # code and advice of the framework's own refusals
    400: ("bad_request", "send a request as the OpenAPI document describes it"),
    401: ("not_logged_in", "log in, or send a token: Authorization: Bearer …"),
    403: ("not_allowed", "ask an administrator for the permission"),
    404: ("not_found", "check the address; GET /api/v1/openapi.json lists all"),
    405: ("method_not_allowed", "use a method that the header Allow names"),
    413: ("body_too_large", "send a smaller body"),
    415: ("unsupported_media_type", "send a Content-Type that the OpenAPI document names"),
    429: ("too_many_requests", "wait as long as the header Retry-After says"),
    503: ("unavailable", "try again later"),
}


def answer_problem(problem: Problem, request_id: str) -> JSONResponse:
    """The answer to a request that is refused."""
    body = {
        "code": problem.code,
        "message": problem.message,
        "advice": problem.advice,
        "request_id": request_id,
        **problem.facts,
    }
    return JSONResponse({"error": body}, status_code=problem.status, headers=problem.headers)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of the app in the envelope."""
    app.add_exception_handler(Problem, _own)
    app.add_exception_handler(HTTPException, _own)
    app.add_exception_handler(RequestValidationError, invalid_answer)
    for kind in (BadInput, LeaseLost, MemoryError):
        app.add_exception_handler(kind, _of_product)


def _request_id(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def problem_answer(request: Request, error: Exception) -> JSONResponse:
    """The answer to a Problem, or to a refusal of the framework."""
    if isinstance(error, Problem):
        return answer_problem(error, _request_id(request))
    assert isinstance(error, HTTPException)
    code, advice = _OF_HTTP.get(error.status_code, ("error", "see the message"))
    problem = Problem(error.status_code, code, str(error.detail), advice, headers=error.headers)
    return answer_problem(problem, _request_id(request))


async def _own(request: Request, error: Exception) -> JSONResponse:
    return problem_answer(request, error)


async def invalid_answer(request: Request, error: Exception) -> JSONResponse:
    """The answer to values that are not as described."""
    assert isinstance(error, RequestValidationError)
    faults = [
        {"field": ".".join(map(str, each["loc"])), "message": str(each["msg"])} for each in error.errors()
    ]
    first: dict[str, Any] = faults[0] if faults else {"field": "request", "message": "is not valid"}
    problem = Problem(
        422,
        "invalid_request",
        f"{first['field']}: {first['message']}",
        "send values as the OpenAPI document describes them",
        facts={"fields": faults[:20]},
    )
    return answer_problem(problem, _request_id(request))


async def _of_product(request: Request, error: Exception) -> JSONResponse:
    """Errors of the rooms below: what the machine cannot do now is 503, what the client sent is 422."""
    return answer_problem(_problem_of(error), _request_id(request))


def _problem_of(error: Exception) -> Problem:
    later = {"Retry-After": "5"}
    if isinstance(error, LeaseLost):
        advice = "stop the other process, or give each service its own `writer`"
        return Problem(503, "lease_lost", str(error), advice, headers=later)
    if isinstance(error, BadLedger):
        words = "the ledger does not answer; nothing of this request was written"
        return Problem(503, "ledger_away", words, "try again later", headers=later)
    if isinstance(error, BadOutput):
        words = "the image could not be stored; nothing of this request was written"
        return Problem(503, "store_away", words, "free space on the image store's disk", headers=later)
    if isinstance(error, MemoryError):
        words = "the service has too little memory for this request now"
        return Problem(503, "out_of_memory", words, "try again later, or send a smaller image", headers=later)
    if isinstance(error, BadBundle):
        advice = "verify the bundle on the service's machine with `steelsight bundle verify`"
        return Problem(503, "bundle_broken", str(error), advice)
    if isinstance(error, BadEntry):
        return Problem(422, "bad_entry", str(error), "correct the field that the message names")
    return Problem(422, "bad_input", str(error), "correct what the message names")
