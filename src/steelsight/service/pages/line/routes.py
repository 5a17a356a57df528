"""The page, its figures, and its small pictures."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from steelsight.ledger.reading.cursors import cursor_text
from steelsight.ledger.reading.lists import VerdictFilter, list_verdicts, sheet_history
from steelsight.ledger.reading.tail import read_heads
from steelsight.ledger.writing.projection import sheets_of
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.images import stored_image
from steelsight.service.api.parts import ServicePart
from steelsight.service.context import Service
from steelsight.service.pages.line.alarms import alarm_values
from steelsight.service.pages.line.thumbnails import thumbnail
from steelsight.service.pages.rendering import fragment, render
from steelsight.service.reviewing.entries import last_live, unknown_sheet
from steelsight.service.reviewing.seen import note_seen

__all__ = ["router"]

SHOWN: Final = 60  # newest verdicts when the page opens
router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(needs(Permission.READ))]
SheetId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@router.get("/line")
def show_page(request: Request, service: ServicePart, caller: Reader) -> HTMLResponse:
    """The page; its script follows the event stream from where the page was made."""
    with service.ledger.read() as connection:
        heads = read_heads(connection)
        page = list_verdicts(connection, VerdictFilter(), limit=SHOWN)
        items = sheets_of(connection, [row["sheet"] for row in page.rows])
    note_seen(service, caller, (row["sheet"] for row in page.rows))
    begin = {
        "cursor": cursor_text(service.ledger.id, heads),
        "verdicts": [_short(row, items[row["sheet"]]["item"]) for row in page.rows[::-1]],
        "clean": sorted({each.bundle.card.no_defect for _, each in service.bundles}),
        "review": caller.may(Permission.REVIEW),
    }
    return render(
        request,
        "line/page.html",
        caller,
        begin=json.dumps(begin, ensure_ascii=False),
        **_figures(request),
        **alarm_values(request, service, caller),
    )


def _short(row: dict[str, Any], item: str) -> dict[str, Any]:
    names = ("sheet", "label", "state", "probability", "station", "captured_us", "coil", "position_m", "seq")
    return {**{name: row[name] for name in names}, "item": item}


def _figures(request: Request) -> dict[str, Any]:
    recent = request.app.state.line_figures.now()
    drifts = request.app.state.figures.drifts()
    names = {each.bundle.card.model_id: name for name, each in request.app.state.service.bundles}
    series = [recent.minutes, recent.per_minute, recent.undecided]
    return {
        "recent": recent,
        "series": json.dumps(series),
        "drifts": [(names[model], each) for model, each in drifts.items() if each],
    }


@router.get("/line/figures")
def show_figures(request: Request, caller: Reader) -> HTMLResponse:
    """The figures, as a part of the page."""
    del caller  # checked
    return HTMLResponse(fragment(request, "line/figures.html", **_figures(request)))


@router.get("/line/sheets/{sheet}/thumbnail")
def show_thumbnail(
    sheet: SheetId,
    service: ServicePart,
    caller: Reader,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """A small picture with the places of the last live verdict."""
    found = _history(service, sheet)
    verdict = last_live(found)
    regions = [] if verdict is None else verdict["regions"]
    note_seen(service, caller, [sheet])
    tag = f'"{found["image_hash"]}-{len(found["verdicts"])}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=600"}
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)
    spec = service.bundles.default.bundle.card.input
    return Response(thumbnail(stored_image(service, found), regions, spec), 200, headers, "image/jpeg")


def _history(service: Service, sheet: str) -> dict[str, Any]:
    with service.ledger.read() as connection:
        found = sheet_history(connection, sheet)
    if found is None:
        raise unknown_sheet(sheet)
    return found
