"""Alarms as the ledger's events tell them: raised, acknowledged, shelved, cleared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, select

from steelsight.ledger.chain.event_names import (
    ALARM_ACKNOWLEDGED,
    ALARM_CLEARED,
    ALARM_RAISED,
    ALARM_SHELVED,
    ALARM_UNSHELVED,
)
from steelsight.ledger.database import schema

__all__ = ["Alarm", "AlarmLog", "read_alarms"]

KEPT_US: Final = 14 * 86_400_000_000  # an open alarm that is older is raised again where its cause goes on
NAMES: Final = (ALARM_RAISED, ALARM_CLEARED, ALARM_ACKNOWLEDGED, ALARM_SHELVED, ALARM_UNSHELVED)


@dataclass(frozen=True)
class Alarm:
    """What was raised about one group."""

    group: str
    name: tuple[str, int]  # writer and seq of the event that raised it
    raised_us: int
    conditions: tuple[Mapping[str, Any], ...]
    acknowledged_us: int | None = None
    acknowledged_by: str | None = None  # id of a person
    cleared_us: int | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of its conditions."""
        return frozenset(str(each["kind"]) for each in self.conditions)

    @property
    def priority(self) -> str:
        """The highest of its conditions."""
        order = ("high", "medium", "low")
        found = [str(each["priority"]) for each in self.conditions]
        return min(found, key=lambda each: order.index(each) if each in order else 3, default="low")


@dataclass(frozen=True)
class Shelf:
    """A group that raises no alarm for some time."""

    group: str
    until_us: int
    reason: str
    comment: str | None  # commitment
    person: str


@dataclass(frozen=True)
class AlarmLog:
    """All alarms of the last days."""

    open: Mapping[str, Alarm]  # by group
    cleared: tuple[Alarm, ...]  # newest first, those that nobody acknowledged and the last few others
    shelves: Mapping[str, Shelf]
    raised_us: tuple[int, ...]  # rising


def read_alarms(connection: Connection, now_us: int) -> AlarmLog:
    """What the ledger's events say of alarms."""
    events = schema.events
    query = (
        select(events)
        .where(events.c.name.in_(NAMES), events.c.entered_us > now_us - KEPT_US)
        .order_by(events.c.entered_us, events.c.writer, events.c.seq)
    )
    open_ones: dict[str, Alarm] = {}
    shelves: dict[str, Shelf] = {}
    cleared: list[Alarm] = []
    raised: list[int] = []
    for row in connection.execute(query):
        details, group = json.loads(row.details), str(row.subject)
        if row.name == ALARM_RAISED:
            raised.append(row.entered_us)
            conditions = tuple(details.get("conditions", ()))
            open_ones[group] = Alarm(group, (row.writer, row.seq), row.entered_us, conditions)
        elif row.name == ALARM_CLEARED and group in open_ones:
            cleared.append(replace(open_ones.pop(group), cleared_us=row.entered_us))
        elif row.name == ALARM_ACKNOWLEDGED:
            _acknowledge(open_ones, cleared, group, details, row)
        elif row.name == ALARM_SHELVED:
            until = int(details["until_us"])
            shelves[group] = Shelf(group, until, details["reason"], details.get("comment"), row.person)
        elif row.name == ALARM_UNSHELVED:
            shelves.pop(group, None)
    held = {group: shelf for group, shelf in shelves.items() if shelf.until_us > now_us}
    return AlarmLog(open_ones, tuple(cleared[::-1][:10]), held, tuple(raised))


def _acknowledge(
    open_ones: dict[str, Alarm], cleared: list[Alarm], group: str, details: dict[str, Any], row: Any
) -> None:
    name = (details["writer"], details["seq"])
    done = {"acknowledged_us": row.entered_us, "acknowledged_by": row.person}
    if group in open_ones and open_ones[group].name == name:
        open_ones[group] = replace(open_ones[group], **done)
    for at, each in enumerate(cleared):
        if each.name == name:
            cleared[at] = replace(each, **done)
