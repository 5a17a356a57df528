"""What routes take from the application."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from starlette.requests import Request

from steelsight.ledger.reading.lists import VerdictFilter
from steelsight.ledger.reading.records import EventFilter, ReviewFilter, SheetFilter
from steelsight.service.api.models.values import PageQuery
from steelsight.service.context import Service
from steelsight.service.judging.judges import Judges
from steelsight.service.problem import Problem

__all__ = ["JudgesPart", "ServicePart", "filter_of", "unknown"]

Filter = TypeVar("Filter", SheetFilter, VerdictFilter, ReviewFilter, EventFilter)


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _judges(request: Request) -> Judges:
    judges: Judges = request.app.state.judges
    return judges


ServicePart = Annotated[Service, Depends(_service)]
JudgesPart = Annotated[Judges, Depends(_judges)]


def filter_of(kind: type[Filter], query: PageQuery, **given: Any) -> Filter:
    """The filter that a query asks for: each field is the query's parameter of its name, without `_us`.

    given  fields that are not as in the query
    """
    names = {each.name for each in fields(kind)} - set(given)
    asked: dict[str, Any] = {name: getattr(query, name.removesuffix("_us")) for name in names}
    return kind(**asked, **given)


def unknown(what: str, name: str, where: str) -> Problem:
    """The refusal of a name that nothing has.

    where  the address that lists those which exist
    """
    return Problem(404, f"unknown_{what}", f"there is no {what} {name!r:.120}", f"GET {where} lists them")
