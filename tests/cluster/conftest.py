"""One Ray cluster of several nodes on this machine for all tests of this folder; a node has a fault where a
test wants one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.conftest import graph_bytes, make_bundle

from steelsight.runtime.scan import run as scan_module

__all__ = ["graph_bytes", "make_bundle"]

HERE = Path(__file__).parent
FAULTS = HERE / "faults"
PER_PART = 4
NODE_IP = "127.0.0.1"
PATH = os.pathsep.join([str(FAULTS), str(HERE), *filter(None, sys.path)])


class TestedNode:
    """A node of one core, and the file of its fault."""

    __test__ = False

    def __init__(self, cluster: Any, fault: Path, **resources: int) -> None:
        environment = {"PYTHONPATH": PATH, "FAULT_FILE": str(fault)}
        self.file = fault
        self.node = cluster.add_node(
            **{"num_cpus": 1, **resources}, node_ip_address=NODE_IP, env_vars=environment
        )

    def have(self, fault: str = "", **environment: str) -> None:
        """Give further processes of the node a fault, and variables of their environment."""
        self.file.write_text(json.dumps({"fault": fault, "environment": environment}))

    def told(self) -> list[dict[str, str]]:
        """The environments of the processes that scanned with the fault `tells`."""
        return [
            json.loads(path.read_text()) for path in self.file.parent.glob(f"told-{self.file.stem}-*.json")
        ]


TRIES = 3  # to start the head of the cluster


@pytest.fixture(scope="session")
def ray_head() -> Iterator[Any]:
    """A cluster whose head computes nothing."""
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        arguments = {
            "num_cpus": 0,
            "include_dashboard": False,
            "node_ip_address": NODE_IP,
            "env_vars": {"PYTHONPATH": PATH},
        }
        for left in reversed(range(TRIES)):
            try:
                cluster = Cluster(initialize_head=True, head_node_args=arguments)
                break
            except Exception as error:  # Ray raises no other class, and waits for 30 s, busy machine or not
                if not left or "timed out during startup" not in str(error):
                    raise
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="session")
def _pair(ray_head: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[TestedNode, TestedNode]:
    """Two nodes that stay."""
    folder = tmp_path_factory.mktemp("faults")
    return TestedNode(ray_head, folder / "first"), TestedNode(ray_head, folder / "second")


@pytest.fixture
def nodes(_pair: tuple[TestedNode, TestedNode]) -> Iterator[tuple[TestedNode, TestedNode]]:
    """Two nodes of one core that share the cluster, at first without a fault."""
    for node in _pair:
        node.have()
    yield _pair
    for node in _pair:
        node.have()
        for told in node.file.parent.glob("told-*"):
            told.unlink()


@pytest.fixture
def add_node(ray_head: Any, tmp_path: Path) -> Iterator[Callable[..., TestedNode]]:
    """Add a node; it leaves the cluster with the test, where it has not left before."""
    added = []

    def add(fault: str = "", **resources: int) -> TestedNode:
        node = TestedNode(ray_head, tmp_path / f"fault-{len(added)}", **resources)
        node.have(fault)
        added.append(node)
        return node

    yield add
    for each in added:
        if each.node in ray_head.worker_nodes:
            ray_head.remove_node(each.node, allow_graceful=False)


@pytest.fixture(scope="module")
def ray_here(ray_head: Any, _pair: Any) -> Iterator[None]:
    """A connection to the cluster with its two cores, for all tests of a file."""
    from steelsight.cluster.connect import connect

    with pytest.MonkeyPatch.context() as patch, connect(ray_head.address):
        patch.syspath_prepend(str(HERE))
        yield


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "PART", PER_PART)
