"""Builds the web application from the parts of a service."""

from __future__ import annotations

from fastapi import FastAPI

from steelsight.service.api.errors import ErrorEnvelope, add_error_handlers
from steelsight.service.context import Service
from steelsight.version import __version__

__all__ = ["build_app"]


def build_app(service: Service) -> FastAPI:
    """The application; `app.state.service` is what its routes work with."""
    app = FastAPI(
        title="Steelsight",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        responses={"default": {"model": ErrorEnvelope, "description": "Refused, with what to do."}},
    )
    app.state.service = service
    add_error_handlers(app)
    return app
