"""Judge an image that is sent; on request, write sheet and verdict into the ledger."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Depends, Query
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from steelsight.errors import BadLedger
from steelsight.ledger.chain.canonical import time_text
from steelsight.ledger.chain.entries import SheetSeen
from steelsight.ledger.writing.projection import sheets_of
from steelsight.ledger.writing.writer import now_us
from steelsight.plain import plain
from steelsight.reports.overlay import overlay_png
from steelsight.runtime.engine.inspector import Inspector
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.bodies import IMAGE_BODY, read_image_body
from steelsight.service.api.idempotency import IdempotencyKey, Once, once
from steelsight.service.api.models.inspection import HeatmapForm, Inspection, InspectQuery
from steelsight.service.api.parts import JudgesPart, ServicePart, unknown
from steelsight.service.context import Service
from steelsight.service.judging.entries import verdict_entry
from steelsight.service.judging.queue import Judged
from steelsight.service.problem import Problem
from steelsight.service.reviewing.people import viewer
from steelsight.service.reviewing.seen import note_image_seen

__all__ = ["router"]

LOG: Final = logging.getLogger(__name__)
_WITHOUT_PARAMETERS = InspectQuery.model_validate({})


class InspectRoute(APIRoute):
    """The route of `inspect_image`: a request without parameters is answered without solving dependencies.

    Solving them takes a quarter of the time that the event loop spends on an image; the answers are equal.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of one request."""
        solve = super().get_route_handler()
        check = needs(Permission.INSPECT)

        async def handle(request: Request) -> Response:
            if request.scope["query_string"] or "idempotency-key" in request.headers:
                return await solve(request)
            caller = await check(request, None, None)
            state = request.app.state
            return await inspect_image(request, _WITHOUT_PARAMETERS, state.service, state.judges, caller)

        return handle


router = APIRouter(tags=["inspect"], route_class=InspectRoute)


@dataclass(frozen=True)
class _Sent:
    """One request to judge."""

    content: bytes
    query: InspectQuery
    inspector: Inspector
    once: Once | None


@router.post("/inspect", response_model=Inspection, openapi_extra=IMAGE_BODY)
async def inspect_image(
    request: Request,
    query: Annotated[InspectQuery, Query()],
    service: ServicePart,
    judges: JudgesPart,
    caller: Annotated[Caller, Depends(needs(Permission.INSPECT))],
    key: IdempotencyKey = None,
) -> Response:
    """Judge an image file.

    An image that cannot be read, is too large or is no image gets a verdict with the state bad_image and
    status 200. With `record` the sheet and its verdict are in the ledger when the answer comes; send an
    Idempotency-Key, so that a request can be repeated after a broken connection.
    """
    inspector = service.bundles.find(query.bundle)
    if inspector is None:
        raise unknown("bundle", str(query.bundle), "/api/v1/bundles")
    content = await read_image_body(request)
    judging = asyncio.wrap_future(
        judges.of(inspector).submit(content, heatmap=query.heatmap is not HeatmapForm.NONE)
    )
    judged = await judging
    if viewer(service, caller) is not None:
        await run_in_threadpool(_note_seen, service, caller, content)
    if not query.record:
        if query.heatmap is HeatmapForm.NONE:
            return _json(_answer(inspector, judged, query.heatmap))
        return _json(await run_in_threadpool(_answer, inspector, judged, query.heatmap))
    stated = query.model_dump_json(exclude={"heatmap"}).encode()
    sent = _Sent(content, query, inspector, once(caller, "POST /inspect", key, stated, content))
    return _json(await run_in_threadpool(_record, service, sent, judged))


def _note_seen(service: Service, caller: Caller, content: bytes) -> None:
    """A person who is told of a stored image has seen the verdict on it.

    Under `--open`, where nobody has a session to look up, images are judged while the ledger is away too.
    """
    try:
        note_image_seen(service, caller, hashlib.sha256(content).hexdigest())
    except BadLedger as error:
        if caller.session is not None:
            raise
        LOG.warning("who was told of an image could not be put on record: %s", error)


def _json(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body, separators=(",", ":")), media_type="application/json")


def _answer(inspector: Inspector, judged: Judged, form: HeatmapForm) -> dict[str, Any]:
    height, width = judged.read.size if judged.read.gray is not None else (None, None)
    values = {
        **judged.verdict.as_dict(),
        "class_names": list(inspector.class_names),
        "width": width,
        "height": height,
        "engine": inspector.engine.about,
        "latency_ms": round(judged.latency_ms, 3),
    }
    return {**values, "heatmap": _heatmap(inspector, judged, form)}


def _heatmap(inspector: Inspector, judged: Judged, form: HeatmapForm) -> dict[str, Any] | None:
    heatmap = judged.verdict.heatmap
    if form is HeatmapForm.NONE or heatmap is None:
        return None
    placement = judged.read.placement(inspector.bundle.card.input)
    values: dict[str, Any] = {
        "height": heatmap.shape[0],
        "width": heatmap.shape[1],
        "original_box": list(placement.original_box),
        "model_box": list(placement.model_box),
        "png": None,
        "values": None,
    }
    if form in (HeatmapForm.PNG, HeatmapForm.BOTH):
        values["png"] = base64.b64encode(overlay_png(heatmap)).decode()
    if form in (HeatmapForm.VALUES, HeatmapForm.BOTH):
        values["values"] = plain(heatmap.astype(np.float64).round(5))
    return values


def _record(service: Service, sent: _Sent, judged: Judged) -> dict[str, Any]:
    """Write sheet and verdict; the answer, which is that of the first time where the request came before."""
    body = _answer(sent.inspector, judged, sent.query.heatmap)
    digest = hashlib.sha256(sent.content).hexdigest()
    kept = service.images is not None and service.images.put(sent.content) == digest
    with service.console.transaction() as (connection, writer):
        earlier = sent.once.stored(connection) if sent.once else None
        if earlier is not None:  # heatmaps are not stored: they follow from the image
            return {**earlier[1], "heatmap": body["heatmap"]}
        seen = _sheet(sent, judged, digest, kept=kept)
        _refuse_known(connection, seen)
        given = verdict_entry(sent.inspector, seen.sheet, judged.verdict, latency_ms=judged.latency_ms)
        links = writer.append_within(connection, [seen, given])
        body["recorded"] = {
            "sheet": seen.sheet,
            "writer": writer.name,
            "sheet_seq": links[0].seq,
            "verdict_seq": links[1].seq,
            "image_kept": kept,
        }
        if sent.once is not None:
            days = service.settings.idempotency_days
            sent.once.store(connection, 200, {**body, "heatmap": None}, days=days)
    return body


def _sheet(sent: _Sent, judged: Judged, digest: str, *, kept: bool) -> SheetSeen:
    now, query = now_us(), sent.query
    height, width = judged.read.size if judged.read.gray is not None else (None, None)
    return SheetSeen(
        station=query.station,
        item=query.item or f"{digest[:16]}@{time_text(now)}",
        image_hash=digest,
        image=digest if kept else None,
        width=width,
        height=height,
        captured_us=now if query.captured is None else query.captured,
        coil=query.coil,
        position_m=query.position_m,
        length_m=query.length_m,
        across_mm=query.across_mm,
        side=query.side,
    )


def _refuse_known(connection: Connection, seen: SheetSeen) -> None:
    if sheets_of(connection, [seen.sheet]):
        raise Problem(
            409,
            "sheet_exists",
            f"station {seen.station!r:.120} has a sheet {seen.item!r:.120} already; it was not judged again",
            f"use another item; GET /api/v1/sheets/{seen.sheet} shows what is there",
            facts={"sheet": seen.sheet},
        )
