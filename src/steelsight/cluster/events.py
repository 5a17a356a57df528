"""Events of tasks on their way from the workers of Ray to the command.

They travel as bytes, and this module imports Ray alone: what the tasks work with costs seconds of a processor
to import, and the process that keeps their events does not need it.
"""

from __future__ import annotations

import pickle
from typing import Any, Final

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

__all__ = ["EventSender", "Events"]

_PICKLE: Final = 5  # protocol


class _Kept:
    """The actor."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, bytes]] = []

    def add(self, index: int, event: bytes) -> None:
        """Keep an event of a task."""
        self.kept.append((index, event))

    def take(self) -> list[tuple[int, bytes]]:
        """The events since the last call, in their order."""
        kept, self.kept = self.kept, []
        return kept


class Events:
    """The events that have come to this computer; `end` ends the actor that keeps them.

    Where its process is killed, Ray starts it anew: the events that it had are lost, the tasks go on.
    """

    def __init__(self) -> None:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": here}
        self.actor: Any = ray.remote(_Kept).options(**options).remote()

    def take(self) -> list[tuple[int, Any]]:
        """Index of the task and event of each, in their order, since the last call."""
        return [(index, pickle.loads(event)) for index, event in ray.get(self.actor.take.remote())]

    def end(self) -> None:
        """Keep none any longer."""
        ray.kill(self.actor)


class EventSender:
    """Sends the events of a task, from its worker."""

    def __init__(self, index: int, actor: Any) -> None:
        """Send to the actor of `Events`.

        index  of the task
        """
        self.index = index
        self.actor = actor
        self.last: Any = None

    def __call__(self, event: Any) -> None:
        """Send an event, and do not wait for it; raises what pickle does."""
        self.last = self.actor.add.remote(self.index, pickle.dumps(event, protocol=_PICKLE))

    def wait(self) -> None:
        """Wait until all events have come, so that none comes after the result."""
        if self.last is not None:
            ray.get(self.last)
