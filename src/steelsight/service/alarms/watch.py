"""A thread that looks at the line every few seconds and puts alarms on record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from steelsight.ledger.writing.writer import now_us
from steelsight.service.alarms.conditions import Condition, station_conditions
from steelsight.service.alarms.record import AlarmLog, read_alarms
from steelsight.service.alarms.steps import take_step
from steelsight.service.context import Service
from steelsight.service.repeating import Repeating

__all__ = ["AlarmWatch"]

LOG: Final = logging.getLogger("steelsight.service.alarms")


class AlarmWatch:
    """Watches one service; `start` and `stop`.

    others  gives the conditions that are not of stations
    """

    def __init__(self, service: Service, others: Callable[[], Sequence[Condition]]) -> None:
        self.conditions: tuple[Condition, ...] = ()  # of the last look
        self.held_back: tuple[str, ...] = ()  # groups whose alarm waits, so that not too many are raised
        self._service = service
        self._others = others
        self._last_there: dict[str, int] = {}
        self._thread = Repeating(
            "alarms", self.look, lambda: service.settings.alarm_check_s, "alarms could not be looked at", LOG
        )

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._thread.stop()

    def look(self) -> None:
        """Look once, and write what has changed; raises BadLedger, LeaseLost."""
        service, now = self._service, now_us()
        before = {(each.group, each.kind) for each in self.conditions}
        with service.ledger.read() as connection:
            found = station_conditions(connection, service.settings, service.bundles, before, now)
            log = read_alarms(connection, now)
        self.conditions = (*found, *self._others())
        self._last_there.update({each.group: now for each in self.conditions})
        for group in log.open:  # raised before this process began
            self._last_there.setdefault(group, now)
        step = take_step(self.conditions, log, self._last_there, now)
        self.held_back = step.held_back
        if step.events:
            self._write(log)

    def _write(self, log: AlarmLog) -> None:
        """Decide again in the transaction that writes: another process may have raised it meanwhile."""
        with self._service.console.transaction() as (connection, writer):
            now = now_us()
            log = read_alarms(connection, now)
            step = take_step(self.conditions, log, self._last_there, now)
            writer.append_within(connection, step.events)
