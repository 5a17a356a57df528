"""Sheets and verdicts: lists, histories, images, heatmaps."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query
from starlette.responses import Response

from steelsight.ledger.reading.lists import VerdictFilter, list_verdicts, sheet_history
from steelsight.ledger.reading.records import SheetFilter, list_sheets
from steelsight.reports.overlay import overlay_png
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.comments import with_comments
from steelsight.service.api.images import media_type, stored_image
from steelsight.service.api.models.sheets import (
    SheetHistory,
    SheetPage,
    SheetQuery,
    VerdictPage,
    VerdictQuery,
)
from steelsight.service.api.models.values import ShortName, public
from steelsight.service.api.parts import JudgesPart, ServicePart, filter_of, unknown
from steelsight.service.problem import Problem
from steelsight.service.reviewing.answers import note_told, only_reviews, told_answers
from steelsight.service.reviewing.people import viewer
from steelsight.service.reviewing.seen import note_seen

__all__ = ["router"]

router = APIRouter(tags=["sheets"])
SheetId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Identity of a sheet.")]
Reader = Annotated[Caller, Depends(needs(Permission.READ))]
READ = [Depends(needs(Permission.READ))]
IMAGES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {}}, "description": "The bytes of the image file, unchanged."},
    304: {"description": "The client has it already."},
}


@router.get("/sheets", dependencies=READ)
def get_sheets(query: Annotated[SheetQuery, Query()], service: ServicePart) -> SheetPage:
    """Sheets, newest capture first."""
    wanted = filter_of(SheetFilter, query)
    with service.ledger.read() as connection:
        page = list_sheets(connection, wanted, limit=query.limit, cursor=query.cursor)
    return SheetPage.model_validate({"items": [public(row) for row in page.rows], "next": page.cursor})


@router.get("/verdicts")
def get_verdicts(
    query: Annotated[VerdictQuery, Query()], service: ServicePart, caller: Reader
) -> VerdictPage:
    """Verdicts with their sheets' places, newest capture first."""
    wanted = filter_of(VerdictFilter, query, mode=None if query.mode == "any" else query.mode)
    with service.ledger.read() as connection:
        page = list_verdicts(connection, wanted, limit=query.limit, cursor=query.cursor)
    note_seen(service, caller, (row["sheet"] for row in page.rows))
    return VerdictPage.model_validate({"items": [public(row) for row in page.rows], "next": page.cursor})


@router.get("/sheets/{sheet}")
def get_sheet(sheet: SheetId, service: ServicePart, caller: Reader) -> SheetHistory:
    """A sheet with its verdicts, reviews and draw.

    For operators without the draw, and without reviews of others on a sheet that they may yet decide.
    """
    with service.ledger.read() as connection:
        found = sheet_history(connection, sheet)
        if found is None:
            raise unknown("sheet", sheet, "/api/v1/sheets")
        told = told_answers(connection, service, caller, found["reviews"])
        reviews = with_comments(connection, told, names=caller.may(Permission.AUDIT))
    note_seen(service, caller, [sheet])
    note_told(service, viewer(service, caller), told)
    shown = public(found) | {"verdicts": [public(row) for row in found["verdicts"]], "reviews": reviews}
    if only_reviews(caller):
        shown["draw"] = None
    return SheetHistory.model_validate(shown)


@router.get("/sheets/{sheet}/image", dependencies=READ, response_class=Response, responses=IMAGES)
def get_image(
    sheet: SheetId,
    service: ServicePart,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The image file of a sheet, checked against the hash that the ledger holds."""
    row = _sheet_row(service, sheet)
    tag = f'"{row["image_hash"]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=0, must-revalidate"}
    if if_none_match is not None and tag in [each.strip() for each in if_none_match.split(",")]:
        return Response(status_code=304, headers=headers)
    content = stored_image(service, row)
    kind, suffix = media_type(content)
    headers["Content-Disposition"] = f'inline; filename="{sheet}{suffix}"'
    return Response(content, media_type=kind, headers=headers)


@router.get(
    "/sheets/{sheet}/heatmap",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "A transparent PNG, at model size."}},
)
def get_heatmap(
    sheet: SheetId,
    service: ServicePart,
    judges: JudgesPart,
    caller: Reader,
    bundle: Annotated[ShortName | None, Query(description="Name or model id; none = the default.")] = None,
) -> Response:
    """The evidence for a bundle's label, judged anew from the stored image."""
    inspector = service.bundles.find(bundle)
    if inspector is None:
        raise unknown("bundle", str(bundle), "/api/v1/bundles")
    content = stored_image(service, _sheet_row(service, sheet))
    note_seen(service, caller, [sheet])
    judged = judges.of(inspector).submit(content, heatmap=True).result()
    heatmap = judged.verdict.heatmap
    if heatmap is None:
        advice = "the sheet has no heatmap: its image cannot be read"
        raise Problem(409, "bad_image", judged.verdict.detail, advice)
    return Response(overlay_png(heatmap), media_type="image/png")


def _sheet_row(service: ServicePart, sheet: str) -> dict[str, Any]:
    with service.ledger.read() as connection:
        found = sheet_history(connection, sheet)
    if found is None:
        raise unknown("sheet", sheet, "/api/v1/sheets")
    return found
