"""Which alarms are raised and cleared now, from conditions and what was raised before: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from steelsight.ledger.chain.entries import Event
from steelsight.ledger.chain.event_names import ALARM_CLEARED, ALARM_RAISED
from steelsight.service.alarms.conditions import Condition, Priority
from steelsight.service.alarms.limits import may_raise
from steelsight.service.alarms.record import AlarmLog

__all__ = ["QUIET_US", "AlarmStep", "take_step"]

QUIET_US: Final = 60_000_000  # an alarm is cleared when its conditions are away for so long
ORDER: Final = tuple(Priority)


@dataclass(frozen=True)
class AlarmStep:
    """What is to be written, and which groups have to wait."""

    events: tuple[Event, ...]
    held_back: tuple[str, ...]  # groups whose alarm would be one too many now


def take_step(
    conditions: Iterable[Condition], log: AlarmLog, last_there: Mapping[str, int], now_us: int
) -> AlarmStep:
    """One look at the line.

    last_there  by group, when it last had a condition
    A group with conditions has one alarm, whatever their number. Where one of a new kind joins an alarm that
    was acknowledged, it is raised again. The most urgent groups come first.
    """
    groups: dict[str, list[Condition]] = {}
    for each in conditions:
        groups.setdefault(each.group, []).append(each)
    events: list[Event] = []
    held_back: list[str] = []
    raised = list(log.raised_us)
    for group, members in sorted(groups.items(), key=_urgency):
        if group in log.shelves or not _is_new(log, group, members):
            continue
        if not may_raise(raised, now_us):
            held_back.append(group)
            continue
        raised.append(now_us)
        details = {"conditions": [each.as_dict() for each in members]}
        events.append(Event(name=ALARM_RAISED, subject=group, details=details))
    for group in log.open:
        if group not in groups and now_us - last_there.get(group, 0) >= QUIET_US:
            events.append(Event(name=ALARM_CLEARED, subject=group))
    return AlarmStep(tuple(events), tuple(held_back))


def _urgency(item: tuple[str, list[Condition]]) -> tuple[int, str]:
    return min(ORDER.index(each.priority) for each in item[1]), item[0]


def _is_new(log: AlarmLog, group: str, members: list[Condition]) -> bool:
    alarm = log.open.get(group)
    if alarm is None:
        return True
    return alarm.acknowledged_us is not None and bool({each.kind for each in members} - alarm.kinds)
