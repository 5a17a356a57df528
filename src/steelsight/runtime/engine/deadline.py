"""A time limit on native code, which cannot be interrupted: it runs in a thread that is given up."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from steelsight.errors import BadBundle, BadInput

__all__ = ["SECONDS_VARIABLE", "Deadline"]

SECONDS_VARIABLE: Final = "STEELSIGHT_ENGINE_SECONDS"
DEFAULT_SECONDS: Final = 60.0  # an ordinary graph takes less than one
MOST_SECONDS: Final = 86_400.0

Got = TypeVar("Got")
Given = TypeVar("Given")


@dataclass(frozen=True)
class Deadline:
    """The time limit of an engine's work on one graph."""

    graph_file: str  # for messages
    engine: str  # its name, for messages

    def within(self, what: str, call: Callable[[], Got]) -> Got:
        """What `call` returns or raises, in at most the seconds of STEELSIGHT_ENGINE_SECONDS, or 60.

        what    the work, for messages
        raises  BadBundle where it takes longer; the thread is left behind and ends with the process
        """
        found: list[Got] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                found.append(call())
            except BaseException as error:  # noqa: BLE001  raised again by the caller
                failed.append(error)

        seconds = _seconds()
        thread = threading.Thread(target=work, name=f"{self.engine} {what}", daemon=True)
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            raise BadBundle(
                f"{self.graph_file}: {self.engine}: {what} takes longer than {seconds:g} s; "
                f"use a smaller model or a faster computer, or allow more with {SECONDS_VARIABLE}"
            )
        if failed:
            raise failed[0]
        return found[0]

    def first_within(self, what: str, run: Callable[[Given], Got]) -> Callable[[Given], Got]:
        """The same function, whose first call has the time limit."""
        done = False

        def limited(given: Given) -> Got:
            nonlocal done
            if done:
                return run(given)
            answer = self.within(what, lambda: run(given))
            done = True
            return answer

        return limited


def _seconds() -> float:
    text = os.environ.get(SECONDS_VARIABLE, "")
    if not text:
        return DEFAULT_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= MOST_SECONDS:
        raise BadInput(
            f"{SECONDS_VARIABLE}: expected seconds above 0, at most {MOST_SECONDS:g}, got {text!a:.40}"
        )
    return seconds
