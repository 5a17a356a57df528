"""The tasks of a piece of work while they are done by Ray, and their events on the way back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Generic, NoReturn, TypeVar

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayTaskError,
    WorkerCrashedError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from steelsight.cluster.checks import Expected, check_node
from steelsight.cluster.packing import Packed, pack, unpack
from steelsight.errors import BadInput
from steelsight.executor import Event, Receive, Work
from steelsight.runtime.processor import processor_type

__all__ = ["Death", "Running", "TaskResult"]

_POLL_SECONDS: Final = 0.2  # between looks at the events that have come
_DEATHS: Final[dict[type[Exception], str]] = {
    OutOfMemoryError: "its node ran out of memory",
    NodeDiedError: "its node has gone",
    ObjectLostError: "the node that kept its result has gone",
    WorkerCrashedError: "killed, as when memory runs out",
}

Result = TypeVar("Result")


@dataclass(frozen=True)
class TaskResult(Generic[Result]):
    """The result of a task."""

    result: Result
    processor: str  # its type, where the task was done


@dataclass(frozen=True)
class Death:
    """The death of a task's worker or node."""

    number: int  # from 1, of this task
    reason: str


class Running:
    """The tasks that are not done yet; the `with` gives up those that are left at its end."""

    def __init__(self, work: Work[Any, Any, Any], expected: Expected, most_deaths: int) -> None:
        """Begin all tasks; each is given up when its worker has died `most_deaths` times."""
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.events: Any = ray.remote(_Events).options(num_cpus=0, scheduling_strategy=here).remote()
        self.packed = ray.put(pack((work.function, work.shared, work.tasks)))
        self.expected = expected
        self.most_deaths = most_deaths
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        gpus = 1 if resources.get("GPU", 0) >= 1 else 0
        self.perform = ray.remote(_perform).options(num_cpus=work.cores, num_gpus=gpus, max_retries=0)
        self.deaths: Counter[int] = Counter()
        self.given_up: dict[int, str] = {}  # by task, the reason
        self.tasks: dict[int, Any] = {}
        for index in range(len(work.tasks)):
            self._start(index)

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not ray.is_initialized():  # the tasks ended with the connection; a call would start another Ray
            return
        for reference in self.tasks.values():
            ray.cancel(reference, force=True)
        ray.kill(self.events)

    def wait(self) -> list[int]:
        """The tasks that have ended, perhaps none, after a short time at most."""
        ended, _ = ray.wait(list(self.tasks.values()), num_returns=1, timeout=_POLL_SECONDS)
        return [index for index, reference in self.tasks.items() if reference in ended]

    def give_events(self, receive: Receive) -> None:
        """Give the events on that have come."""
        for index, event in ray.get(self.events.take.remote()):
            receive(index, event)

    def take(self, index: int) -> TaskResult[Any] | Death:
        """The outcome of a task that has ended; one whose worker died is begun again, or given up.

        raises  what the task raised
        """
        reference = self.tasks.pop(index)
        try:
            outcome: TaskResult[Any] = ray.get(reference)
        except RayTaskError as error:
            _raise_cause(error)
        except tuple(_DEATHS) as error:
            self.deaths[index] += 1
            reason = next(words for kind, words in _DEATHS.items() if isinstance(error, kind))
            if self.deaths[index] < self.most_deaths:
                self._start(index)
            else:
                self.given_up[index] = reason
            return Death(self.deaths[index], reason)
        return outcome

    def _start(self, index: int) -> None:
        self.tasks[index] = self.perform.remote(self.packed, index, self.events, self.expected)


class _Events:
    """An actor that keeps the events of tasks until they are taken."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, Event]] = []

    def add(self, index: int, event: Event) -> None:
        """Keep an event of a task."""
        self.kept.append((index, event))

    def take(self) -> list[tuple[int, Event]]:
        """The events since the last call, in their order."""
        kept, self.kept = self.kept, []
        return kept


def _perform(packed: Packed, index: int, events: Any, expected: Expected) -> TaskResult[Any]:
    """Do one task: this is what Ray calls, in a process of its own."""
    check_node(expected)
    function, shared, tasks = unpack(packed)
    sender = _Sender(index, events)
    try:
        return TaskResult(function(shared, tasks[index], sender), processor_type())
    finally:
        sender.wait()


class _Sender:
    """Sends the events of a task."""

    def __init__(self, index: int, events: Any) -> None:
        self.index = index
        self.events = events
        self.last: Any = None

    def __call__(self, event: Event) -> None:
        """Send an event, and do not wait for it."""
        self.last = self.events.add.remote(self.index, event)

    def wait(self) -> None:
        """Wait until all events have come, so that none comes after the result."""
        if self.last is not None:
            ray.get(self.last)


def _raise_cause(error: RayTaskError) -> NoReturn:
    """Raise what a task raised, from Ray's account of it."""
    if "failed to import" in str(error) or isinstance(error.cause, ModuleNotFoundError):
        raise BadInput(
            "--ray: a node cannot import steelsight or what it needs; install the same version, with the "
            "same extras, on all nodes"
        ) from error
    raise error.cause if isinstance(error.cause, Exception) else error from error
