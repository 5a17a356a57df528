"""The page, and what engineers do on it: promote, roll back, start and end a shadow, learn, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.parts import ServicePart
from steelsight.service.context import Service
from steelsight.service.learning.jobs import Learning
from steelsight.service.pages.models.repeated import repeated_values
from steelsight.service.pages.models.shown import learning_values, page_values
from steelsight.service.pages.rendering import fragment, render
from steelsight.service.problem import Problem
from steelsight.service.releases.choices import Choice
from steelsight.service.releases.following import Releases
from steelsight.service.releases.promoting import promote, roll_back
from steelsight.service.releases.shadowing import end_shadow, start_shadow
from steelsight.service.releases.wishes import LONGEST_REASON, Wish

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(needs(Permission.READ))]
Engineer = Annotated[Caller, Depends(needs(Permission.CONFIGURE))]
ModelId = Annotated[str, Form(pattern="^[0-9a-f]{12,32}$")]
JobId = Annotated[str, Form(pattern="^[0-9a-f]{32}$")]
Seen = Annotated[str, Form(min_length=1, max_length=300)]
Reason = Annotated[str, Form(max_length=LONGEST_REASON, pattern=r"^[^\x00]*$")]
ACTS: Final = "/models"


def _wish(model: ModelId, seen: Seen, reason: Reason) -> Wish:
    """What the forms of promotion, of rollback and of the shadow send."""
    return Wish(model, seen, reason)


Wanted = Annotated[Wish, Depends(_wish)]


@router.get(ACTS)
def show_page(
    request: Request,
    service: ServicePart,
    caller: Reader,
    days: Annotated[int, Query(ge=1, le=365)] = 7,
    shadow: Annotated[str | None, Query(pattern="^[0-9a-f]{12,32}$")] = None,
    cursor: Annotated[str | None, Query(max_length=1000)] = None,
) -> HTMLResponse:
    """The bundles, where the second one disagrees, and learning."""
    return _page(request, service, caller, days=days, shadow=shadow, cursor=cursor)


def _page(
    request: Request,
    service: Service,
    caller: Caller,
    *,
    days: int = 7,
    shadow: str | None = None,
    cursor: str | None = None,
    problem: Problem | None = None,
    status: int = 200,
) -> HTMLResponse:
    values = page_values(request, service, caller, days=days, shadow=shadow, cursor=cursor)
    return render(request, "models/page.html", caller, status=status, problem=problem, **values)


@router.get("/models/learn")
def show_learning(request: Request, service: ServicePart, caller: Reader) -> HTMLResponse:
    """The job, as a part of the page."""
    values = learning_values(request, service, caller)
    return HTMLResponse(fragment(request, "models/job.html", **values))


@router.get("/models/reproduce")
def reproduce(
    request: Request,
    service: ServicePart,
    caller: Reader,
    verdict: Annotated[str, Query(max_length=300)] = "",
) -> HTMLResponse:
    """A verdict of the ledger, judged again."""
    values, status = repeated_values(request, service, caller, verdict)
    return render(request, "models/reproduce.html", caller, status=status, **values)


@router.post("/models/promote")
def promote_bundle(request: Request, service: ServicePart, caller: Engineer, wanted: Wanted) -> Response:
    """Let a bundle judge that has passed the gate."""
    return _choose(request, service, caller, wanted, promote)


@router.post("/models/rollback")
def roll_back_bundle(request: Request, service: ServicePart, caller: Engineer, wanted: Wanted) -> Response:
    """Let the bundle judge again that did before."""
    return _choose(request, service, caller, wanted, roll_back)


@router.post("/models/shadow")
def start_shadow_bundle(request: Request, service: ServicePart, caller: Engineer, wanted: Wanted) -> Response:
    """Let a bundle judge beside the default."""
    return _choose(request, service, caller, wanted, start_shadow, part="shadow")


@router.post("/models/shadow/end")
def end_shadow_bundle(request: Request, service: ServicePart, caller: Engineer, wanted: Wanted) -> Response:
    """End the shadow."""
    return _choose(request, service, caller, wanted, end_shadow, part="shadow")


def _choose(
    request: Request,
    service: Service,
    caller: Caller,
    wanted: Wish,
    act: Callable[[Service, Releases, Caller, Wish], Choice],
    part: str = "",
) -> Response:
    """Choose the default or the shadow as a form wants it."""
    releases: Releases = request.app.state.releases
    return _act(request, service, caller, lambda: act(service, releases, caller, wanted), part=part)


@router.post("/models/learn")
def start_learning(
    request: Request,
    service: ServicePart,
    caller: Engineer,
    model: ModelId,
    job: JobId,
    take_classes: Annotated[bool, Form()] = False,
) -> Response:
    """Fit a head to the reviewed sheets."""
    learning: Learning = request.app.state.learning
    return _act(
        request,
        service,
        caller,
        lambda: learning.start(caller, model, job=job, take_classes=take_classes),
        part="learning",
    )


@router.post("/models/learn/cancel")
def cancel_learning(request: Request, service: ServicePart, caller: Engineer, job: JobId) -> Response:
    """End the job."""
    learning: Learning = request.app.state.learning
    return _act(request, service, caller, lambda: learning.cancel(caller, job), part="learning")


def _act(
    request: Request, service: Service, caller: Caller, act: Callable[[], Any], part: str = ""
) -> Response:
    """Do it, and go back to the page; a refusal is shown on it."""
    try:
        act()
    except Problem as problem:
        wants_page = "text/html" in request.headers.get("accept", "")
        if problem.status == 403 or not wants_page:
            raise
        return _page(request, service, caller, problem=problem, status=problem.status)
    return RedirectResponse(f"{ACTS}#{part}" if part else ACTS, status_code=303)
