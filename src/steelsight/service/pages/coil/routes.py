"""The list of coils, the page of one coil with its parts, and the downloads of its defects."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import Field
from starlette.responses import Response

from steelsight.coils.settings import RepeatSettings
from steelsight.coils.table import defects_csv, defects_parquet
from steelsight.errors import BadInput
from steelsight.ledger.reading.coils import CoilFilter, list_coils
from steelsight.ledger.reading.stations import list_writers
from steelsight.ledger.writing.writer import now_us
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.models.values import Cursor, Parameters
from steelsight.service.api.parts import ServicePart
from steelsight.service.context import Service
from steelsight.service.pages.coil.addresses import coil_address, coil_of, file_name
from steelsight.service.pages.coil.defects import DefectFilter, count_types, defect_table, largest
from steelsight.service.pages.coil.kept import Kept, KeptCoils
from steelsight.service.pages.coil.reading import Coil
from steelsight.service.pages.coil.repeats import drawn, named_repeats, roll_table
from steelsight.service.pages.coil.script_words import map_words
from steelsight.service.pages.rendering import fragment, render
from steelsight.service.pages.words import language_of, words_in
from steelsight.service.problem import Problem
from steelsight.service.reviewing.seen import note_coil_seen

__all__ = ["router"]

COILS: Final = 30  # of a page of the list
AT_ONCE: Final = 10_000  # defects whose repeat distances are searched without a question
WAIT_S: Final = 2.0  # for repeat distances, before the page asks again
GZIP: Final = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(needs(Permission.READ))]
Exporter = Annotated[Caller, Depends(needs(Permission.EXPORT))]


async def _named(coil: Annotated[str, Path(max_length=1200)]) -> str:
    return coil_of(coil)


CoilName = Annotated[str, Depends(_named)]


class ListQuery(Parameters):
    """Filters of the list; empty = all."""

    name: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    station: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    since: Annotated[str, Field(max_length=10)] = ""  # a day, UTC
    until: Annotated[str, Field(max_length=10)] = ""  # the last one
    cursor: Cursor | None = None

    def wanted(self) -> CoilFilter:
        """The filter of the ledger; raises Problem 422 for a day that is none."""
        return CoilFilter(
            self.name.strip() or None, self.station or None, _day_us(self.since, 0), _day_us(self.until, 1)
        )


def _day_us(text: str, days: int) -> int | None:
    if not text:
        return None
    try:
        start = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + timedelta(days)
    except (ValueError, OverflowError) as error:
        message = f"day: expected one such as 2026-03-01, got {text!r:.40}"
        raise Problem(422, "bad_day", message, "choose a day again") from error
    return int(start.timestamp()) * 1_000_000


@router.get("/coils")
def show_coils(
    query: Annotated[ListQuery, Query()], request: Request, service: ServicePart, caller: Reader
) -> HTMLResponse:
    """Coils with counts of their sheets, the one captured last first."""
    with service.ledger.read() as connection:
        page = list_coils(connection, query.wanted(), limit=COILS, cursor=query.cursor)
        stations = [row["name"] for row in list_writers(connection) if row["last_us"] is not None]
    clean = {each.bundle.card.no_defect for _, each in service.bundles}
    rows = [
        {**row, "defects": _defects(row, clean), "address": coil_address(row["coil"])} for row in page.rows
    ]
    return render(
        request,
        "coil/list.html",
        caller,
        rows=rows,
        stations=stations,
        query=query,
        following=page.cursor,
    )


def _defects(row: dict[str, Any], clean: set[str]) -> int:
    """Decided sheets with a defect."""
    return sum(number for label, number in row["decided"].items() if label not in clean)


@router.get("/coils/{coil}")
def show_coil(
    name: CoilName,
    query: Annotated[DefectFilter, Query()],
    request: Request,
    service: ServicePart,
    caller: Reader,
) -> HTMLResponse:
    """A coil: its map, which a script draws, its defects, counts by type, and repeat distances."""
    coil = _seen(request, service, caller, name).coil
    ends_m = service.settings.coil_ends_m
    states = {each.state for each in coil.sheets}
    return render(
        request,
        "coil/page.html",
        caller,
        coil=coil,
        counts=count_types(coil, ends_m),
        ends=coil.ends(ends_m),
        ends_m=ends_m,
        largest=largest(coil, query),
        states={each: sum(sheet.state == each for sheet in coil.sheets) for each in sorted(states)},
        times=(min(each.captured_us for each in coil.sheets), max(each.captured_us for each in coil.sheets)),
        exports=caller.may(Permission.EXPORT),
        words_of_map=map_words(words_in(language_of(request))),
        unplaced_sheets=sum(each.place is None for each in coil.sheets),
        now=now_us(),
        **_table_values(coil, query, caller),
    )


def _seen(request: Request, service: Service, caller: Caller, name: str) -> Kept:
    """The coil, of which the caller is from now on known to have seen every verdict."""
    kept = _kept(request).of(name)
    note_coil_seen(service, caller, name)
    return kept


def _kept(request: Request) -> KeptCoils:
    found: KeptCoils = request.app.state.coils
    return found


def _table_values(coil: Coil, query: DefectFilter, caller: Caller) -> dict[str, Any]:
    return {
        "address": coil_address(coil.name),
        "table": defect_table(coil, query),
        "sheets_of": coil.sheets,
        "query": query,
        "review": caller.may(Permission.REVIEW),
    }


@router.get("/coils/{coil}/table")
def show_table(
    name: CoilName,
    query: Annotated[DefectFilter, Query()],
    request: Request,
    service: ServicePart,
    caller: Reader,
) -> HTMLResponse:
    """A page of the defects, as a part of the coil's page."""
    coil = _seen(request, service, caller, name).coil
    return HTMLResponse(fragment(request, "coil/table.html", **_table_values(coil, query, caller)))


