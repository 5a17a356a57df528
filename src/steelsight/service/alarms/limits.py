"""How many alarms may be raised: ten at once, and then fewer than one in ten minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["AT_ONCE", "EVERY_US", "may_raise"]

AT_ONCE: Final = 10
EVERY_US: Final = 12 * 60_000_000  # one more may be raised after so long


def may_raise(raised_us: Sequence[int], now_us: int) -> bool:
    """Whether one more alarm may be raised now, by a token bucket of AT_ONCE that fills every EVERY_US.

    raised_us  when alarms were raised, rising; those older than AT_ONCE * EVERY_US change nothing

    >>> may_raise([], 0), may_raise([0] * 10, 0), may_raise([0] * 10, EVERY_US)
    (True, False, True)
    """
    level, last = float(AT_ONCE), None
    for moment in [*raised_us, now_us]:
        if last is not None:
            level = min(float(AT_ONCE), level + max(0, moment - last) / EVERY_US)
        last = moment
        level -= 1
    return level >= 0
