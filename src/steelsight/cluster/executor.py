"""Does independent tasks on the computers of a Ray cluster.

A task whose worker or node dies is done again, up to three times; it continues from what it has written, as a
training does from its checkpoint. One that kills its worker three times is named when all others are done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from steelsight.cluster.checked_nodes import expect_of_nodes
from steelsight.cluster.nodes import cores_by_node
from steelsight.cluster.refusals import MOST_DEATHS, Say, silent
from steelsight.cluster.running import Death, Running
from steelsight.errors import BadInput, WorkIncomplete
from steelsight.executor import Receive, Results, Work

__all__ = ["RayExecutor"]

Result = TypeVar("Result")


class RayExecutor:
    """Does tasks on the cluster that this process is connected to, see `connect`."""

    concurrent: ClassVar[bool] = True

    def __init__(self, say: Say = silent, *, grows: bool = False) -> None:
        """Make an executor.

        say    receives remarks, one line each
        grows  whether further computers may join the cluster
        """
        self.say = say
        self.grows = grows

    def run(self, work: Work[Any, Any, Result], receive: Receive) -> Results[Result]:
        """Do all tasks, on nodes with the facts, files and folders of this computer; as `Executor.run`.

        raises  WorkIncomplete naming the tasks whose workers died three times, when all others are done;
                BadInput where no node has the cores of a task; BadCluster where every node is refused
        """
        self._check_cores(work.cores)
        with (
            expect_of_nodes(work.reads, work.writes, work.facts) as expected,
            Running(work, expected, self.say) as running,
        ):
            while running.unfinished:
                ended = running.wait()
                running.give_events(receive)
                for index in ended:
                    outcome = running.take(index)
                    if isinstance(outcome, Death):
                        self._note_death(work.names[index], outcome)
                    elif outcome is not None:
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


def _refuse_incomplete(names: Sequence[str], given_up: Mapping[int, str]) -> None:
    if not given_up:
        return
    listed = ", ".join(f"{names[index]} ({reason})" for index, reason in sorted(given_up.items()))
    raise WorkIncomplete(
        f"{len(given_up)} of {len(names)} tasks killed their worker {MOST_DEATHS} times: {listed}; the "
        "others are done. Give each more memory, or look at Ray's logs; the same command continues with these"
    )
