"""The tasks of a piece of work while they are done by Ray, and their events on the way back."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, NoReturn, TypeVar

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from steelsight.cluster.checked_nodes import CheckedNodes
from steelsight.cluster.checks import Expected, NodeReport, not_installed
from steelsight.cluster.events import Events, EventSender
from steelsight.cluster.nodes import cores_by_node
from steelsight.cluster.packing import Packed, pack, unpack
from steelsight.cluster.refusals import MOST_DEATHS, Say, last_line, silent
from steelsight.executor import Receive, Work

__all__ = ["Death", "Running", "TaskResult"]

_POLL_SECONDS: Final = 0.2  # between looks at the events that have come
_NODE_LABEL: Final = "ray.io/node-id"
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


@dataclass(frozen=True)
class Death:
    """The death of a task's worker or node."""

    number: int  # from 1, of this task
    reason: str


@dataclass(frozen=True)
class _Begun:
    """A task that Ray has."""

    reference: Any
    nodes: frozenset[str]  # on one of which it runs, as soon as there is room


class Running:
    """The tasks that are not done yet; the `with` gives up those that are left at its end."""

    def __init__(self, work: Work[Any, Any, Any], expected: Expected, say: Say = silent) -> None:
        """Begin nothing yet.

        say  receives a line for each node that is refused
        """
        self.packed = ray.put(pack((work.function, work.shared, work.tasks)))
        self.events = Events()  # after what may raise: nobody would end the actor
        self.nodes = CheckedNodes(expected, work.facts, work.cores, say)
        self.cores = work.cores
        self.perform = ray.remote(_perform)
        self.deaths: Counter[int] = Counter()
        self.given_up: dict[int, str] = {}  # by task, the reason
        self.waiting = deque(range(len(work.tasks)))
        self.begun: dict[int, _Begun] = {}
        self.preparing = self._prepare_workers()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not ray.is_initialized():  # the tasks ended with the connection; a call would start another Ray
            return
        for begun in self.begun.values():
            ray.cancel(begun.reference, force=True)
        for reference in self.preparing:
            ray.cancel(reference, force=True)
        self.nodes.end()
        self.events.end()

    @property
    def unfinished(self) -> bool:
        """Whether tasks wait or are being done."""
        return bool(self.waiting or self.begun)

    def wait(self) -> list[int]:
        """The tasks that have ended, perhaps none, after a short time at most.

        raises  BadCluster where no node is left for those that wait
        """
        self._fill()
        if not self.begun:
            time.sleep(_POLL_SECONDS)
            return []
        references = [begun.reference for begun in self.begun.values()]
        ended, _ = ray.wait(references, num_returns=1, timeout=_POLL_SECONDS)
        return [index for index, begun in self.begun.items() if begun.reference in ended]

    def give_events(self, receive: Receive) -> None:
        """Give the events on that have come."""
        for index, event in self.events.take():
            receive(index, event)

    def take(self, index: int) -> TaskResult[Any] | Death | None:
        """The outcome of a task that has ended; None where its node is refused, so that it waits again.

        One whose worker died waits again too, or is given up.
        raises  what the task raised
        """
        reference = self.begun.pop(index).reference
        try:
            outcome: TaskResult[Any] | NodeReport = ray.get(reference)
        except RayTaskError as error:
            _raise_cause(error)
        except tuple(_DEATHS) as error:
            reason = next(words for kind, words in _DEATHS.items() if isinstance(error, kind))
            return self._count_death(index, reason)
        except RayError as error:
            return self._count_death(index, last_line(error))
        if isinstance(outcome, NodeReport):
            self.nodes.refuse(outcome)
            self.waiting.appendleft(index)
            return None
        return outcome

    def _count_death(self, index: int, reason: str) -> Death:
        """A task whose worker or node died waits again, or is given up."""
        self.deaths[index] += 1
        if self.deaths[index] < MOST_DEATHS:
            self.waiting.appendleft(index)
        else:
            self.given_up[index] = reason
        return Death(self.deaths[index], reason)

    def _fill(self) -> None:
        """Begin as many tasks as the nodes have room for; Ray chooses among the nodes."""
        room = self.nodes.room()
        for index, begun in list(self.begun.items()):
            if not begun.nodes & self.nodes.alive.keys():  # it would wait for ever
                ray.cancel(begun.reference, force=True)
                del self.begun[index]
                self.waiting.appendleft(index)
        while self.waiting and len(self.begun) < sum(room.values()):
            self._begin(self.waiting.popleft(), frozenset(room))

    def _prepare_workers(self) -> list[Any]:
        """Let workers import what the tasks need while the nodes are checked, which is one process a node."""
        prepare = ray.remote(_prepare)
        references, wanted = [], len(self.waiting)
        for node, cores in cores_by_node().items():
            room = min(cores // self.cores, wanted)
            wanted -= room
            here = NodeAffinitySchedulingStrategy(node, soft=False)
            there = prepare.options(num_cpus=0, max_retries=0, scheduling_strategy=here)
            references += [there.remote(self.packed) for _ in range(room - 1)]
        return references

    def _begin(self, index: int, nodes: frozenset[str]) -> None:
        task = self.perform.options(
            num_cpus=self.cores,
            num_gpus=self.nodes.gpus,
            max_retries=0,
            label_selector={_NODE_LABEL: f"in({','.join(sorted(nodes))})"},
        )
        reference = task.remote(self.packed, index, self.events.actor, str(Path.cwd()))
        self.begun[index] = _Begun(reference, nodes)


def _prepare(packed: Packed) -> None:
    """Import what tasks need; where that fails, the check of the node or the task says so."""
    unpack(packed)


def _perform(packed: Packed, index: int, events: Any, folder: str) -> TaskResult[Any] | NodeReport:
    """Do one task: this is what Ray calls, in a process of its own.

    folder  the current one where the command runs, to which relative paths refer
    """
    if Path(folder).is_dir():
        os.chdir(folder)
    sender = EventSender(index, events)
    try:
        function, shared, tasks = unpack(packed)
        return TaskResult(function(shared, tasks[index], sender))
    except ModuleNotFoundError as error:
        node = ray.get_runtime_context().get_node_id()
        return NodeReport(node, socket.gethostname(), not_installed(error))
    finally:
        sender.wait()


def _raise_cause(error: RayTaskError) -> NoReturn:
    """Raise what a task raised, from Ray's account of it."""
    raise error.cause if isinstance(error.cause, Exception) else error from error
