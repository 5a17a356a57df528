"""The nodes of a cluster that are not used, and why."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from ray.exceptions import RayError

from steelsight.cluster.checks import NodeReport
from steelsight.cluster.nodes import host_of
from steelsight.errors import BadCluster

__all__ = ["MOST_DEATHS", "SHOWN", "Refusals", "Say", "last_line", "silent"]

MOST_DEATHS: Final = 3  # of workers: at one part, at one task, or on a node before it has done anything
SHOWN: Final = 5  # parts, or reasons, that a message names
FIRST_PAUSE_S: Final = 60.0  # of a node whose reason may pass; each further pause is twice as long
MOST_PAUSE_S: Final = 960.0

Say = Callable[[str], None]


def silent(_line: str) -> None:
    """Say nothing."""


class Refusals:
    """The nodes of a cluster that are not used.

    say  receives one line for each
    """

    def __init__(self, say: Say = silent) -> None:
        self.say = say
        self._reports: dict[str, NodeReport] = {}
        self._failed: Counter[str] = Counter()  # by node, the workers that died before they had done anything
        self._pauses: Counter[str] = Counter()  # by node
        self._until: dict[str, float] = {}  # time.monotonic() at which a pause of a node ends

    def __contains__(self, node: str) -> bool:
        return node in self._reports and time.monotonic() < self._until.get(node, math.inf)

    def refuse(self, node: str, reason: str, host: str | None = None, *, effect: str = "is not used") -> None:
        """Use a node no longer.

        effect  what the line says of the node
        """
        if node in self:
            return
        report = NodeReport(node, host or host_of(node), reason)
        self._reports[node] = report
        self._until.pop(node, None)
        self.say(f"node {report.host} {effect}: {reason}")

    def pause(self, node: str, reason: str, host: str | None = None) -> None:
        """Do not use a node for some time, for a reason that may pass, such as credentials that expired."""
        if node in self:
            return
        seconds = min(FIRST_PAUSE_S * 2 ** self._pauses[node], MOST_PAUSE_S)
        self._pauses[node] += 1
        self.refuse(node, reason, host, effect=f"is not used for {seconds:.0f} s")
        self._until[node] = time.monotonic() + seconds

    def count_failed(self, node: str, error: RayError, *, others: bool = False) -> bool:
        """Count a worker that died before it had done anything; whether its node is refused for that.

        others  whether other workers of the node go on: then no further ones are started there
        """
        self._failed[node] += 1
        if self._failed[node] >= MOST_DEATHS:
            words = f"{MOST_DEATHS} workers died there before they began ({last_line(error)})"
            self.refuse(node, words, effect="gets no further workers" if others else "is not used")
        return node in self

    def forget_failed(self, node: str) -> None:
        """A worker has begun there: deaths at the start are counted anew."""
        del self._failed[node]

    def raise_none_left(self, nodes: Iterable[str]) -> NoReturn:
        """Raise BadCluster with the different reasons for which nodes are refused.

        nodes  those that there are; their reasons are told
        """
        hosts: dict[str, list[str]] = {}
        for node in nodes:
            if node in self._reports:
                hosts.setdefault(str(self._reports[node].refusal), []).append(self._reports[node].host)
        reasons = [
            f"{names[0]}{f' (and {len(names) - 1} more)' if len(names) > 1 else ''}: {reason}"
            for reason, names in list(hosts.items())[:SHOWN]
        ]
        raise BadCluster(f"no node can be used: {'; '.join(reasons)}")


def last_line(error: RayError) -> str:
    """What an error of Ray says last: its cause."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:200]
