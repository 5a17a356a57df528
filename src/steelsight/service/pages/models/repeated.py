"""What the page says of a verdict that is judged again."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from steelsight.service.access.roles import Caller
from steelsight.service.context import Service
from steelsight.service.problem import Problem
from steelsight.service.releases.reproducing import Reproducer, find_verdict, parse_verdict
from steelsight.service.reviewing.seen import note_seen

__all__ = ["repeated_values"]


def repeated_values(
    request: Request, service: Service, caller: Caller, asked: str
) -> tuple[dict[str, Any], int]:
    """What the template needs, and the status: that of the refusal where the verdict cannot be repeated.

    asked  WRITER:NUMBER; "" = nothing was asked for yet
    """
    values: dict[str, Any] = {"asked": asked, "verdict": None, "sheet": None, "found": None, "problem": None}
    if not asked.strip():
        return values, 200
    reproducer: Reproducer = request.app.state.reproducer
    try:
        name = parse_verdict(asked)
        with service.ledger.read() as connection:
            verdict, sheet = find_verdict(connection, name)
        note_seen(service, caller, [sheet["sheet"]])
        values |= {"verdict": verdict, "sheet": sheet}
        values["found"] = reproducer.repeat(verdict, sheet)
    except Problem as problem:
        values["problem"] = problem
        return values, problem.status
    return values, 200
