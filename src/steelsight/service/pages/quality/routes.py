"""The page and its downloads."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from steelsight.errors import BadInput, BadLedger
from steelsight.ledger.chain.event_names import JUDGED_BY
from steelsight.ledger.database import schema
from steelsight.ledger.reading.records import EventFilter, list_events
from steelsight.ledger.reading.tail import read_heads
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.parts import ServicePart
from steelsight.service.context import Service
from steelsight.service.pages.background import Background, Found
from steelsight.service.pages.quality.computing import QualityFigures, compute_figures
from steelsight.service.pages.quality.downloads import figures_csv, figures_json
from steelsight.service.pages.quality.query import QualityQuery, read_query
from steelsight.service.pages.quality.tables import report_values, reviewer_names
from steelsight.service.pages.rendering import render
from steelsight.service.pages.words import language_of, words_in
from steelsight.service.problem import Problem

__all__ = ["router"]

PAGE_WAITS_S: Final = 1.5  # then the page says that it is being computed, and asks again
DOWNLOAD_WAITS_S: Final = 15.0
MOST_NAMES: Final = 200  # of stations and bundles to choose
router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(needs(Permission.EXPORT))]
Asked = Annotated[QualityQuery, Depends(read_query)]


@router.get("/quality")
def show_page(request: Request, service: ServicePart, caller: Reader, query: Asked) -> HTMLResponse:
    """The page; while the figures are computed it loads itself again."""
    words = words_in(language_of(request))
    refusal, found = "", Found[QualityFigures](None, pending=False)
    try:
        found = _find(request, service, query, PAGE_WAITS_S)
    except BadLedger:
        raise
    except BadInput as error:
        refusal = str(error)
    values: dict[str, Any] = {}
    with service.ledger.read() as connection:
        stations, bundles = _stations(connection), _bundles(connection, service)
        if found.value is not None:
            named = caller.may(Permission.AUDIT)
            names = reviewer_names(connection, words, found.value, named=named)
            values = report_values(words, found.value, names)
    return render(
        request,
        "quality/page.html",
        caller,
        status=422 if refusal else 200,
        query=query,
        stations=_with(stations, query.station),
        bundles=bundles if query.bundle in (None, *bundles) else {**bundles, str(query.bundle): ""},
        figures=found.value,
        pending=found.pending,
        refusal=refusal,
        may_act=caller.may(Permission.CONFIGURE),
        **values,
    )


@router.get("/quality/report.json")
def download_json(request: Request, service: ServicePart, caller: Reader, query: Asked) -> Response:
    """All figures; people are numbers for those who may not read who did what."""
    figures = _ready(request, service, query)
    names = None
    if not caller.may(Permission.AUDIT):
        with service.ledger.read() as connection:
            names = reviewer_names(connection, words_in("en"), figures, named=False)
    return _file(figures_json(query, figures, names), "json", "application/json")


@router.get("/quality/report.csv")
def download_csv(request: Request, service: ServicePart, caller: Reader, query: Asked) -> Response:
    """The shares of all groups."""
    del caller  # checked
    return _file(figures_csv(_ready(request, service, query)), "csv", "text/csv; charset=utf-8")


def _file(text: str, ending: str, kind: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="quality.{ending}"'}
    return Response(text.encode(), media_type=kind, headers=headers)


def _find(request: Request, service: Service, query: QualityQuery, wait_s: float) -> Found[QualityFigures]:
    background: Background[QualityFigures] = request.app.state.quality
    with service.ledger.read() as connection:
        heads = read_heads(connection)
    state = (heads.epoch, tuple(sorted(heads.seqs.items())))
    return background.find(query, state, lambda: compute_figures(service, query), wait_s=wait_s)


def _ready(request: Request, service: Service, query: QualityQuery) -> QualityFigures:
    found = _find(request, service, query, DOWNLOAD_WAITS_S)
    if found.value is None:
        raise Problem(
            503,
            "computing",
            "the figures are still being computed",
            "try again in a moment",
            headers={"Retry-After": "5"},
        )
    return found.value


def _stations(connection: Connection) -> list[str]:
    """Stations of the ledger by name, each found by one step in an index."""
    column = schema.verdicts.c.station
    names: list[str] = []
    while len(names) < MOST_NAMES:
        query = select(func.min(column))
        following = connection.execute(query.where(column > names[-1]) if names else query).scalar()
        if following is None:
            break
        names.append(following)
    return names


def _bundles(connection: Connection, service: Service) -> dict[str, str]:
    """Name by model id: those that are open here, and those that stations put on record."""
    found = {each.bundle.card.model_id: name for name, each in service.bundles}
    for row in list_events(connection, EventFilter(name=JUDGED_BY), limit=MOST_NAMES).rows:
        model = row["details"].get("model_id")
        if isinstance(model, str):
            found.setdefault(model, "")
    return found


def _with(names: list[str], chosen: str | None) -> list[str]:
    return names if chosen is None or chosen in names else [*names, chosen]
