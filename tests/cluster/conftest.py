"""A Ray cluster of several nodes on this machine, each with a fault where a test wants one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.conftest import graph_bytes, make_bundle

from steelsight.runtime.scan import run as scan_module

__all__ = ["graph_bytes", "make_bundle"]

FAULTS = Path(__file__).parent / "faults"
PER_PART = 4
NODE_IP = "127.0.0.1"


@pytest.fixture(scope="module")
def ray_head() -> Iterator[Any]:
    """A cluster whose head scans nothing."""
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(FAULTS), *filter(None, sys.path)]))
        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "node_ip_address": NODE_IP},
        )
        yield cluster
        cluster.shutdown()


@pytest.fixture
def add_node(ray_head: Any) -> Iterator[Callable[..., Any]]:
    """Add a node; it leaves the cluster with the test, where it has not left before."""
    added = []

    def add(fault: str = "", cores: int = 1) -> Any:
        node = ray_head.add_node(num_cpus=cores, node_ip_address=NODE_IP, env_vars={"FAULT": fault})
        added.append(node)
        return node

    yield add
    for node in added:
        if node in ray_head.worker_nodes:
            ray_head.remove_node(node, allow_graceful=False)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "PART", PER_PART)
