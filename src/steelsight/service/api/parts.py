"""What routes take from the application."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from steelsight.service.context import Service
from steelsight.service.judging.judges import Judges
from steelsight.service.problem import Problem

__all__ = ["JudgesPart", "ServicePart", "unknown"]


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _judges(request: Request) -> Judges:
    judges: Judges = request.app.state.judges
    return judges


ServicePart = Annotated[Service, Depends(_service)]
JudgesPart = Annotated[Judges, Depends(_judges)]


def unknown(what: str, name: str, where: str) -> Problem:
    """The refusal of a name that nothing has.

    where  the address that lists those which exist
    """
    return Problem(404, f"unknown_{what}", f"there is no {what} {name!r:.120}", f"GET {where} lists them")
