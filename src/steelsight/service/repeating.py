"""A thread that does one thing again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from steelsight.errors import SteelsightError

__all__ = ["Repeating"]

STOP_S: Final = 10.0  # longest wait for the end of what it does


class Repeating:
    """Calls something in a thread of its own; what fails is logged, and it goes on.

    name      of the thread
    act       what is called
    pause_s   seconds before each call, asked each time
    failing   the fault, in words for the log: "alarms could not be looked at"
    at_once   the first call comes without a pause
    """

    def __init__(
        self,
        name: str,
        act: Callable[[], None],
        pause_s: Callable[[], float],
        failing: str,
        log: logging.Logger,
        *,
        at_once: bool = False,
    ) -> None:
        self._name, self._act, self._pause_s = name, act, pause_s
        self._failing, self._log, self._at_once = failing, log, at_once
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the call that it is in."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _run(self) -> None:
        pause = 0.0 if self._at_once else self._pause_s()
        log = self._log
        while not self._stop.wait(pause):
            pause = self._pause_s()
            try:
                self._act()
            except SteelsightError as error:
                log.warning("%s: %s", self._failing, error)
            except Exception:
                log.exception("%s; it goes on", self._failing)
