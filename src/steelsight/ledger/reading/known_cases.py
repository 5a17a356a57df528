"""Known cases: sheets whose right label is on record, so that the answers of reviewers can be measured.

An event `known_case` makes a sheet one (subject: the sheet; details: the right `label`); a later one gives it
another label, or ends it with the label null. Answers that were given before a sheet was one are no answers
to a known case.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, select

from steelsight.ledger.chain.event_names import KNOWN_CASE
from steelsight.ledger.database import schema

__all__ = ["KnownCase", "known_cases", "was_known"]


@dataclass(frozen=True)
class KnownCase:
    """A sheet with its right label."""

    label: str
    since_us: int  # when it was made one; microseconds since 1970-01-01 UTC
    ended: bool = False  # it is handed out no more; earlier answers count
    by: frozenset[str] = frozenset()  # ids of people who entered a label: they know it, and do not answer it


def known_cases(connection: Connection, sheet: str | None = None) -> dict[str, KnownCase]:
    """By sheet, every known case with its last label, those that were ended too.

    sheet  only this one; None = all
    """
    table = schema.events
    query = (
        select(table.c.subject, table.c.person, table.c.details, table.c.entered_us)
        .where(table.c.name == KNOWN_CASE, table.c.subject.is_not(None))
        .order_by(table.c.entered_us, table.c.writer, table.c.seq)
    )
    if sheet is not None:
        query = query.where(table.c.subject == sheet)
    found: dict[str, KnownCase] = {}
    for row in connection.execute(query):
        details = json.loads(row.details)
        label, before = details.get("label"), found.get(row.subject)
        if isinstance(label, str) and label:
            since = row.entered_us if before is None else before.since_us
            by = (frozenset() if before is None else before.by) | ({row.person} if row.person else set())
            found[row.subject] = KnownCase(label, int(since), by=by)
        elif before is not None and "label" in details and label is None:
            found[row.subject] = replace(before, ended=True)
    return found


def was_known(sheet: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a sheet is a known case or has been one, for a query.

    sheet  a column with identities of sheets
    """
    table = schema.events
    return exists().where(table.c.name == KNOWN_CASE, table.c.subject == sheet)
