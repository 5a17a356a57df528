"""The driver writes parts in threads: in the order in which they came, whole, and none after its end."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("ray", reason="the extra [cluster] is not installed")

from steelsight.cluster import scan as cluster_scan
from steelsight.cluster.node_scanner import ScannedPart
from steelsight.errors import BadOutput, BadSource
from steelsight.runtime.scan.job import ScanJob
from steelsight.runtime.scan.parts import part_path


class Pool:
    """Gives parts that others scanned, a few at a time, and perhaps an error after the last."""

    def __init__(self, groups, error=None):
        self.groups, self.error = list(groups), error
        self.set_aside = {}
        self.asked = []
        self.ended = False

    @property
    def unfinished(self):
        return bool(self.groups) or self.error is not None

    def look_at_nodes(self):
        pass

    def receive(self, most):
        self.asked.append(most)
        if not self.groups:
            raise self.error
        numbers = self.groups.pop(0)
        assert len(numbers) <= most
        return [ScannedPart(number, 2, content(number), None) for number in numbers]

    def end(self):
        self.ended = True


def content(number):
    return f"part {number}".encode() * 100


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Write the parts of a pool."""
    (tmp_path / "verdicts").mkdir()

    def start(pool):
        monkeypatch.setattr(cluster_scan, "_Pool", lambda job, workers, say: pool)
        job = object.__new__(ScanJob)  # the folder is all that is looked at
        object.__setattr__(job, "out", tmp_path)
        return cluster_scan.on_cluster()(job)

    return start


def written(folder):
    """Numbers of the parts that are whole."""
    names = {part_path(folder, number).name: number for number in range(100)}
    files = {names[path.name]: path.read_bytes() for path in (folder / "verdicts").glob("*.parquet")}
    assert all(files[number] == content(number) for number in files)
    return set(files)


def test_each_part_is_there_when_it_is_yielded_in_the_order_of_arrival(run, tmp_path):
    pool = Pool([[3, 1], [0], [7, 4, 5], [2]])
    seen = []
    for part in run(pool):
        assert part.part in written(tmp_path)
        assert part.sheets == 2
        seen.append(part.part)
    assert seen == [3, 1, 0, 7, 4, 5, 2]
    assert pool.ended


def test_parts_that_wait_are_bounded(run, monkeypatch, tmp_path):
    monkeypatch.setattr(cluster_scan, "MOST_WRITTEN", 3)
    go_on = threading.Event()
    real = cluster_scan.replace_file

    def wait(path, content):
        assert go_on.wait(30)
        real(path, content)

    monkeypatch.setattr(cluster_scan, "replace_file", wait)
    pool = Pool([[number] for number in range(9)])
    parts = run(pool)
    threading.Timer(0.2, go_on.set).start()
    assert [part.part for part in parts] == list(range(9))
    assert pool.asked[:3] == [3, 2, 1]  # nothing was written meanwhile
    assert min(pool.asked) >= 1


def test_a_part_that_cannot_be_written_ends_the_scan_and_the_others_stay(run, monkeypatch, tmp_path):
    real = cluster_scan.replace_file

    def refuse_1(path, content):
        if "00001" in path.name:
            raise BadOutput(f"{path}: No space left on device")
        real(path, content)

    monkeypatch.setattr(cluster_scan, "replace_file", refuse_1)
    pool = Pool([[0, 1, 2, 3]])
    with pytest.raises(BadOutput, match=r"part-00001\.parquet: No space left"):
        list(run(pool))
    assert written(tmp_path) == {0, 2, 3}
    assert pool.ended


def test_what_came_before_an_error_is_kept_and_told(run, tmp_path):
    pool = Pool([[5, 6]], error=BadSource("the store refuses these credentials"))
    seen = []
    with pytest.raises(BadSource, match="the store refuses"):
        seen.extend(part.part for part in run(pool))
    assert written(tmp_path) == {5, 6}
    assert pool.ended


@pytest.mark.parametrize("end", ["close", "interrupt"])
def test_nothing_is_written_after_the_end(end, run, monkeypatch, tmp_path):
    real = cluster_scan.replace_file
    begun = []

    def slow(path, content):
        begun.append(path)
        if len(begun) > 1:
            threading.Event().wait(0.1)
        real(path, content)

    monkeypatch.setattr(cluster_scan, "replace_file", slow)
    pool = Pool([[0, 1, 2, 3, 4, 5], [6]])
    parts = run(pool)
    assert next(parts).part == 0
    if end == "close":
        parts.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            parts.throw(KeyboardInterrupt())
    assert pool.ended
    there = written(tmp_path)
    assert {0, 1, 2, 3, 4, 5} <= there  # begun before the end, and waited for
    assert there == {int(path.stem.removeprefix("part-")) for path in begun}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("write")]
