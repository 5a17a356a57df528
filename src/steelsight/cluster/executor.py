"""Does independent tasks on the computers of a Ray cluster.

A task whose worker or node dies is done again, up to three times; it continues from what it has written, as a
training does from its checkpoint. One that kills its worker three times is named when all others are done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar, Final, TypeVar

import ray

from steelsight.cluster.checks import expect_of_nodes
from steelsight.cluster.connect import LOCAL, connect
from steelsight.cluster.nodes import cores_by_node
from steelsight.cluster.running import Death, Running
from steelsight.errors import BadInput, WorkIncomplete
from steelsight.executor import Receive, Results, Work
from steelsight.runtime.processor import processor_type

__all__ = ["MOST_DEATHS", "RayExecutor", "ray_executor"]

MOST_DEATHS: Final = 3  # of the worker of one task

Result = TypeVar("Result")
Say = Callable[[str], None]


def _silent(_line: str) -> None:
    """Say nothing."""


@contextmanager
def ray_executor(address: str, say: Say = _silent) -> Iterator[RayExecutor]:
    """An executor on a cluster, to which this process is connected inside the `with`.

    address  auto = the cluster that runs here; local = Ray on this computer, started for this process; or
             the address HOST:PORT of a cluster that this computer is a node of
    say      receives remarks, one line each
    raises   BadCluster where there is no such cluster
    """
    connected = nullcontext() if ray.is_initialized() else connect(address)  # a connection is used and stays
    with connected:
        yield RayExecutor(say, grows=address != LOCAL)


class RayExecutor:
    """Does tasks on the cluster that this process is connected to."""

    concurrent: ClassVar[bool] = True

    def __init__(self, say: Say = _silent, *, grows: bool = False) -> None:
        """Make an executor.

        grows  whether further computers may join the cluster
        """
        self.say = say
        self.grows = grows

    def run(self, work: Work[Any, Any, Result], receive: Receive) -> Results[Result]:
        """Do all tasks; others as `Executor.run`.

        raises  WorkIncomplete naming the tasks whose workers died three times, when all others are done;
                BadInput where no node has the cores of a task, or a node lacks a folder or has other software
        """
        self._check_cores(work.cores)
        processors = {processor_type()}
        with (
            expect_of_nodes(work.reads, work.writes) as expected,
            Running(work, expected, MOST_DEATHS) as running,
        ):
            while running.tasks:
                ended = running.wait()
                running.give_events(receive)
                for index in ended:
                    outcome = running.take(index)
                    if isinstance(outcome, Death):
                        self._note_death(work.names[index], outcome)
                        continue
                    if outcome.processor not in processors:
                        processors.add(outcome.processor)
                        self._note_processor(work.names[index], outcome.processor)
                    yield index, outcome.result
            _refuse_incomplete(work.names, running.given_up)

    def _check_cores(self, cores: int) -> None:
        most = max(cores_by_node().values(), default=0)
        if cores <= most:
            return
        if not self.grows:
            raise BadInput(
                f"--ray: expected a node with {cores} cores for each task, the largest has {most}; set "
                "fewer threads for a training, with --set compute.threads=1 or OMP_NUM_THREADS=1"
            )
        self.say(f"waiting for a node with {cores} cores; the largest has {most}")

    def _note_death(self, name: str, death: Death) -> None:
        further = death.number < MOST_DEATHS
        self.say(
            f"{name}: its worker died ({death.reason}), {death.number} of {MOST_DEATHS} times; "
            + ("it continues from what it has written" if further else "it is given up, the others go on")
        )

    def _note_processor(self, name: str, other: str) -> None:
        self.say(
            f"{name}: done on {other}, this computer has {processor_type()}; its figures may differ from "
            "those of this computer in their last digits"
        )


def _refuse_incomplete(names: Sequence[str], given_up: Mapping[int, str]) -> None:
    if not given_up:
        return
    listed = ", ".join(f"{names[index]} ({reason})" for index, reason in sorted(given_up.items()))
    raise WorkIncomplete(
        f"{len(given_up)} of {len(names)} tasks killed their worker {MOST_DEATHS} times: {listed}; the "
        "others are done. Give each more memory, or look at Ray's logs; the same command continues with these"
    )
