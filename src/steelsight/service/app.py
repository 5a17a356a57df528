"""Builds the web application from the parts of a service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from steelsight.service.access import routes as access
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Permission
from steelsight.service.api.errors import ErrorEnvelope, add_error_handlers
from steelsight.service.api.health import Health, PartState
from steelsight.service.api.hosts import known_hosts
from steelsight.service.api.metrics import LedgerFigures, RequestFigures
from steelsight.service.api.middleware.edge import Edge
from steelsight.service.api.middleware.limits import Limits, RequestLimits
from steelsight.service.api.routes import health, inspect, plant, reviews, sheets
from steelsight.service.context import Service
from steelsight.service.events.install import add_events, events_running
from steelsight.service.events.outbox.worker import Delivery
from steelsight.service.judging.judges import Judges
from steelsight.service.pages.install import add_pages, pages_running
from steelsight.service.releases import routes as releases
from steelsight.version import __version__

__all__ = ["API", "build_app"]

API: Final = "/api/v1"
SMALL_BODY: Final = 2**20  # of a request without an image
MB: Final = 1_000_000
ABOUT: Final = "Verdicts on sheet steel, with their history. Every error has one form; times are UTC."


def build_app(service: Service) -> FastAPI:
    """The application; `app.state.service` is what its routes work with.

    Its middleware limits every request and answers every error in one form. `app.state.health.more` takes
    further parts, such as a station.
    """
    judges = Judges(service.bundles, service.settings)

    @asynccontextmanager
    async def lifespan(running: FastAPI) -> AsyncIterator[None]:
        async with events_running(running), pages_running(running):
            yield
        judges.close()

    app = FastAPI(
        title="Steelsight",
        summary=ABOUT,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would name the scheme behind a proxy
        generate_unique_id_function=lambda route: route.name,  # names of a client's functions
        lifespan=lifespan,
        responses={
            "default": {"model": ErrorEnvelope, "description": "Refused, with what to do."},
            422: {"model": ErrorEnvelope, "description": "A value is not as described; `fields` names it."},
        },
    )
    app.state.service = service
    app.state.judges = judges
    app.state.health = Health(service, judges)
    app.state.figures = LedgerFigures(service, judges)
    add_error_handlers(app)
    _add_routes(app)
    add_events(app, service)
    app.state.health.more["deliveries"] = partial(_deliveries, app.state.delivery, service)
    add_pages(app)
    _add_middleware(app, service)
    return app


def _deliveries(delivery: Delivery, service: Service) -> PartState:
    if service.settings.deliver and not delivery.running:
        return PartState("degraded", "the worker that delivers does not run; what waits is kept")
    if delivery.failing:
        return PartState("degraded", f"{delivery.failing} destinations accept nothing; what waits is kept")
    return PartState("ok")


def _add_routes(app: FastAPI) -> None:
    # Without a prefix FastAPI would look for empty paths now, and build every route twice.
    own = (inspect.router, sheets.router, reviews.router, plant.router, releases.router, access.router)
    for router in own:
        app.include_router(router, prefix=API)

    @app.get(f"{API}/openapi.json", dependencies=[Depends(needs(Permission.READ))], tags=["health"])
    async def openapi(request: Request) -> JSONResponse:
        """This description, for generators of clients."""
        document: dict[str, Any] = request.app.openapi()
        return JSONResponse(document)

    app.include_router(access.pages_router)
    app.include_router(health.router)


def _add_middleware(app: FastAPI, service: Service) -> None:
    settings = service.settings
    most = int(settings.most_body_mb * MB)
    limits = RequestLimits(
        body_bytes=SMALL_BODY,
        path_bytes={f"{API}/inspect": most},
        all_bytes=int(max(settings.most_bodies_mb, settings.most_body_mb) * MB),
        body_s=settings.body_timeout_s,
        answer_s=settings.request_timeout_s,
    )
    app.add_middleware(Limits, limits=limits)
    app.add_middleware(  # added last: it is the outermost
        Edge,
        hosts=known_hosts(settings),
        https=(settings.public_url or "").startswith("https://"),
        prefix=API,
        finished=RequestFigures(service.metrics).add,
    )
