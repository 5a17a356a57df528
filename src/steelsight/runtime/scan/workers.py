"""Start the worker processes of a scan, send them part numbers, receive their messages, notice their deaths.

Processes are used instead of threads because threads wait for one interpreter, and because a decoder that
crashes ends its own process only. They are started as separate commands, so that a script that scans needs
no `if __name__ == "__main__"`.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from steelsight import errors
from steelsight.errors import ScanIncomplete, SteelsightError
from steelsight.runtime.scan.job import FinishedPart
from steelsight.runtime.scan.output import remove_partial_files
from steelsight.runtime.scan.worker_settings import WORKER_ENVIRONMENT

__all__ = ["run_parts"]

MAX_DEATHS: Final = 3  # parts; the scan then ends, because the cause is the machine and not a sheet
_COMMAND: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from steelsight.runtime.scan.worker import main; main()"
)


Answers: TypeAlias = "queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]]"


@dataclass(eq=False)
class _Worker:
    """A process, and a thread that puts its messages into the queue; None is put when it ends."""

    process: subprocess.Popen[str]
    answers: Answers
    part: int | None = None
    ready: bool = False
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self.answers.put((self, json.loads(line)))
            except ValueError:  # cut off when it died
                break
        self.answers.put((self, None))

    def send(self, message: Any) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it has died; its listener reports that
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()

    def finish(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.finish()
        assert self.process.stdout is not None
        self.process.stdout.close()


def run_parts(
    settings: Mapping[str, Any], parts: Sequence[int], workers: int
) -> Generator[FinishedPart, None, None]:
    """Write parts in worker processes; yields each when it is written.

    When it ends or is closed, no worker runs and none of them has left a partly written file. A caller that
    may stop early closes it: an exception's traceback would otherwise keep it open.

    settings  bundle, checksum, out, plan, engine, batch, heatmaps
    workers   processes at most; there are never more than parts
    raises    what a worker raised; ScanIncomplete, after all other parts, where a worker died at one
    """
    pool = _Pool(settings, parts)
    try:
        for _ in range(min(workers, len(parts))):
            pool.start()
        while pool.alive and not pool.given_up:
            finished = pool.receive()
            if finished is not None:
                yield finished
    finally:
        for worker in pool.alive:
            worker.kill()
        remove_partial_files(Path(settings["out"]))
    if pool.lost:
        raise _incomplete(pool.lost)


class _Pool:
    """The workers of one scan, the parts that wait, and the parts at which a worker died."""

    def __init__(self, settings: Mapping[str, Any], parts: Sequence[int]) -> None:
        self.settings = settings
        self.waiting = deque(parts)
        self.lost: dict[int | None, str] = {}  # None = before its first part
        self.alive: set[_Worker] = set()
        self.given_up = False
        self._answers: Answers = queue.SimpleQueue()

    def start(self) -> None:
        self.alive.add(_start(self.settings, self._answers))

    def receive(self) -> FinishedPart | None:
        """Handle one message of any worker; returns the part it finished, if it did.

        raises  what the worker raised
        """
        worker, answer = _next(self._answers)
        if answer is None:
            self._remove(worker)
            return None
        if "error" in answer:
            raise _error(answer)
        worker.ready, worker.part = True, None
        if self.waiting:
            worker.part = self.waiting.popleft()
            worker.send(worker.part)
        else:
            worker.finish()
        return FinishedPart(answer["part"], answer["sheets"]) if "part" in answer else None

    def _remove(self, worker: _Worker) -> None:
        """Count a worker that ended, and start another where its part was not finished."""
        self.alive.discard(worker)
        how = _ending(worker)
        if worker.part is None and worker.ready:
            return
        self.lost[worker.part] = how
        self.given_up = worker.part is None or len(self.lost) >= MAX_DEATHS
        if self.waiting and not self.given_up:
            self.start()


def _start(settings: Mapping[str, Any], answers: Answers) -> _Worker:
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **WORKER_ENVIRONMENT},
        start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends its workers
    )
    worker = _Worker(process, answers)
    worker.send({**settings, "parent": os.getpid()})
    return worker


def _next(answers: Answers) -> tuple[_Worker, dict[str, Any] | None]:
    while True:
        try:
            return answers.get(timeout=1)  # without a timeout Ctrl-C is not delivered on every system
        except queue.Empty:
            continue


def _ending(worker: _Worker) -> str:
    """How the worker ended, for the message."""
    code = worker.process.wait()
    worker.kill()
    if code == -9:
        return "was killed, as when memory runs out"
    return f"died of signal {-code}" if code < 0 else f"ended with code {code}"


def _error(answer: Mapping[str, Any]) -> SteelsightError:
    """The worker's error, to be raised in this process."""
    kind = getattr(errors, answer["error"], SteelsightError)
    error: SteelsightError = kind(answer["message"])
    return error


def _incomplete(lost: Mapping[int | None, str]) -> ScanIncomplete:
    deaths = [
        f"the worker of part {part} {how}" if part is not None else f"a worker {how} before its first part"
        for part, how in lost.items()
    ]
    return ScanIncomplete(
        f"{'; '.join(deaths)}; all written parts are complete; "
        "run the same command again, with fewer --workers if memory ran out"
    )
