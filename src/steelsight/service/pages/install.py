"""Adds the console's pages to the web application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from steelsight.service.pages import choices, static_files
from steelsight.service.pages.problems import add_page_problems
from steelsight.service.pages.review import routes as review

__all__ = ["add_pages", "pages_running"]


def add_pages(app: FastAPI) -> None:
    """Add the routes, and pages for refusals."""
    for part in (static_files, choices, review):
        app.include_router(part.router)
    add_page_problems(app)


@asynccontextmanager
async def pages_running(_app: FastAPI) -> AsyncIterator[None]:
    """While the application runs."""
    yield
