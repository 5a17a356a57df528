"""The alarms of the page, and what people do with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection
from starlette.responses import Response

from steelsight.ledger.keeping.people import find_person
from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.alarms.acts import SHELF_MINUTES, ShelfReason, acknowledge, shelve, unshelve
from steelsight.service.alarms.record import Alarm, read_alarms
from steelsight.service.api.parts import ServicePart
from steelsight.service.context import Service
from steelsight.service.pages.line.alarm_words import condition_words
from steelsight.service.pages.rendering import fragment
from steelsight.service.pages.words import language_of, words_in
from steelsight.service.problem import Problem
from steelsight.service.reviewing.people import known_person

__all__ = ["alarm_values", "router"]

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(needs(Permission.READ))]
Actor = Annotated[Caller, Depends(needs(Permission.REVIEW))]
Group = Annotated[str, Form(min_length=1, max_length=4096)]
Name = Annotated[str, Form(min_length=1, max_length=200)]
Seq = Annotated[int, Form(ge=1, le=2**53 - 1)]
MOST_COMMENT: Final = 5000

Act = Callable[[Connection, Writer, str], None]


def alarm_values(
    request: Request, service: Service, caller: Caller, *, problem: Problem | None = None
) -> dict[str, Any]:
    """What the template of the alarms needs.

    problem  an act that was refused
    """
    words, now = words_in(language_of(request)), now_us()
    watch = request.app.state.alarms
    with service.ledger.read() as connection:
        log = read_alarms(connection, now)
        people = {each.acknowledged_by for each in (*log.open.values(), *log.cleared)}
        people |= {each.person for each in log.shelves.values()}
        names = {each: _name(connection, each) for each in people if each}
    order = ("high", "medium", "low")
    shown = sorted(
        log.open.values(), key=lambda each: (each.group in log.shelves, order.index(each.priority))
    )
    return {
        "alarms": [_shown(each, words, names) for each in shown if each.group not in log.shelves],
        "shelves": [
            {"group": each.group, "until_us": each.until_us, "reason": each.reason, "by": names[each.person]}
            for each in log.shelves.values()
        ],
        "cleared": [_shown(each, words, names) for each in log.cleared if each.acknowledged_us is None][:3],
        "held_back": len(watch.held_back),
        "may_act": caller.may(Permission.REVIEW),
        "reasons": tuple(ShelfReason),
        "shelf_minutes": SHELF_MINUTES,
        "problem": problem,
    }


def _name(connection: Connection, person: str) -> str:
    found = find_person(connection, person)
    return "" if found is None else found.name


def _shown(alarm: Alarm, words: Any, names: dict[str, str]) -> dict[str, Any]:
    return {
        "group": alarm.group,
        "writer": alarm.name[0],
        "seq": alarm.name[1],
        "priority": alarm.priority,
        "raised_us": alarm.raised_us,
        "cleared_us": alarm.cleared_us,
        "acknowledged_us": alarm.acknowledged_us,
        "by": names.get(alarm.acknowledged_by or "", ""),
        "conditions": [condition_words(words, each) for each in alarm.conditions],
    }


@router.get("/line/alarms")
def show_alarms(request: Request, service: ServicePart, caller: Reader) -> HTMLResponse:
    """The alarms, as a part of the page."""
    return _part(request, service, caller)


def _part(
    request: Request, service: Service, caller: Caller, problem: Problem | None = None, status: int = 200
) -> HTMLResponse:
    values = alarm_values(request, service, caller, problem=problem)
    return HTMLResponse(fragment(request, "line/alarms.html", **values), status_code=status)


@router.post("/line/alarms/acknowledge")
def acknowledge_alarm(
    request: Request, service: ServicePart, caller: Actor, group: Group, writer: Name, seq: Seq
) -> Response:
    """A person has seen an alarm."""
    return _act(
        request, service, caller, lambda one, two, person: acknowledge(one, two, person, group, (writer, seq))
    )


@router.post("/line/alarms/shelve")
def shelve_alarm(
    request: Request,
    service: ServicePart,
    caller: Actor,
    group: Group,
    minutes: Annotated[int, Form(ge=1, le=100_000)],
    reason: Annotated[ShelfReason, Form()],
    comment: Annotated[str, Form(max_length=MOST_COMMENT, pattern=r"^[^\x00]*$")] = "",
) -> Response:
    """No alarms of a group for some time."""
    return _act(
        request,
        service,
        caller,
        lambda one, two, person: shelve(
            one, two, person, group, minutes=minutes, reason=reason, comment=comment
        ),
    )


@router.post("/line/alarms/unshelve")
def unshelve_alarm(request: Request, service: ServicePart, caller: Actor, group: Group) -> Response:
    """Alarms of a group again."""
    return _act(request, service, caller, lambda one, two, person: unshelve(one, two, person, group))


def _act(request: Request, service: Service, caller: Caller, act: Act) -> Response:
    """Do it, and answer with the alarms as they are now; a refusal is shown above them."""
    refused: Problem | None = None
    status = 200
    try:
        with service.console.transaction() as (connection, writer):
            act(connection, writer, known_person(connection, service, caller))
    except Problem as problem:
        if problem.code not in ("alarm_changed", "bad_time"):
            raise
        refused, status = problem, problem.status
    if "hx-request" not in request.headers and status == 200:
        return RedirectResponse("/line", status_code=303)
    return _part(request, service, caller, refused, status)
