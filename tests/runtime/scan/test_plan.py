"""Plans: written as sheets come, read part by part by several threads, and asked what they hold."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steelsight.errors import BadOutput, BadSource
from steelsight.runtime.scan import plan as plan_module
from steelsight.runtime.scan.archives.members import Member
from steelsight.runtime.scan.plan import open_plan, write_plan
from steelsight.runtime.scan.planned_files import PlannedFiles
from steelsight.runtime.scan.sources import PlannedSheet
from steelsight.types import Reason


def sheets(count):
    """Files, members of two archives, and archives that are not read."""
    made = []
    for index in range(count):
        path = ("/m/%d.jpg", "s3://mill/ü%d.jpg", os.fsdecode(b"/m/\xff%d.jpg"))[index % 3] % index
        member, reason, detail = None, None, ""
        if index % 4 == 1:
            path, member = f"/m/{index % 8}.zip", Member("deflated", index, 9, 8, 7, f"{index % 8}:1")
        if index % 11 == 5:
            member, reason, detail = None, Reason.UNSAFE, f"link {index}"
        made.append(PlannedSheet(index, f"n{index}", path, member, reason, detail))
    return made


def test_a_plan_gives_back_what_was_written_in_parts(tmp_path):
    wanted = sheets(50)
    plan = write_plan(tmp_path, iter(wanted), 12)
    assert (plan.sheets, plan.parts) == (50, 5)
    assert list(plan) == wanted
    assert [len(plan.part(number)) for number in range(5)] == [12, 12, 12, 12, 2]
    assert open_plan(tmp_path) == plan


def test_sheets_are_written_as_they_come(tmp_path, monkeypatch):
    written = []
    table = plan_module._table
    monkeypatch.setattr(plan_module, "_table", lambda group: written.append(len(group)) or table(group))
    taken = []

    def come():
        for sheet in sheets(40):
            taken.append(len(written))
            yield sheet

    write_plan(tmp_path, come(), 10)
    assert taken == [index // 10 for index in range(40)]  # no part waits for the next


def test_a_listing_that_fails_leaves_the_earlier_plan(tmp_path):
    plan = write_plan(tmp_path, sheets(5), 3)

    def fail():
        yield from sheets(4)
        raise BadSource("gone")

    with pytest.raises(BadSource, match="gone"):
        write_plan(tmp_path, fail(), 3)
    assert open_plan(tmp_path) == plan
    assert [path.name for path in tmp_path.iterdir()] == ["plan.parquet"]


def test_threads_share_a_plan(tmp_path):
    wanted = sheets(400)
    plan = write_plan(tmp_path, wanted, 10)
    start = threading.Barrier(4)

    def read(seed):
        start.wait()
        return [plan.part((number * 7 + seed) % 40)[0].index for number in range(80)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, range(4)))
    assert found == [[10 * ((number * 7 + seed) % 40) for number in range(80)] for seed in range(4)]


def test_plans_with_statistics_are_read_too(tmp_path):
    """As an earlier version wrote them."""
    wanted = sheets(20)
    with pq.ParquetWriter(tmp_path / "plan.parquet", plan_module._SCHEMA) as writer:
        for start in (0, 12):
            writer.write_table(plan_module._table(wanted[start : start + 12]), row_group_size=12)
    assert list(open_plan(tmp_path)) == wanted


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing", None])
def test_damaged_plans_are_refused(tmp_path, content):
    if content is None:
        pq.write_table(pa.table({"other": [1]}), tmp_path / "plan.parquet")
    else:
        (tmp_path / "plan.parquet").write_bytes(content)
    with pytest.raises(BadOutput, match=r"expected the plan of a scan, got .*; use --fresh"):
        open_plan(tmp_path)
    with pytest.raises(BadOutput, match="No such file"):
        open_plan(tmp_path / "nowhere")


def test_what_a_plan_holds_is_known_and_what_came_later_is_not(tmp_path):
    wanted = sheets(60)
    planned = PlannedFiles(write_plan(tmp_path, wanted[:40], 7))
    assert all(sheet in planned for sheet in wanted[:40])
    assert not any(sheet in planned for sheet in wanted[40:])
    member = wanted[1].member
    moved = PlannedSheet(0, "x", wanted[1].path, Member("stored", 999, 9, 9, 9, member.stamp))
    changed = PlannedSheet(0, "x", wanted[1].path, Member("stored", 1, 9, 9, 9, "2:2"))
    assert (moved in planned, planned.is_changed(moved)) == (False, False)
    assert (changed in planned, planned.is_changed(changed)) == (True, True)
    assert not planned.is_changed(wanted[0])
    other = PlannedSheet(0, "x", "/m/new.zip", member)
    assert (other in planned, planned.is_changed(other)) == (False, False)
