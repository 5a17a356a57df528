"""What people do with alarms: acknowledge, shelve with a reason, end a shelf; each is an event."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection

from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import ALARM_ACKNOWLEDGED, ALARM_SHELVED, ALARM_UNSHELVED
from steelsight.ledger.keeping.people import commit_text
from steelsight.ledger.writing.writer import Writer, now_us
from steelsight.service.alarms.record import read_alarms
from steelsight.service.problem import Problem

__all__ = ["SHELF_MINUTES", "ShelfReason", "acknowledge", "shelve", "unshelve"]

SHELF_MINUTES: Final = (15, 60, 240, 480)


class ShelfReason(StrEnum):
    """Why an alarm is shelved."""

    MAINTENANCE = "maintenance"
    KNOWN_CAUSE = "known cause"
    FALSE_ALARM = "false alarm"
    TRIAL = "trial"
    OTHER = "other"


def acknowledge(
    connection: Connection, writer: Writer, person: str, group: str, name: tuple[str, int]
) -> None:
    """A person has seen an alarm.

    name    writer and seq of the event that raised it, as it was shown
    raises  Problem: 409 alarm_changed where another one was raised meanwhile; doing it twice changes nothing
    """
    log = read_alarms(connection, now_us())
    known = [*log.open.values(), *log.cleared]
    found = next((each for each in known if each.group == group and each.name == name), None)
    if found is None:
        raise _changed()
    if found.acknowledged_us is None:
        details: dict[str, Any] = {"writer": name[0], "seq": name[1]}
        event = Event(name=ALARM_ACKNOWLEDGED, person=person, subject=group, details=details)
        writer.append_within(connection, [event])


def shelve(
    connection: Connection,
    writer: Writer,
    person: str,
    group: str,
    *,
    minutes: int,
    reason: ShelfReason,
    comment: str = "",
) -> None:
    """No alarm of a group for some time; the comment can be erased with its person.

    raises  Problem: 409 alarm_changed where the group has no alarm; 422 for another time
    """
    if minutes not in SHELF_MINUTES:
        expected = ", ".join(map(str, SHELF_MINUTES))
        raise Problem(422, "bad_time", f"expected {expected} minutes, got {minutes}", "choose one of them")
    now = now_us()
    if group not in read_alarms(connection, now).open:
        raise _changed()
    details = {"until_us": now + minutes * 60_000_000, "reason": reason.value}
    if comment.strip():
        details["comment"] = commit_text(connection, person, comment.strip())
    writer.append_within(
        connection, [Event(name=ALARM_SHELVED, person=person, subject=group, details=details)]
    )


def unshelve(connection: Connection, writer: Writer, person: str, group: str) -> None:
    """Alarms of a group are raised again; doing it twice changes nothing."""
    if group in read_alarms(connection, now_us()).shelves:
        writer.append_within(connection, [Event(name=ALARM_UNSHELVED, person=person, subject=group)])


def _changed() -> Problem:
    return Problem(
        409, "alarm_changed", "this alarm is not there any more, or was raised again", "look at the page anew"
    )
