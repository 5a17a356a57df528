"""Progress as plain lines, where no bar can be drawn: logs of CI, pipes, simple terminals."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from rich.console import RenderableType
from rich.status import Status

__all__ = ["SECONDS", "ProgressLines", "StatusLines"]

SECONDS: Final = 30.0  # between two lines of one piece of work; shorter work prints none


class StatusLines(Status):
    """A status whose every step is a line; use it in a `with`, as `rich.status.Status`."""

    def __init__(self, status: RenderableType, say: Callable[[Any], None]) -> None:
        """Prepare.

        status  the first step
        say     prints a line
        """
        super().__init__(status)
        self._say = say

    def start(self) -> None:
        """Print the first step."""
        self._say(self.status)

    def stop(self) -> None:
        """Do nothing: lines stay."""

    def update(self, status: RenderableType | None = None, **_: Any) -> None:
        """Print a step; how a spinner would look is ignored."""
        if status is not None:
            self.status = status
            self._say(status)


class ProgressLines:
    """Prints how much of a piece of work is done, at most once in `every_s` seconds."""

    def __init__(
        self,
        text: str,
        say: Callable[[str], None],
        *,
        every_s: float = SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock.

        text  what is done
        say   prints a line
        now   seconds of a clock that never goes back
        """
        self.text = text
        self.say = say
        self.every_s = every_s
        self.now = now
        self.last = now()

    def report(self, done: int, total: int | None) -> None:
        """Print a line where it is time for one; total None = unknown."""
        if self.now() - self.last < self.every_s:
            return
        self.last = self.now()
        of = f" of {total:,} ({done / total:.0%})" if total else ""
        self.say(f"{self.text}: {done:,}{of}")
