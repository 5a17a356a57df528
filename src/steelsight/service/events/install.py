"""Adds events to the web application: routes, the hub of the streams, and the worker that delivers.

    app = FastAPI(lifespan=...)       # its lifespan contains: async with events_running(app): yield
    add_events(app, service)

A process that serves calls `app.state.hub.close()` when it begins to stop: open streams end then, and the
server does not wait for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from steelsight.service.context import Service
from steelsight.service.events.figures import EventFigures
from steelsight.service.events.hub import Hub
from steelsight.service.events.outbox.routes import router as destinations
from steelsight.service.events.outbox.worker import Delivery
from steelsight.service.events.routes import router as streams

__all__ = ["add_events", "events_running"]


def add_events(app: FastAPI, service: Service) -> None:
    """Add the routes and what they work with: `app.state.hub` and `app.state.delivery`."""
    app.state.hub = Hub(service.ledger)
    app.state.delivery = Delivery(service.ledger, service.console, service.settings)
    EventFigures(service.metrics, app.state.hub, app.state.delivery)
    app.include_router(streams)
    app.include_router(destinations)


@asynccontextmanager
async def events_running(app: FastAPI) -> AsyncIterator[None]:
    """While the application runs: deliver; at the end open streams are ended."""
    service: Service = app.state.service
    if service.settings.deliver:
        app.state.delivery.start()
    try:
        async with app.state.hub:
            yield
    finally:
        await asyncio.to_thread(app.state.delivery.stop)
