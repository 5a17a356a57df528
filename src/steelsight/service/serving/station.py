"""A station as a child process: it ends with the service, and is started again when it ends by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from steelsight.service.api.health import PartState
from steelsight.service.settings.server import ServerSettings

__all__ = ["StationProcess", "line_words"]

OPTIONS: Final = (  # of `steelsight line`; each is left out where its setting is none or 0
    *("images", "spool", "pattern", "sidecar_wait", "calibration", "shadow", "audit", "audit_key"),
)
VARIABLE: Final = "STEELSIGHT_STATION"  # the words: not on the command line, where others see a password
PROGRAM: Final = (
    "import json, os, sys\n"
    "from steelsight.child_processes import end_with_parent\n"
    f"parent, words = json.loads(os.environ.pop('{VARIABLE}'))\n"
    "end_with_parent(parent)\n"
    "sys.argv = ['steelsight', *words]\n"
    "from steelsight.cli import main\n"
    "main()\n"
)
FIRST_WAIT_S: Final = 1.0  # before a station is started again; doubled each time
LONGEST_WAIT_S: Final = 60.0
STEADY_S: Final = 60.0  # a station that ran so long starts again after the first wait
END_S: Final = 4.0  # for a station to end what it does, before a stronger signal
LOOK_S: Final = 0.2  # whether the process still runs
SIGNALS: Final = (
    signal.SIGTERM,
    signal.SIGKILL,
)  # SIGINT is ignored by what a shell starts in the background


def line_words(settings: ServerSettings) -> list[str]:
    """The words of `steelsight line` for the settings of a service."""
    places = [str(each.absolute()) for each in (settings.bundle, settings.watch) if each is not None]
    words = ["line", *places]
    words += ["--ledger", settings.ledger, "--station", settings.station, "--engine", settings.engine]
    for name in OPTIONS:
        value = getattr(settings, name)
        if value:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


class StationProcess:
    """Runs `steelsight line` and starts it again, after longer and longer waits, until `stop`.

    words  of the command line, or what gives them each time a process starts
    """

    def __init__(
        self,
        words: Sequence[str] | Callable[[], Sequence[str]],
        report: Callable[[str], None],
        *,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self.restarts = 0
        self._words = words if callable(words) else lambda: list(words)
        self._report = report
        self._wait_s = self._first_wait_s = first_wait_s
        self._stop = threading.Event()
        self._again = threading.Event()  # the process is to end, and another one to start at once
        self._trouble = ""  # why no process runs
        self._thread = threading.Thread(target=self._keep, name="station", daemon=True)

    def start(self) -> None:
        """Start the process and the thread that watches it."""
        self._thread.start()

    def state(self) -> PartState:
        """Whether the station runs, for /health."""
        return (
            PartState("down", f"{self._trouble}; it is started again") if self._trouble else PartState("ok")
        )

    def restart(self) -> None:
        """End the process and start another one at once, with the words as they are now; returns at once."""
        self._again.set()

    def begin_stop(self) -> None:
        """Have the process end; returns at once, so that a handler of signals may call it."""
        self._stop.set()

    def stop(self) -> None:
        """End the process: what it judged is in the ledger or in the spool."""
        self.begin_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout=END_S * len(SIGNALS))

    def _keep(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                ended = f"ended with code {self._run()}"
            except OSError as error:  # such as too little memory for a process
                ended = f"could not be started ({error.strerror or error})"
            if self._stop.is_set():
                return
            if self._again.is_set():
                continue
            self._trouble = ended
            if time.monotonic() - started >= STEADY_S:
                self._wait_s = self._first_wait_s
            self._report(f"the station {ended}; it starts again in {self._wait_s:.0f} s")
            self._stop.wait(self._wait_s)
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
            self.restarts += 1

    def _run(self) -> int:
        """One process, until it ends; its code."""
        self._again.clear()
        words = json.dumps([os.getpid(), list(self._words())])
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, VARIABLE: words},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches it through the service alone
        )
        self._trouble = ""
        while process.poll() is None:
            if self._stop.wait(LOOK_S) or self._again.is_set():
                _end(process)
        return process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in SIGNALS:
        try:
            process.send_signal(number)
            process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            continue
        return