@router.get("/coils/{coil}/map")
def get_map(
    name: CoilName,
    request: Request,
    service: ServicePart,
    caller: Reader,
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """The numbers that the map is drawn from, see `coil.packed`."""
    if "gzip" not in accept_encoding:
        raise Problem(406, "gzip_needed", "expected a client that reads gzip", "send Accept-Encoding: gzip")
    kept = _seen(request, service, caller, name)
    return Response(_kept(request).packed(kept), 200, GZIP, "application/octet-stream")


@router.get("/coils/{coil}/repeats")
def show_repeats(
    name: CoilName, request: Request, service: ServicePart, caller: Reader, ask: bool = False
) -> HTMLResponse:
    """Repeat distances, as a part of the coil's page; while they are searched the part asks again.

    ask  search also where it takes long
    """
    kept = _seen(request, service, caller, name)
    coil, rolls = kept.coil, roll_table(service.settings.coil_rolls)
    values: dict[str, Any] = {"coil": coil, "address": coil_address(name), "rolls": rolls, "fault": ""}
    values |= {"asks": False, "repeats": None, "search": RepeatSettings(), "ask": ask, "drawn": "[]"}
    if len(coil.defects) > AT_ONCE and not ask and kept.repeats is None:
        values["asks"] = True
    else:
        try:
            found = _kept(request).repeats(kept, WAIT_S)
        except BadInput as error:
            values["fault"] = str(error)
        else:
            if found is not None:
                named = named_repeats(coil, found, rolls.rolls)
                values |= {"repeats": named, "drawn": drawn(coil, named), "outside": found.outside}
    return HTMLResponse(fragment(request, "coil/repeats.html", **values))


@router.get("/coils/{coil}/defects.csv")
def get_csv(name: CoilName, request: Request, service: ServicePart, caller: Exporter) -> Response:
    """All defects as CSV; text that a spreadsheet takes for a formula is made safe."""
    coil = _seen(request, service, caller, name).coil
    content = defects_csv(name, [each.defect for each in coil.defects]).encode()
    return _file(content, file_name(name, ".csv"), "text/csv; charset=utf-8")


@router.get("/coils/{coil}/defects.parquet")
def get_parquet(name: CoilName, request: Request, service: ServicePart, caller: Exporter) -> Response:
    """All defects as Parquet."""
    coil = _seen(request, service, caller, name).coil
    content = defects_parquet(name, [each.defect for each in coil.defects])
    return _file(content, file_name(name, ".parquet"), "application/vnd.apache.parquet")


def _file(content: bytes, name: str, kind: str) -> Response:
    return Response(content, 200, {"Content-Disposition": f'attachment; filename="{name}"'}, kind)
