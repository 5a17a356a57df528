"""The nodes of a cluster that tasks may run on: each is checked once, in a process of its own there."""

from __future__ import annotations

import pickle
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import ObjectLostError, RayError, TaskUnschedulableError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from steelsight.cluster.checks import Expected, NodeReport, not_installed, see_folder, why_refused
from steelsight.cluster.marks import marked
from steelsight.cluster.nodes import LOOK_S, cores_by_node, gpus_by_node
from steelsight.cluster.refusals import Refusals, Say, silent
from steelsight.executor import Facts
from steelsight.runtime.processor import processor_type
from steelsight.version import __version__

__all__ = ["CheckedNodes", "check_node", "expect_of_nodes"]

_ADVICE: Final = "leave the node out, or give the command on a node like it"


@contextmanager
def expect_of_nodes(reads: Sequence[Path], writes: Sequence[Path], facts: Facts) -> Iterator[Expected]:
    """What nodes need for tasks on these folders; a file marks the latter until the `with` ends.

    raises  BadOutput where a folder cannot be written into
    """
    files = tuple(file for folder in reads for file in see_folder(folder.absolute()))
    with ExitStack() as stack:
        marks = tuple(stack.enter_context(marked(folder.absolute())) for folder in writes)
        yield Expected(_all_facts(facts), files, marks, _ADVICE)


def _all_facts(facts: Facts) -> dict[str, str]:
    python = ".".join(map(str, sys.version_info[:2]))
    return {"steelsight": __version__, "Python": python, "processor": processor_type(), **facts()}


def check_node(node: str, expected: Expected, facts: bytes) -> NodeReport:
    """Check the node that this process runs on.

    facts  a pickled function: what it needs to be imported may be missing on a node
    """
    try:
        refusal = why_refused(expected, _all_facts(pickle.loads(facts)))
    except ModuleNotFoundError as error:
        refusal = not_installed(error)
    return NodeReport(node, socket.gethostname(), refusal)


class CheckedNodes:
    """The nodes that tasks may run on. Nodes that join are checked too."""

    def __init__(self, expected: Expected, facts: Facts, cores: int, say: Say = silent) -> None:
        """Check nothing yet.

        cores  that a task needs; nodes with fewer are left out
        say    receives a line for each node that is refused
        """
        self.refusals = Refusals(say)
        self.cores = cores
        self.alive: dict[str, int] = {}  # nodes with their cores
        self._given = (expected, pickle.dumps(facts))
        self._gpus: dict[str, int] = {}
        self._accepted: set[str] = set()
        self._running: dict[str, Any] = {}  # by node, the check
        self._looked = -LOOK_S

    @property
    def gpus(self) -> int:
        """GPUs that a task takes: 1 where all nodes have some, else 0."""
        nodes = self._accepted & self.alive.keys()
        return int(bool(nodes) and all(self._gpus.get(node, 0) for node in nodes))

    def room(self) -> dict[str, int]:
        """The nodes that may be used now, with the number of tasks that run there at the same time.

        raises  BadCluster where all nodes are refused
        """
        self._look()
        for node, check in list(self._running.items()):
            if ray.wait([check], timeout=0)[0]:
                del self._running[node]
                self._take(node, check)
        able = {node: cores // self.cores for node, cores in self.alive.items() if cores >= self.cores}
        if able and all(node in self.refusals for node in able):
            self.refusals.raise_none_left(able)
        gpus = self.gpus
        usable = {node: room for node, room in able.items() if node in self._accepted}
        return {node: min(room, self._gpus[node]) if gpus else room for node, room in usable.items()}

    def refuse(self, report: NodeReport) -> None:
        """Use a node no longer."""
        self._accepted.discard(report.node)
        self.refusals.refuse(report.node, str(report.refusal), report.host)

    def end(self) -> None:
        """Give up the checks that are not done."""
        for check in self._running.values():
            ray.cancel(check, force=True)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        self.alive, self._gpus = cores_by_node(), gpus_by_node()
        for node, cores in self.alive.items():
            known = node in self._accepted or node in self._running or node in self.refusals
            if cores >= self.cores and not known:
                self._start(node)

    def _start(self, node: str) -> None:
        check = ray.remote(check_node).options(
            num_cpus=0,
            num_gpus=min(1, self._gpus.get(node, 0)),  # to see that which a task would have
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        self._running[node] = check.remote(node, *self._given)

    def _take(self, node: str, check: Any) -> None:
        try:
            report: NodeReport = ray.get(check)
        except (TaskUnschedulableError, ObjectLostError):
            return  # it has gone; where it has not, it is checked again
        except RayError as error:
            if not self.refusals.count_failed(node, error):
                self._start(node)
            return
        if report.refusal is None:
            self._accepted.add(node)
        else:
            self.refuse(report)
