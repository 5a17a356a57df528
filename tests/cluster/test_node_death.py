"""Nodes that leave and join while tasks are done."""

from __future__ import annotations

import pytest
from tests.cluster.conftest import HERE

from steelsight.executor import Work

pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster.connect import connect
from steelsight.cluster.executor import RayExecutor


@pytest.mark.long
def test_a_task_of_a_node_that_dies_is_done_on_another(ray_head, nodes, add_node, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import ray_tasks

    for node in nodes:
        node.have("other version")
    added = [add_node() for _ in range(2)]
    said: list[str] = []
    homes: list[str] = []

    def receive(index: int, home: str) -> None:
        homes.append(home)
        if len(homes) == 1:
            [node] = [each.node for each in added if each.node.node_id == home]
            ray_head.remove_node(node, allow_graceful=False)

    work = Work(ray_tasks.wait_at_first, str(tmp_path), ["a"], ["first"], writes=[tmp_path])
    with connect(ray_head.address):
        assert list(RayExecutor(said.append).run(work, receive)) == [(0, "done")]
    assert len(set(homes)) == 2
    assert len([line for line in said if " is not used: expected steelsight " in line]) == 2
    [death] = [line for line in said if line.startswith("first: its worker died (")]
    assert "1 of 3 times; it continues from what it has written" in death


@pytest.mark.long
def test_a_node_that_joins_does_tasks_too(ray_head, nodes, add_node, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import ray_tasks

    for node in nodes:
        node.have("other version")
    add_node()
    names = [str(number) for number in range(40)]
    work = Work(ray_tasks.where, str(tmp_path), names, names, writes=[tmp_path])
    homes: dict[int, str] = {}
    with connect(ray_head.address):
        for index, home in RayExecutor().run(work, lambda _index, _event: None):
            if not homes:
                add_node()
            homes[index] = home
    assert sorted(homes) == list(range(40))
    assert len(set(homes.values())) == 2
