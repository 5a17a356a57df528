"""Coils, bundles, stations and events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from steelsight.ledger.chain.event_names import KNOWN_CASE, LINE_EVENTS
from steelsight.ledger.reading.coils import coil_metres, coil_sheets, list_coils
from steelsight.ledger.reading.defects import defect_page
from steelsight.ledger.reading.records import EventFilter, list_events
from steelsight.ledger.reading.stations import list_writers
from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.models.plant import (
    BundleAnswer,
    BundleList,
    CoilAnswer,
    CoilPage,
    DefectQuery,
    DefectsAnswer,
    EventPage,
    EventQuery,
    StationList,
)
from steelsight.service.api.models.values import PageQuery, public
from steelsight.service.api.parts import ServicePart, filter_of, unknown
from steelsight.service.reviewing.seen import note_seen

__all__ = ["router"]

router = APIRouter(tags=["plant"])
READ = [Depends(needs(Permission.READ))]
Reader = Annotated[Caller, Depends(needs(Permission.READ))]
NAME = "^[^\x00-\x1f\x7f]{1,200}$"


@router.get("/coils", dependencies=READ)
def get_coils(query: Annotated[PageQuery, Query()], service: ServicePart) -> CoilPage:
    """Coils with counts of their live verdicts, the one captured last first."""
    with service.ledger.read() as connection:
        page = list_coils(connection, limit=query.limit, cursor=query.cursor)
    return CoilPage.model_validate({"items": [public(row) for row in page.rows], "next": page.cursor})


@router.get("/coils/{coil:path}/defects")
def get_coil_defects(
    coil: Annotated[str, Path(pattern=NAME)],
    query: Annotated[DefectQuery, Query()],
    service: ServicePart,
    caller: Reader,
) -> DefectsAnswer:
    """The defects of a coil along it; what lies across borders of images is one defect."""
    with service.ledger.read() as connection:
        page = defect_page(connection, coil, query.tolerance_mm, limit=query.limit, cursor=query.cursor)
    if page is None:
        raise unknown("coil", coil, "/api/v1/coils")
    items = [each.as_dict() for each in page.defects]
    note_seen(service, caller, (member["sheet"] for item in items for member in item["members"]))
    facts = {"coil": coil, "tolerance_mm": query.tolerance_mm, "unplaced": page.unplaced}
    return DefectsAnswer.model_validate({**facts, "items": items, "next": page.cursor})


@router.get("/coils/{coil:path}")
def get_coil(
    coil: Annotated[str, Path(pattern=NAME)],
    query: Annotated[PageQuery, Query()],
    service: ServicePart,
    caller: Reader,
) -> CoilAnswer:
    """A coil and its sheets by their metres; `direction` says where the metres ran backwards in time."""
    with service.ledger.read() as connection:
        page = coil_sheets(connection, coil, limit=query.limit, cursor=query.cursor)
        if not page.rows and query.cursor is None:
            raise unknown("coil", coil, "/api/v1/coils")
        metres = coil_metres(connection, coil)
    note_seen(service, caller, (row["sheet"] for row in page.rows))
    items = [{**public(row), "verdicts": [public(each) for each in row["verdicts"]]} for row in page.rows]
    return CoilAnswer.model_validate({"coil": coil, **asdict(metres), "items": items, "next": page.cursor})


@router.get("/bundles", dependencies=READ)
def get_bundles(service: ServicePart) -> BundleList:
    """The bundles that judge here, the default first."""
    items = [_bundle(name, each, service.bundles.default) for name, each in service.bundles]
    return BundleList.model_validate({"items": items})


@router.get("/bundles/{bundle}", dependencies=READ)
def get_bundle(
    bundle: Annotated[str, Path(pattern=NAME, description="Name or model id.")],
    service: ServicePart,
) -> BundleAnswer:
    """A bundle with its card: threshold, certificate, familiarity, parity, shortcuts."""
    for name, each in service.bundles:
        if bundle in (name, each.bundle.card.model_id):
            values = _bundle(name, each, service.bundles.default)
            card = each.bundle.card.model_dump(mode="json")
            return BundleAnswer.model_validate({**values, "card": card, "notes": each.bundle.notes})
    raise unknown("bundle", bundle, "/api/v1/bundles")


def _bundle(name: str, inspector: Inspector, default: Inspector) -> dict[str, Any]:
    card = inspector.bundle.card
    return {
        "id": card.model_id,
        "name": name,
        "default": inspector is default,
        "task": card.task,
        "class_names": card.class_names,
        "threshold": card.threshold,
        "threshold_by": card.threshold_by,
        "threshold_statement": card.threshold_statement,
        "engine": inspector.engine.about,
        "precision": card.precision,
    }


@router.get("/stations", dependencies=READ)
def get_stations(service: ServicePart) -> StationList:
    """Writers of the ledger: stations, the service, command lines."""
    with service.ledger.read() as connection:
        items = [public(row) for row in list_writers(connection)]
    return StationList.model_validate({"items": items})


@router.get("/events")
def get_events(
    query: Annotated[EventQuery, Query()],
    service: ServicePart,
    caller: Annotated[Caller, Depends(needs(Permission.READ))],
) -> EventPage:
    """Events, newest first; without the permission `audit` those that are not about people.

    Known cases are for those alone who may not review.
    """
    audit = caller.may(Permission.AUDIT)
    hidden = frozenset({KNOWN_CASE}) if caller.may(Permission.REVIEW) else None
    given = {"among": None if audit else LINE_EVENTS, "hidden": hidden, "concerning": None}
    wanted = filter_of(EventFilter, query, **given)
    with service.ledger.read() as connection:
        page = list_events(connection, wanted, limit=query.limit, cursor=query.cursor)
    return EventPage.model_validate({"items": [public(row) for row in page.rows], "next": page.cursor})
