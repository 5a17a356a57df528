"""Right labels of stored sheets, entered on a page: known cases, by which reviewers are measured.

Whoever enters them may review, so the page lists none, and says of no sheet whether it is one.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from steelsight.errors import BadInput
from steelsight.ledger.keeping.known_cases import enter_by_person, parse_right_labels
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.parts import ServicePart
from steelsight.service.context import Service
from steelsight.service.pages.rendering import render
from steelsight.service.problem import Problem
from steelsight.service.reviewing.people import known_person, reviewer
from steelsight.service.reviewing.seen import note_seen_within

__all__ = ["router"]

ADDRESS: Final = "/quality/known-cases"
LONGEST_TABLE: Final = 200_000  # characters
MOST_ROWS: Final = 10_000
router = APIRouter(include_in_schema=False)
Engineer = Annotated[Caller, Depends(needs(Permission.CONFIGURE))]


@router.get(ADDRESS)
def show_form(
    request: Request,
    service: ServicePart,
    caller: Engineer,
    entered: Annotated[int, Query(ge=0, le=MOST_ROWS)] = 0,
) -> HTMLResponse:
    """The form.

    entered  rows that the form before has put on record
    """
    return _page(request, service, caller, entered=entered)


@router.post(ADDRESS)
def enter(
    request: Request,
    service: ServicePart,
    caller: Engineer,
    table: Annotated[str, Form(max_length=LONGEST_TABLE, pattern=r"^[^\x00]*$")],
) -> Response:
    """Put the right labels of a table on record; all rows or none."""
    try:
        count = _enter(service, caller, table)
    except Problem as problem:
        if problem.status == 403 or "text/html" not in request.headers.get("accept", ""):
            raise
        return _page(request, service, caller, table=table, problem=problem)
    return RedirectResponse(f"{ADDRESS}?entered={count}", status_code=303)


def _enter(service: Service, caller: Caller, table: str) -> int:
    """How many rows were written; raises Problem: 403 person_needed, 422 bad_known_cases."""
    reviewer(service, caller)  # refused before anything is read
    clean = service.bundles.default.bundle.card.no_defect
    try:
        rows = parse_right_labels(table, "the table")
        with service.console.transaction() as (connection, writer):
            person = known_person(connection, service, caller)
            enter_by_person(connection, writer, rows, person, clean=clean)
            note_seen_within(connection, person, [each.sheet for each in rows])
    except BadInput as error:
        raise Problem(422, "bad_known_cases", str(error), "nothing was written; correct the rows") from error
    return len(rows)


def _page(
    request: Request,
    service: Service,
    caller: Caller,
    *,
    entered: int = 0,
    table: str = "",
    problem: Problem | None = None,
) -> HTMLResponse:
    return render(
        request,
        "quality/known.html",
        caller,
        status=200 if problem is None else problem.status,
        entered=entered,
        table=table,
        problem=problem,
        classes=service.bundles.default.class_names,
        most=LONGEST_TABLE,
        share=service.settings.known_cases,
    )
