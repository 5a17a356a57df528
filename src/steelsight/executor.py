"""Where independent tasks are done: one after the other in this process, or on other computers.

A room that trains several models takes an `Executor`, and never knows which. A task is a function of a
module, called with what all tasks share, its own argument, and a function that sends events while it works.
All of these, events and results can be pickled, since they may travel.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

__all__ = ["Event", "Executor", "Facts", "LocalExecutor", "Receive", "Results", "Send", "Work"]

Shared = TypeVar("Shared")
Task = TypeVar("Task")
Result = TypeVar("Result")

# Index and result of each task, as they end. Closing it gives up the tasks that are not done.
Results: TypeAlias = Generator[tuple[int, Result], None, None]

Event = Any  # whatever function and receiver of a piece of work agree on
Send = Callable[[Event], None]
Receive = Callable[[int, Event], None]  # the index of the task, and its event
Facts = Callable[[], Mapping[str, str]]  # what results depend on beside inputs, as it is where it is called


def no_facts() -> dict[str, str]:
    """Of work whose results depend on its inputs alone."""
    return {}


@dataclass(frozen=True)
class Work(Generic[Shared, Task, Result]):
    """Independent tasks of one function."""

    function: Callable[[Shared, Task, Send], Result]  # of a module
    shared: Shared  # may be large: it travels to a computer once, and tasks must not change it
    tasks: Sequence[Task]
    names: Sequence[str]  # one a task, for messages
    cores: int = 1  # processor cores that a task computes on
    reads: Sequence[
        Path
    ] = ()  # folders, which every computer must see under these paths, with the same files
    writes: Sequence[Path] = ()  # the same for folders that tasks write into
    facts: Facts = no_facts  # of a module; a computer where they differ from those here does no task


@runtime_checkable
class Executor(Protocol):
    """Does the tasks of a piece of work."""

    @property
    def concurrent(self) -> bool:
        """Whether several tasks are done at the same time, in other processes."""

    def run(self, work: Work[Any, Any, Result], receive: Receive) -> Results[Result]:
        """Do all tasks.

        receive  called in this process with every event of a task, in the order of sending
        returns  index and result of each task, in the order in which they end
        raises   what a task raises; the tasks that are not done then are given up
        """


class LocalExecutor:
    """Does one task after the other in this process."""

    concurrent: ClassVar[bool] = False

    def run(self, work: Work[Any, Any, Result], receive: Receive) -> Results[Result]:
        """Do all tasks in their order."""
        for index, task in enumerate(work.tasks):
            yield index, work.function(work.shared, task, _sender(index, receive))


def _sender(index: int, receive: Receive) -> Send:
    return lambda event: receive(index, event)
