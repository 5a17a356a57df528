"""Which bundles people chose, as the ledger's events tell it: the one that judges by default, and the shadow.

The choices are in the chain, so that they are durable, every service on the ledger reads the same ones, and
who made them and why is on record. Without a choice the bundles of the settings are used.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select

from steelsight.ledger.chain.event_names import (
    BUNDLE_PROMOTED,
    BUNDLE_ROLLED_BACK,
    SHADOW_ENDED,
    SHADOW_STARTED,
)
from steelsight.ledger.database import schema
from steelsight.ledger.reading.cursors import Cursor
from steelsight.ledger.reading.tail import read_heads

__all__ = ["SHADOWS", "Choice", "ChoiceLog", "chosen", "chosen_shadow", "mark_of", "rollback_target"]

DEFAULTS: Final = (BUNDLE_PROMOTED, BUNDLE_ROLLED_BACK)  # events that choose the bundle that judges
SHADOWS: Final = (SHADOW_STARTED, SHADOW_ENDED)  # events that choose the one beside it


@dataclass(frozen=True)
class Choice:
    """One promotion or rollback; or the start or end of a shadow."""

    number: int  # 1, 2, 3, ...: of each the one before is known, whatever the writers' clocks say
    writer: str
    seq: int
    made_us: int
    name: str  # of the event, in DEFAULTS or SHADOWS
    model: str  # id of the bundle that judges from then on; of the shadow that starts or ends
    before: str  # id of the bundle, or the shadow, until then; "" = there was no shadow
    person: str | None  # id
    reason: str | None  # commitment to a text that can be erased
    because: str = ""  # of a shadow's end that no person chose: promoted, not_comparable


def chosen(choices: Sequence[Choice]) -> str | None:
    """The model id of the default; None = nothing was chosen: the bundle of the settings."""
    return choices[-1].model if choices else None


def chosen_shadow(choices: Sequence[Choice], configured: str | None) -> str | None:
    """The model id of the shadow bundle; None = there is none.

    configured  the one of the settings, which shadows where nothing was chosen
    """
    if not choices:
        return configured
    return choices[-1].model if choices[-1].name == SHADOW_STARTED else None


def rollback_target(choices: Sequence[Choice]) -> str | None:
    """The bundle that judged before the last promotion that was not rolled back; None = there is none."""
    standing: list[Choice] = []
    for each in choices:
        if each.name == BUNDLE_PROMOTED:
            standing.append(each)
        elif standing:
            standing.pop()
    return standing[-1].before if standing else None


def mark_of(choices: Sequence[Choice]) -> str:
    """What a form carries to say which choice it was made for."""
    return f"{choices[-1].number}:{choices[-1].seq}:{choices[-1].writer}" if choices else "0"


class ChoiceLog:
    """All choices of a ledger; reading again costs one small query and the events that are new.

    names  of the events: DEFAULTS or SHADOWS
    """

    def __init__(self, names: Sequence[str] = DEFAULTS) -> None:
        self._names = tuple(names)
        self._lock = threading.Lock()
        self._read = Cursor(0)
        self._choices: tuple[Choice, ...] = ()

    def read(self, connection: Connection) -> tuple[Choice, ...]:
        """The choices, the oldest first, as the ledger has them now."""
        heads = read_heads(connection)
        with self._lock:
            if heads.epoch != self._read.epoch:  # first read, or restored
                self._read, self._choices = Cursor(heads.epoch), ()
            found = [
                each
                for writer, last in heads.seqs.items()
                if last > self._read.seq(writer)
                for each in _entered(connection, self._names, writer, self._read.seq(writer), last)
            ]
            if found:
                self._choices = tuple(sorted([*self._choices, *found], key=lambda each: each.number))
            newer = {
                writer: last for writer, last in heads.seqs.items() if last > self._read.seq(writer)
            }  # a thread that began to read earlier may come later
            self._read = self._read.moved(newer)
            return self._choices


def _entered(
    connection: Connection, names: Sequence[str], writer: str, after: int, last: int
) -> list[Choice]:
    table = schema.events
    query = select(table).where(
        table.c.writer == writer, table.c.seq > after, table.c.seq <= last, table.c.name.in_(names)
    )
    found = (_choice(row) for row in connection.execute(query))
    return [each for each in found if each is not None]


def _choice(row: Any) -> Choice | None:
    """The choice of an event; None where it has not what this version writes."""
    details = json.loads(row.details)
    number, before = details.get("number"), details.get("before")
    if type(number) is not int or not isinstance(before, str) or row.subject is None:
        return None
    reason, because = details.get("reason"), details.get("because")
    return Choice(
        number=number,
        writer=row.writer,
        seq=int(row.seq),
        made_us=int(row.entered_us),
        name=row.name,
        model=row.subject,
        before=before,
        person=row.person,
        reason=reason if isinstance(reason, str) else None,
        because=because if isinstance(because, str) else "",
    )
