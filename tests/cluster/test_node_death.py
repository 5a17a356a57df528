"""A node that dies in the middle of a task: another one does it."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steelsight.executor import Work


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without cores and two nodes with one each."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'steelsight[cluster]'")
    from ray.cluster_utils import Cluster

    here = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(here)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join([here, *filter(None, sys.path)]))
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            made.add_node(num_cpus=1)
        yield made
        made.shutdown()


@pytest.mark.long
def test_a_task_of_a_node_that_dies_is_done_on_another(cluster, tmp_path):
    import ray_tasks

    from steelsight.cluster.executor import ray_executor

    said: list[str] = []
    homes: list[str] = []

    def receive(index: int, home: str) -> None:
        homes.append(home)
        if len(homes) == 1:
            [node] = [each for each in cluster.worker_nodes if each.node_id == home]
            cluster.remove_node(node, allow_graceful=False)

    work = Work(ray_tasks.wait_at_first, str(tmp_path), ["a"], ["first"], writes=[tmp_path])
    with ray_executor(cluster.address, said.append) as executor:
        assert list(executor.run(work, receive)) == [(0, "done")]
    assert len(set(homes)) == 2
    assert "first: its worker died (" in said[0]
    assert "1 of 3 times; it continues from what it has written" in said[0]
