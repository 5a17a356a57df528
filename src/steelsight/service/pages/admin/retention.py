"""Retention: what is kept how long, which images could be removed, and the last time some were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from steelsight.ledger.chain.event_names import PRUNED
from steelsight.ledger.keeping.people import find_person
from steelsight.ledger.keeping.retention import Removable, count_removable
from steelsight.ledger.reading.records import EventFilter, list_events
from steelsight.ledger.reading.tail import read_heads
from steelsight.service.api.parts import ServicePart
from steelsight.service.context import Service
from steelsight.service.pages.admin.parts import TABS, Admin
from steelsight.service.pages.background import Background, Found
from steelsight.service.pages.rendering import render

__all__ = ["router"]

DAYS: Final = 90.0
MOST_DAYS: Final = 36_500
WAIT_S: Final = 1.5
RUN_US: Final = 3_600_000_000  # events of one run lie within an hour
MOST_EVENTS: Final = 500  # of a run, each with up to 1,000 images
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class LastRun:
    """The last time images were removed."""

    at_us: int
    writer: str
    person: str  # name; "" = the command line
    days: float | None
    images: int


@router.get("/admin/retention")
def show_retention(
    request: Request,
    service: ServicePart,
    caller: Admin,
    days: Annotated[float, Query(ge=0, le=MOST_DAYS, allow_inf_nan=False)] = DAYS,
) -> HTMLResponse:
    """The page; nothing is removed here.

    days  images of sheets that are older are counted
    """
    with service.ledger.read() as connection:
        heads = read_heads(connection)
        last = _last_run(connection)
    found = _count(request, service, days, (heads.epoch, tuple(sorted(heads.seqs.items()))))
    return render(
        request,
        "admin/retention.html",
        caller,
        tabs=TABS,
        days=days,
        most_days=MOST_DAYS,
        store=None if service.images is None else service.images.address,
        settings=service.settings,
        removable=found.value,
        pending=found.pending,
        last=last,
    )


def _count(request: Request, service: Service, days: float, state: Any) -> Found[Removable]:
    background: Background[Removable] = request.app.state.retention

    def compute() -> Removable:
        with service.ledger.read() as connection:
            return count_removable(connection, days)

    return background.find(days, state, compute, wait_s=WAIT_S)


def _last_run(connection: Connection) -> LastRun | None:
    rows = list_events(connection, EventFilter(name=PRUNED), limit=MOST_EVENTS).rows
    if not rows:
        return None
    newest = rows[0]
    details = newest["details"]
    same = [
        row["details"]
        for row in rows
        if row["writer"] == newest["writer"]
        and row["entered_us"] > newest["entered_us"] - RUN_US
        and row["details"].get("days") == details.get("days")
    ]
    person = find_person(connection, newest["person"]) if newest["person"] else None
    return LastRun(
        newest["entered_us"],
        newest["writer"],
        "" if person is None else person.name,
        float(details["days"]) if isinstance(details.get("days"), int | float) else None,
        sum(len(each.get("images", ())) for each in same),
    )
