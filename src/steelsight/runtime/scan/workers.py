"""Worker processes of a scan, seen from the one that started them: parts out, answers in, deaths noticed.

Processes, not threads: a sheet costs both the same processor time, but threads wait for one interpreter, and
a decoder that crashes would take the whole scan along. They are started as commands of their own, so that a
script that scans needs no main guard.
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from steelsight import errors
from steelsight.errors import ScanIncomplete, SteelsightError

__all__ = ["FinishedPart", "run_parts"]

MAX_DEATHS: Final = 3  # then something is wrong with the machine, not with a sheet
_COMMAND: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from steelsight.runtime.scan.worker import main; main()"
)
_SETTINGS: Final = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # Large arrays go back to the system at once, or each part leaves holes that the next does not fit into.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": str(2**18),  # bytes; of glibc, others do not look at it
}


@dataclass(frozen=True)
class FinishedPart:
    """A part that lies on the disk."""

    part: int
    sheets: int


@dataclass(eq=False)
class _Worker:
    process: subprocess.Popen[str]
    answers: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]]
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
            except ValueError:  # torn by its death
                break
        self.answers.put((self, None))

    def send(self, message: Any) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it has died; its listener says so
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


def run_parts(settings: Mapping[str, Any], parts: Sequence[int], workers: int) -> Iterator[FinishedPart]:
    """Have parts written by so many processes; yields each as it is done.

    settings  bundle, checksum, out, plan, engine, batch, heatmaps
    raises    what a worker raised; ScanIncomplete, after all other parts, where a worker died over one
    """
    waiting, lost = deque(parts), {}
    answers: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]] = queue.SimpleQueue()
    alive: set[_Worker] = set()
    try:
        for _ in range(min(workers, len(parts))):
            alive.add(_start(settings, answers))
        while alive:
            worker, answer = _next(answers)
            if answer is None:
                alive.discard(worker)
                how = _ending(worker)
                if worker.part is not None or not worker.ready:
                    lost[worker.part] = how
                    if worker.part is None or len(lost) >= MAX_DEATHS:
                        break
                    if waiting:
                        alive.add(_start(settings, answers))
                continue
            if "error" in answer:
                raise _error(answer)
            if "part" in answer:
                yield FinishedPart(answer["part"], answer["sheets"])
            worker.ready, worker.part = True, None
            if waiting:
                worker.part = waiting.popleft()
                worker.send(worker.part)
            else:
                worker.finish()
    finally:
        for worker in alive:
            worker.kill()
    if lost:
        raise _incomplete(lost)


def _start(settings: Mapping[str, Any], answers: Any) -> _Worker:
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND, json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **_SETTINGS},
        start_new_session=True,  # Ctrl-C is for the parent, which then ends its workers
    )
    worker = _Worker(process, answers)
    worker.send({**settings, "parent": os.getpid()})
    return worker


def _next(answers: Any) -> tuple[_Worker, dict[str, Any] | None]:
    while True:
        try:
            found: tuple[_Worker, dict[str, Any] | None] = answers.get(
                timeout=1
            )  # lets Ctrl-C through everywhere
        except queue.Empty:
            continue
        return found


def _ending(worker: _Worker) -> str:
    code = worker.process.wait()
    worker.kill()
    if code == -9:
        return "was killed, as when memory runs out"
    return f"died of signal {-code}" if code < 0 else f"ended with code {code}"


def _error(answer: Mapping[str, Any]) -> SteelsightError:
    """The worker's own error, here."""
    kind = getattr(errors, answer["error"], SteelsightError)
    found: SteelsightError = kind(answer["message"])
    return found


def _incomplete(lost: Mapping[int | None, str]) -> ScanIncomplete:
    told = [
        f"the worker of part {part} {how}" if part is not None else f"a worker {how} before its first part"
        for part, how in lost.items()
    ]
    return ScanIncomplete(
        f"{'; '.join(told)}; what is written is whole; "
        "run the same command again, with fewer --workers if memory ran out"
    )
