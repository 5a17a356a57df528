"""Adds the console's pages to the web application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from steelsight.service.alarms.certificates import CertificateWatch
from steelsight.service.alarms.conditions import Condition, drift_conditions, part_conditions
from steelsight.service.alarms.watch import AlarmWatch
from steelsight.service.context import Service
from steelsight.service.learning.jobs import Learning
from steelsight.service.pages import choices, static_files
from steelsight.service.pages.admin import log, retention, stations, tokens, users
from steelsight.service.pages.background import Background
from steelsight.service.pages.coil import comparing
from steelsight.service.pages.coil import routes as coil
from steelsight.service.pages.coil.kept import KeptCoils
from steelsight.service.pages.line import alarms
from steelsight.service.pages.line import routes as line
from steelsight.service.pages.line.figures import LineFigures
from steelsight.service.pages.models import routes as models
from steelsight.service.pages.problems import add_page_problems
from steelsight.service.pages.quality import known
from steelsight.service.pages.quality import routes as quality
from steelsight.service.pages.review import routes as review
from steelsight.service.pages.review.evidence import routes as evidence
from steelsight.service.pages.review.evidence.state import EvidenceState
from steelsight.service.pages.words import language_of, words_in
from steelsight.service.releases.following import Releases
from steelsight.service.releases.reproducing import Reproducer

__all__ = ["add_pages", "pages_running"]


def add_pages(app: FastAPI) -> None:
    """Add the routes, and what they work with, such as `app.state.alarms` and `app.state.releases`."""
    service: Service = app.state.service
    app.state.certificates = CertificateWatch(service)
    app.state.words_of = lambda request: words_in(language_of(request))
    app.state.alarms = AlarmWatch(service, _other_conditions(app.state))
    app.state.line_figures = LineFigures(service)
    app.state.coils = KeptCoils(service)
    app.state.quality = Background("quality")
    app.state.retention = Background("retention")
    app.state.releases, app.state.learning = Releases(service), Learning(service)
    app.state.releases.changed.append(app.state.judges.warm)
    app.state.health.more["releases"] = app.state.releases.state
    app.state.reproducer = Reproducer(service)
    app.state.evidence = EvidenceState()
    administration = (users, tokens, stations, retention, log)
    for part in (
        static_files,
        choices,
        line,
        alarms,
        comparing,
        coil,
        review,
        evidence,
        quality,
        known,
        models,
        *administration,
    ):
        app.include_router(part.router)
    add_page_problems(app)


def _other_conditions(state: Any) -> Callable[[], Sequence[Condition]]:
    def find() -> Sequence[Condition]:
        drifts = state.figures.drifts()
        parts = {name: part.state for name, part in state.health.look().items()}
        bundles = [*drift_conditions(drifts, state.figures.void()), *state.certificates.conditions]
        return [*bundles, *part_conditions(parts)]

    return find


@asynccontextmanager
async def pages_running(app: FastAPI) -> AsyncIterator[None]:
    """While the application runs: watch for alarms, and follow which bundle was chosen."""
    watch: AlarmWatch = app.state.alarms
    releases: Releases = app.state.releases
    releases.start()
    if app.state.service.settings.alarms:
        watch.start()
        app.state.certificates.start()
    try:
        yield
    finally:
        app.state.quality.close()
        app.state.retention.close()
        await asyncio.to_thread(watch.stop)
        await asyncio.to_thread(app.state.certificates.stop)
        app.state.coils.close()
        await asyncio.to_thread(releases.stop)
        await asyncio.to_thread(app.state.learning.close)
