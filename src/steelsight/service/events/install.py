"""Adds events to the web application: routes, the hub of the streams, and the worker that delivers.

    app = FastAPI(lifespan=...)       # its lifespan contains: async with events_running(app): yield
    add_events(app, service)

A process that serves calls `app.state.hub.close()` when it begins to stop: open streams end then, and the
server does not wait for them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from steelsight.service.context import Service
from steelsight.service.events.hub import Hub
from steelsight.service.events.routes import router

__all__ = ["add_events", "events_running"]


def add_events(app: FastAPI, service: Service) -> None:
    """Add the routes and what they work with: `app.state.hub`."""
    app.state.hub = Hub(service.ledger)
    app.include_router(router)


@asynccontextmanager
async def events_running(app: FastAPI) -> AsyncIterator[None]:
    """While the application runs; ends open streams at the end."""
    async with app.state.hub:
        yield
