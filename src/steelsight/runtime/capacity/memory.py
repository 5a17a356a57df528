"""The most memory that a child process of this one has had, on Linux; elsewhere it is not told.

`getrusage` is not used: on Linux a child inherits the peak of the process that started it.
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["ChildMemory"]

PAUSE_S: Final = 0.1
PROC: Final = Path("/proc")
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.M)


class ChildMemory:
    """Watches the children of this process while the block runs.

    mib  the largest peak of resident memory of any of them, in MiB; None = there was none, or no /proc
    """

    mib: float | None = None

    def __enter__(self) -> ChildMemory:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(PAUSE_S):
            for child in _children():
                with suppress(OSError):  # it has ended
                    found = _PEAK.search((PROC / child / "status").read_text())
                    if found is not None:
                        self.mib = max(self.mib or 0.0, int(found[1]) / 1024)


def _children() -> set[str]:
    """Numbers of the processes that any thread of this one started."""
    children: set[str] = set()
    for path in PROC.glob("self/task/*/children"):
        with suppress(OSError):  # the thread has ended
            children.update(path.read_text().split())
    return children
