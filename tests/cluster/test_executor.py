"""Tasks on a real Ray of this machine: results, events, deaths of workers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

ray = pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster import running as running_module  # noqa: E402
from steelsight.cluster.checked_nodes import expect_of_nodes  # noqa: E402
from steelsight.cluster.executor import RayExecutor  # noqa: E402
from steelsight.cluster.nodes import cores_by_node  # noqa: E402
from steelsight.cluster.running import Running  # noqa: E402
from steelsight.errors import BadData, BadInput, WorkIncomplete  # noqa: E402
from steelsight.executor import LocalExecutor, Work  # noqa: E402


@pytest.fixture
def tasks(ray_here):
    """The functions that workers can import."""
    import ray_tasks

    return ray_tasks


def _shared(tmp_path):
    """Pixels in a file and labels: 2 MiB and little."""
    np.save(tmp_path / "pixels.npy", np.ones((2, 1024, 1024), dtype=np.uint8))
    return np.load(tmp_path / "pixels.npy", mmap_mode="r"), np.arange(3)


def test_results_and_events_are_those_of_tasks_done_here(tasks, tmp_path):
    names = ["a", "b", "c", "d", "e"]
    work = Work(tasks.describe, _shared(tmp_path), names, names)
    heard: dict[int, list[str]] = {index: [] for index in range(5)}
    done = dict(RayExecutor().run(work, lambda index, event: heard[index].append(event)))
    assert sorted(done) == list(range(5))
    for index, name in enumerate(names):
        assert heard[index] == [f"first of {name}", f"second of {name}"]
        assert done[index][:2] == (name, 2**21)
    local: dict[int, list[str]] = {index: [] for index in range(5)}
    here = list(LocalExecutor().run(work, lambda index, event: local[index].append(event)))
    assert [index for index, _ in here] == list(range(5))
    assert local == heard


def test_nothing_is_begun_for_tasks_that_cannot_be_packed(monkeypatch):
    monkeypatch.setattr(running_module, "Events", lambda: pytest.fail("an actor that nobody ends"))
    work = Work(lambda shared, task, send: None, None, ["a"], ["a"])
    with expect_of_nodes((), (), work.facts) as expected, pytest.raises(Exception, match="pickle"):
        Running(work, expected)


@pytest.mark.parametrize(("count", "cores", "prepared"), [(1, 1, 0), (2, 1, 1), (50, 1, 2), (50, 2, 0)])
def test_workers_are_prepared_while_their_node_is_checked(tasks, monkeypatch, count, cores, prepared):
    """The check is a worker too; no more than tasks, nor than fit on the cores."""
    node = next(iter(cores_by_node()))
    monkeypatch.setattr(running_module, "cores_by_node", lambda: {node: 3})
    names = [f"task {number}" for number in range(count)]
    work = Work(tasks.where, None, names, names, cores=cores)
    with expect_of_nodes((), (), work.facts) as expected, Running(work, expected) as running:
        assert ray.get(running.preparing) == [None] * prepared


def test_large_arrays_are_shared_and_small_ones_are_a_tasks_own(tasks, tmp_path):
    work = Work(tasks.describe, _shared(tmp_path), ["a"], ["a"])
    [(_, (*_, is_array, large_writeable, small_writeable))] = RayExecutor().run(work, lambda *_: None)
    assert (is_array, large_writeable, small_writeable) == (True, False, True)


def test_an_error_is_raised_as_it_is_here(tasks):
    work = Work(tasks.fail, None, ["DATA"], ["a"])
    with pytest.raises(BadData, match=r"^DATA: expected sheets, got none$"):
        list(RayExecutor().run(work, lambda *_: None))


def test_a_task_whose_worker_dies_is_done_again(tasks, tmp_path):
    said: list[str] = []
    work = Work(tasks.die, (str(tmp_path), {"b": 2}), ["a", "b"], ["first", "second"])
    done = dict(RayExecutor(said.append).run(work, lambda *_: None))
    assert done == {0: 0, 1: 2}
    assert [line.partition(":")[0] for line in said] == ["second", "second"]
    assert "2 of 3 times; it continues from what it has written" in said[1]


def test_the_process_that_keeps_events_is_replaced_when_it_dies(tasks):
    heard: list[str] = []
    work = Work(tasks.kill_keeper, None, ["a"], ["first"])
    assert dict(RayExecutor().run(work, lambda _, event: heard.append(event))) == {0: "a"}
    assert heard[-1] == "after"


def test_a_task_that_kills_three_workers_is_named_when_the_others_are_done(tasks, tmp_path):
    said: list[str] = []
    work = Work(tasks.die, (str(tmp_path), {"a": 9}), ["a", "b", "c"], ["first", "second", "third"])
    done = []
    with pytest.raises(WorkIncomplete, match=r"^1 of 3 tasks killed their worker 3 times: first \(killed"):
        done.extend(RayExecutor(said.append).run(work, lambda *_: None))
    assert len(list((tmp_path / "a").iterdir())) == 3
    assert len(list((tmp_path / "b").iterdir())) == len(list((tmp_path / "c").iterdir())) == 1
    assert "it is given up, the others go on" in said[-1]


def test_more_cores_than_a_node_has_are_refused(tasks):
    work = Work(tasks.fail, None, ["a"], ["a"], cores=64)
    with pytest.raises(BadInput, match="expected a node with 64 cores for each task, the largest has"):
        list(RayExecutor().run(work, lambda *_: None))
