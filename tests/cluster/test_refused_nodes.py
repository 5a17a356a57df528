"""Tasks where some nodes cannot be used: these are named, and the others do all tasks."""

from __future__ import annotations

import re

import pytest
from tests.cluster.conftest import HERE

from steelsight.errors import BadCluster
from steelsight.executor import Work

pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster.connect import connect
from steelsight.cluster.executor import RayExecutor


@pytest.fixture
def run(ray_head, monkeypatch):
    """Do some tasks; returns the nodes that did them, and what was said."""
    monkeypatch.syspath_prepend(str(HERE))
    import ray_tasks

    def do(name="where", count=4, **options):
        names = [f"task {number}" for number in range(count)]
        work = Work(getattr(ray_tasks, name), None, names, names, facts=ray_tasks.facts, **options)
        said = []
        with connect(ray_head.address):
            done = dict(RayExecutor(said.append).run(work, lambda *_: None))
        assert sorted(done) == list(range(count))
        return set(done.values()), said

    return do


def test_every_node_is_used_but_one_with_another_accelerator(nodes, add_node, run):
    add_node("other accelerator", num_gpus=1)
    used, said = run()
    assert used == {node.node.node_id for node in nodes}
    [line] = said
    assert re.match(r"node \S+ is not used: results are equal to the bit on equal machines only: ", line)
    assert "expected accelerator none as where the command runs, got Fast GPU; leave the node out" in line


def test_a_node_where_a_module_of_the_task_is_missing_is_refused(nodes, run):
    nodes[0].have(MISSING="yes")
    used, [line] = run("need", 3)
    assert used == {nodes[1].node.node_id}
    assert "is not used: mill_models is not installed there; install the same packages on all nodes" in line


@pytest.mark.long
def test_tasks_take_a_gpu_where_all_nodes_that_are_used_have_some(nodes, add_node, run):
    for node in nodes:
        node.have("other version")
    add_node(num_gpus=1, num_cpus=2)
    used, said = run("count_gpus", 3)
    assert used == {1}
    assert len(said) == 2


REASONS = {
    "other version": "expected steelsight ",
    "no steelsight": "3 workers died there before they began (",
    "sees nothing": "sheets.csv: not seen there as by the driver (No such file or directory); mount",
    "other processor": "expected processor ",
}


@pytest.mark.parametrize(
    ("one", "other"), [("other version", "no steelsight"), ("sees nothing", "other processor")]
)
def test_tasks_end_in_one_line_where_every_node_is_refused(one, other, nodes, run, tmp_path):
    (tmp_path / "DATA").mkdir()
    (tmp_path / "DATA" / "sheets.csv").write_text("a,b")
    for node, fault in zip(nodes, (one, other), strict=True):
        node.have(fault)
    with pytest.raises(BadCluster, match=r"^no node can be used: ") as told:
        run(reads=[tmp_path / "DATA" / "sheets.csv"], writes=[tmp_path / "OUT"])
    for fault in (one, other):
        assert REASONS[fault] in str(told.value)
    assert "\n" not in str(told.value)
    assert not list((tmp_path / "OUT").iterdir())
