"""The page, the sheets it gets, and the answers it sends."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy import Connection, select
from starlette.responses import Response

from steelsight.ledger.database.reviewing import claims
from steelsight.ledger.reading.lists import sheet_history
from steelsight.reports.overlay import CONTOUR_SHARE
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.idempotency import IdempotencyKey, once
from steelsight.service.api.images import stored_image
from steelsight.service.api.parts import ServicePart
from steelsight.service.context import Service
from steelsight.service.pages.rendering import fragment, render
from steelsight.service.pages.review.bodies import (
    LONGEST_COMMENT,
    ClaimBody,
    ClaimsBody,
    DecisionBody,
    UndoBody,
)
from steelsight.service.pages.review.explained import explained_sheet
from steelsight.service.pages.review.maps import MapStyle, class_map
from steelsight.service.pages.review.sheet import NUISANCES, shown_sheet
from steelsight.service.reviewing.answers import note_told
from steelsight.service.reviewing.claims import Claim, claim_first, free_claims, renew_claims
from steelsight.service.reviewing.deciding import decide, is_blind, withdraw
from steelsight.service.reviewing.entries import unknown_sheet
from steelsight.service.reviewing.offering import count_offered, offered_sheets
from steelsight.service.reviewing.people import known_person, reviewer
from steelsight.service.reviewing.queue import CONSIDERED, Only, Order

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
Reviewer = Annotated[Caller, Depends(needs(Permission.REVIEW))]
SheetId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@router.get("/review")
def show_page(
    request: Request,
    service: ServicePart,
    caller: Reviewer,
    order: Order = Order.DOUBT,
    only: Only = Only.ALL,
) -> HTMLResponse:
    """The page; its script asks for the first sheet."""
    person = reviewer(service, caller)
    with service.ledger.read() as connection:
        waiting = count_offered(connection, service, person, only)
    return render(
        request,
        "review/page.html",
        caller,
        order=order,
        only=only,
        orders=tuple(Order),
        onlys=tuple(Only),
        waiting=waiting,
        all_counted=waiting < CONSIDERED,
        longest=LONGEST_COMMENT,
        contour_share=CONTOUR_SHARE,
    )


@router.post("/review/claim")
def claim_sheet(body: ClaimBody, request: Request, service: ServicePart, caller: Reviewer) -> JSONResponse:
    """The next sheet, which belongs to the caller for some minutes; `sheet` is null where none waits."""
    with service.ledger.write() as connection:
        person = known_person(connection, service, caller)
        claim = _wanted(connection, person, body.sheet) if body.sheet else None
        if claim is None and body.sheet is None:
            offered = offered_sheets(connection, service, person, body.order, body.only, skip=body.skip)
            claim = claim_first(connection, person, offered)
        if claim is None:
            waiting = count_offered(connection, service, person, body.only)
            return JSONResponse({"sheet": None, "waiting": waiting})
    return JSONResponse(_handed_out(request, service, person, claim))


def _wanted(connection: Connection, person: str, sheet: str) -> Claim | None:
    """The claim of one sheet that was asked for; None where somebody else has it."""
    query = select(claims).where(claims.c.sheet == sheet, claims.c.person == person)
    own = connection.execute(query).one_or_none()
    if own is not None:
        renew_claims(connection, person, [own.claim])
        return Claim(own.claim, sheet)
    if sheet_history(connection, sheet) is None:
        raise unknown_sheet(sheet)
    return claim_first(connection, person, [sheet])


def _handed_out(request: Request, service: Service, person: str, claim: Claim) -> dict[str, Any]:
    """A sheet for the page; it is drawn up outside of the transaction that claimed it: stations write on."""
    reliability = request.app.state.evidence.reliability
    with service.ledger.read() as connection:
        blind = is_blind(connection, service, person, claim.sheet)
        found = shown_sheet(connection, service, claim.sheet, person, blind=blind, reliability=reliability)
    note_told(service, person, found.reviews)
    recommended = None if found.advice is None else found.advice.advice.as_sent()
    if recommended is not None:
        service.recommended.note(person, claim.sheet, recommended)
    html = fragment(request, "review/sheet.html", sheet=found, nuisances=NUISANCES, revealed=False)
    return {"sheet": claim.sheet, "claim": claim.id, "html": html}


@router.post("/review/claims/renew")
def renew(body: ClaimsBody, service: ServicePart, caller: Reviewer) -> JSONResponse:
    """Claims go on; those that are still the caller's."""
    person = reviewer(service, caller)
    with service.ledger.write() as connection:
        return JSONResponse({"claims": renew_claims(connection, person, body.claims)})


@router.post("/review/claims/free", status_code=204)
def free(body: ClaimsBody, service: ServicePart, caller: Reviewer) -> None:
    """Give sheets back, so that others get them at once."""
    person = reviewer(service, caller)
    with service.ledger.write() as connection:
        free_claims(connection, person, body.claims)


@router.post("/review/decide", status_code=201)
def decide_sheet(
    body: DecisionBody,
    request: Request,
    service: ServicePart,
    caller: Reviewer,
    key: IdempotencyKey = None,
) -> JSONResponse:
    """Write an answer into the ledger; the same key again changes nothing and gets the first answer."""
    again = once(caller, "POST /review/decide", key, body.model_dump_json(exclude={"second"}).encode())
    with service.console.transaction() as (connection, writer):
        person = known_person(connection, service, caller)
        earlier = again.stored(connection) if again else None
        if earlier is not None:
            done = earlier[1]
        else:
            decided = decide(
                connection, writer, service, person, body.given(), claim=body.claim, second=body.second
            )
            done = decided.as_dict()
            if again is not None:
                again.store(connection, 201, done, days=service.settings.idempotency_days)
    if done["blind"]:  # the verdict, now that the person has decided
        reliability = request.app.state.evidence.reliability
        with service.ledger.read() as connection:
            shown = shown_sheet(
                connection, service, body.sheet, person, blind=False, revealed=True, reliability=reliability
            )
        done["html"] = fragment(request, "review/sheet.html", sheet=shown, nuisances=NUISANCES, revealed=True)
    return JSONResponse(done, 201)


@router.post("/review/undo")
def undo(body: UndoBody, request: Request, service: ServicePart, caller: Reviewer) -> JSONResponse:
    """Take one's own review back; the sheet is the caller's again where nobody else has it."""
    with service.console.transaction() as (connection, writer):
        person = known_person(connection, service, caller)
        sheet = withdraw(connection, writer, person, (body.writer, body.seq))
        claim = _wanted(connection, person, sheet)
        if claim is None:
            return JSONResponse({"sheet": sheet, "claim": None})
    return JSONResponse(_handed_out(request, service, person, claim))


@router.get("/review/sheets/{sheet}/map")
def show_map(
    sheet: SheetId,
    service: ServicePart,
    caller: Reviewer,
    label: Annotated[str, Query(max_length=200)],
    style: MapStyle = MapStyle.HEAT,
) -> Response:
    """The map of a class by the bundle that gave the last live verdict."""
    found = explained_sheet(service, caller, sheet)
    content = class_map(found.inspector, stored_image(service, found.sheet), label, style)
    return Response(content, media_type="image/png", headers={"Cache-Control": "no-store"})
