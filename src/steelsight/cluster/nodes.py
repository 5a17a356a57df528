"""The nodes of the cluster that this process is connected to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, cast

import ray

__all__ = ["LOOK_S", "cores_by_node", "gpus_by_node", "host_of", "still_there"]

NODE_DEATH_S: Final = 15.0  # until Ray tells that a node is gone
LOOK_S: Final = 2.0  # between looks at which nodes there are


def cores_by_node() -> dict[str, int]:
    """Processor cores of every node that is alive, by Ray's id of the node."""
    return _by_node("CPU")


def gpus_by_node() -> dict[str, int]:
    """GPUs of every node that is alive, by Ray's id of the node."""
    return _by_node("GPU")


def host_of(node: str) -> str:
    """The host name of a node."""
    return next((str(each["NodeManagerHostname"]) for each in _nodes() if each["NodeID"] == node), node)


def _by_node(resource: str) -> dict[str, int]:
    return {each["NodeID"]: int(each["Resources"].get(resource, 0)) for each in _nodes() if each["Alive"]}


def _nodes() -> list[dict[str, Any]]:
    return cast("Callable[[], list[dict[str, Any]]]", ray.nodes)()


def still_there(nodes: list[str]) -> list[str]:
    """Those of some nodes that are alive, at a time when Ray must know of the death of any."""
    end = time.monotonic() + NODE_DEATH_S
    while True:
        alive = cores_by_node()
        living = [node for node in nodes if node in alive]
        if len(living) < len(nodes) or time.monotonic() > end:
            return living
        time.sleep(0.5)
