"""Notices a clock that was set back: entries then state times before those of entries that they follow."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from steelsight.ledger.writing.writer import now_us

__all__ = ["ClockWatch"]

LEAST_US: Final = 1_000_000  # a clock that is kept right by small steps is not told


class ClockWatch:
    """Compares the clock with one that only runs forward.

    wall    microseconds since 1970-01-01 UTC
    steady  seconds of a clock that is never set
    """

    def __init__(
        self, wall: Callable[[], int] = now_us, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead_us = self._now_ahead_us()

    def expect(self, time_us: int) -> None:
        """It is later than the time of an entry that was written before."""
        self._ahead_us = max(self._ahead_us, time_us - int(self._steady() * 1e6))

    def back_s(self) -> float:
        """Seconds by which the clock was set back since the last call; 0 = it was not."""
        now = self._now_ahead_us()
        back, self._ahead_us = self._ahead_us - now, now
        return back / 1e6 if back >= LEAST_US else 0.0

    def _now_ahead_us(self) -> int:
        return self._wall() - int(self._steady() * 1e6)
