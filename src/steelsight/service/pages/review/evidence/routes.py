"""The parts of the page that need the engine: asked for by the script when the sheet is on the screen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.images import stored_image
from steelsight.service.api.parts import ServicePart
from steelsight.service.pages.rendering import fragment
from steelsight.service.pages.review.evidence.covered import cover_picture, cover_places, places_of
from steelsight.service.pages.review.evidence.nearest import near_cases
from steelsight.service.pages.review.evidence.sentences import finding_words, without_words
from steelsight.service.pages.review.evidence.state import EvidenceState
from steelsight.service.pages.review.explained import explained_sheet
from steelsight.service.pages.review.sheet import NUISANCES
from steelsight.service.pages.words import language_of, words_in
from steelsight.service.problem import Problem

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
Reviewer = Annotated[Caller, Depends(needs(Permission.REVIEW))]
SheetId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
PlaceList = Annotated[str, Query(pattern=r"^[1-9](,[1-9])*$", description="numbers of places, from 1")]


@router.get("/review/sheets/{sheet}/covered")
def show_covered(sheet: SheetId, request: Request, service: ServicePart, caller: Reviewer) -> HTMLResponse:
    """What the bundle answers without each marked place, and the smallest set that turns the verdict."""
    found = explained_sheet(service, caller, sheet)
    places = places_of(found.inspector, stored_image(service, found.sheet), found.verdict["regions"])
    state: EvidenceState = request.app.state.evidence
    with state.covering(found.person):
        covered = cover_places(found.inspector, places, found.verdict["label"])
    words = words_in(language_of(request))
    rows = []
    if covered.before is not None:
        rows = [
            (at + 1 if answers else None, without_words(words, at + 1, covered.before, answers))
            for at, answers in enumerate(covered.singles)
        ]
    smallest = None if covered.smallest is None else covered.smallest.places
    together = "" if smallest is None else ",".join(str(each + 1) for each in smallest)
    html = fragment(
        request,
        "review/evidence/covered.html",
        rows=rows,
        sentence=finding_words(words, covered),
        together=together,
    )
    return HTMLResponse(html)


@router.get("/review/sheets/{sheet}/covered/picture")
def show_cover(sheet: SheetId, service: ServicePart, caller: Reviewer, places: PlaceList) -> Response:
    """What some places were filled with, to lay over the sheet."""
    found = explained_sheet(service, caller, sheet)
    there = places_of(found.inspector, stored_image(service, found.sheet), found.verdict["regions"])
    wanted = tuple(sorted({int(each) - 1 for each in places.split(",")}))
    if wanted[-1] >= len(there) or not there.can_cover(wanted):
        raise Problem(
            422,
            "bad_region",
            f"expected places that can be covered, 1 to {len(there)}, got {places}",
            "choose marked places of the sheet that leave at least half of it",
        )
    content = cover_picture(there, wanted)
    return Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get("/review/sheets/{sheet}/nearest")
def show_nearest(sheet: SheetId, request: Request, service: ServicePart, caller: Reviewer) -> HTMLResponse:
    """The three reviewed sheets that are nearest to a sheet in the features of the bundle."""
    found = explained_sheet(service, caller, sheet)
    state: EvidenceState = request.app.state.evidence
    near = near_cases(service, found, state.embeddings)
    return HTMLResponse(fragment(request, "review/evidence/nearest.html", near=near, nuisances=NUISANCES))
