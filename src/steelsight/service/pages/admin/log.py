"""The audit log: events of the ledger by kind, person and time, page by page, and as CSV."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, select
from starlette.responses import Response

from steelsight.csv_text import csv_text
from steelsight.ledger.chain.canonical import time_text
from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import KNOWN_CASE
from steelsight.ledger.database import schema
from steelsight.ledger.keeping.people import find_person
from steelsight.ledger.reading.paging import LONGEST_PAGE
from steelsight.ledger.reading.records import EventFilter, list_events
from steelsight.service.access.accounts import list_accounts
from steelsight.service.access.guard import needs
from steelsight.service.access.roles import Caller, Permission
from steelsight.service.api.models.values import Cursor
from steelsight.service.api.parts import ServicePart
from steelsight.service.pages.admin.parts import TABS
from steelsight.service.pages.days import bad_period, day_range, read_day
from steelsight.service.pages.rendering import render
from steelsight.service.problem import Problem
from steelsight.service.wording.event_kinds import event_kind_text
from steelsight.service.wording.page_words import PageWords, words_of

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
ROWS: Final = 50  # of a page
MOST_ROWS: Final = 50_000  # of a download
MOST_KINDS: Final = 200
SHORT: Final = 90  # characters of details
Auditor = Annotated[Caller, Depends(needs(Permission.AUDIT))]
Field = Annotated[str, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


@dataclass(frozen=True)
class LogQuery:
    """Which events; empty = all."""

    kind: str
    person: str
    since: date | None
    until: date | None  # the last day

    @property
    def wanted(self) -> EventFilter:
        """The filter of the list."""
        since, until = day_range(self.since, self.until)
        return EventFilter(
            name=self.kind or None, concerning=self.person or None, since_us=since, until_us=until
        )

    @property
    def address(self) -> str:
        """The same as parameters of an address."""
        values = {"kind": self.kind, "person": self.person, "since": self.since, "until": self.until}
        return urlencode({name: str(value) for name, value in values.items() if value})


def read_log_query(kind: Field = "", person: Field = "", since: Field = "", until: Field = "") -> LogQuery:
    """The query of an address; raises Problem 422 bad_period."""
    first, last = read_day(since), read_day(until)
    if first is not None and last is not None and first > last:
        raise bad_period(f"a period that ends on or after its first day, got {first} to {last}")
    return LogQuery(kind, person, first, last)


Asked = Annotated[LogQuery, Depends(read_log_query)]


@router.get("/audit")
def show_log(
    request: Request,
    service: ServicePart,
    caller: Auditor,
    query: Asked,
    cursor: Cursor | None = None,
) -> HTMLResponse:
    """Events, newest first."""
    with service.ledger.read() as connection:
        page = list_events(connection, _wanted(query, caller), limit=ROWS, cursor=cursor)
        accounts = [(each.person, each.name) for each in list_accounts(connection)]
        names = _names(connection, page.rows)
        kinds = _kinds(connection)
    known = {person for person, _ in accounts}
    kinds = kinds if query.kind in ("", *kinds) else [*kinds, query.kind]
    words = words_of(request)
    return render(
        request,
        "admin/log.html",
        caller,
        tabs=TABS if caller.may(Permission.USERS) else (),
        query=query,
        rows=[_shown(row, names, words) for row in page.rows],
        following=page.cursor,
        first=cursor is None,
        kinds=sorted(((each, event_kind_text(words, each)) for each in kinds), key=lambda each: each[1]),
        people=accounts if query.person in ("", *known) else [*accounts, (query.person, query.person)],
    )


def _wanted(query: LogQuery, caller: Caller) -> EventFilter:
    """The events of a query; known cases are for those alone who may not review."""
    return replace(query.wanted, hidden=frozenset({KNOWN_CASE}) if caller.may(Permission.REVIEW) else None)


def _shown(row: dict[str, Any], names: dict[str, str], words: PageWords) -> dict[str, Any]:
    """A row for the page; `short` is the beginning of details that are too long for a line of it."""
    details = {name: value for name, value in row["details"].items() if name != "token"}
    text = " · ".join(f"{name}: {_plain(value)}" for name, value in details.items())
    return {
        **row,
        "who": names.get(row["person"] or "", row["person"]),
        "token": row["details"].get("token"),
        "about": names.get(row["subject"] or "", row["subject"]),
        "what": event_kind_text(words, row["name"]),
        "details": text,
        "short": text[:SHORT] if len(text) > SHORT else "",
    }


def _plain(value: object) -> str:
    """Text as it stands, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _names(connection: Connection, rows: tuple[dict[str, Any], ...]) -> dict[str, str]:
    """Names by random id of the people in some rows."""
    found = {}
    for value in {row[name] for row in rows for name in ("person", "subject")}:
        person = find_person(connection, value) if value else None
        if person is not None:
            found[value] = person.name
    return found


def _kinds(connection: Connection) -> list[str]:
    name = schema.events.c.name
    return list(connection.execute(select(name).distinct().order_by(name).limit(MOST_KINDS)).scalars())


@router.get("/audit/events.csv")
def download_log(service: ServicePart, caller: Auditor, query: Asked) -> Response:
    """The events as CSV, without names of people; the download is an event itself."""
    rows: list[list[object]] = [["entered", "writer", "seq", "name", "person", "subject", "details"]]
    cursor = None
    with service.ledger.read() as connection:
        while True:
            page = list_events(connection, _wanted(query, caller), limit=LONGEST_PAGE, cursor=cursor)
            rows += [_line(row) for row in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
            if len(rows) > MOST_ROWS:
                raise Problem(
                    422,
                    "too_many_rows",
                    f"expected at most {MOST_ROWS} events, got more",
                    "choose a shorter time or one kind; `steelsight ledger export` writes all",
                )
    details: dict[str, Any] = {"format": "csv", "rows": {"events": len(rows) - 1}}
    if caller.token is not None:
        details["token"] = caller.token
    service.console.append([Event(name="export", person=caller.person, details=details)])
    headers = {"Content-Disposition": 'attachment; filename="events.csv"'}
    return Response(csv_text(rows).encode(), media_type="text/csv; charset=utf-8", headers=headers)


def _line(row: dict[str, Any]) -> list[object]:
    details = json.dumps(row["details"], ensure_ascii=False, sort_keys=True)
    values = (row["writer"], row["seq"], row["name"], row["person"], row["subject"], details)
    return [time_text(row["entered_us"]), *values]
