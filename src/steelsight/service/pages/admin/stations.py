"""Stations: what the ledger knows of each, and its last verdict."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, select

from steelsight.ledger.chain.event_names import CALIBRATED
from steelsight.ledger.database import schema
from steelsight.ledger.reading.records import EventFilter, list_events
from steelsight.ledger.reading.stations import list_writers
from steelsight.service.api.parts import ServicePart
from steelsight.service.pages.admin.parts import TABS, Admin
from steelsight.service.pages.rendering import render
from steelsight.service.reviewing.seen import note_seen

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
MOST_CALIBRATIONS: Final = 500  # newest that are looked at


@router.get("/admin/stations")
def show_stations(request: Request, service: ServicePart, caller: Admin) -> HTMLResponse:
    """Writers of the ledger; a last verdict that is shown counts as seen by the caller."""
    with service.ledger.read() as connection:
        calibrated = _calibrations(connection)
        rows = [
            {**each, "last": _last(connection, each["name"]), "calibrated_us": calibrated.get(each["name"])}
            for each in list_writers(connection)
        ]
    note_seen(service, caller, (row["last"]["sheet"] for row in rows if row["last"]))
    names = {each.bundle.card.model_id: name for name, each in service.bundles}
    return render(request, "admin/stations.html", caller, tabs=TABS, stations=rows, bundle_names=names)


def _last(connection: Connection, writer: str) -> dict[str, Any] | None:
    """The last live verdict of a writer."""
    table = schema.verdicts
    query = select(table).where(table.c.writer == writer, table.c.mode == "live")
    row = connection.execute(query.order_by(table.c.seq.desc()).limit(1)).one_or_none()
    return None if row is None else dict(row._mapping)


def _calibrations(connection: Connection) -> dict[str, int]:
    """When each station's calibration was put on record last."""
    found: dict[str, int] = {}
    for row in list_events(connection, EventFilter(name=CALIBRATED), limit=MOST_CALIBRATIONS).rows:
        found.setdefault(str(row["subject"]), row["entered_us"])
    return found
