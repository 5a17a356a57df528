"""What the driver sends: objects with their large arrays apart, and rows of a plan as bytes."""

from __future__ import annotations

import numpy as np

from steelsight.cluster.packing import pack, pack_rows, unpack, unpack_rows
from steelsight.runtime.scan.archives.members import Member
from steelsight.runtime.scan.plan import PART, sheets_of, write_plan
from steelsight.runtime.scan.sources import PlannedSheet
from steelsight.types import Reason

INLINE_BYTES = 100 * 1024  # from which Ray puts an argument into its object store


def test_one_object_in_many_places_is_packed_once():
    images, labels = np.zeros((3, 2**20), dtype=np.uint8), [1, 2]
    packed = pack([(images, labels), (images, labels)])
    assert [array.nbytes for array in packed.arrays] == [images.nbytes]
    (first, own), (second, other) = unpack(packed)
    assert first is second
    assert own is other
    assert np.array_equal(first, images)


def test_rows_come_as_they_are_saved(tmp_path):
    member = Member("deflated", 12, 34, 30, 2**32 - 1, "stamp")
    sheets = [
        PlannedSheet(0, "a.jpg", "/archive/a.jpg"),
        PlannedSheet(1, "b.jpg", "/archive/b\udcff.jpg"),
        PlannedSheet(2, "c.zip/c.jpg", "/archive/c.zip", member),
        PlannedSheet(3, "d.jpg", "/archive/d.jpg", None, Reason.MISSING, "gone"),
    ]
    plan = write_plan(tmp_path, sheets, 3)
    for number in range(plan.parts):
        rows = unpack_rows(pack_rows(plan.rows(number)))
        assert rows.equals(plan.rows(number), check_metadata=True)
        assert sheets_of(rows) == plan.part(number)
    assert list(plan) == sheets


def test_rows_with_long_paths_are_small_enough_to_be_sent_with_the_call(tmp_path):
    folder = "/mnt/archive/" + "/".join(f"line{number}-{'x' * 40}" for number in range(5))
    sheets = [
        PlannedSheet(number, f"{number:09d}.jpg", f"{folder}/{number:09d}.jpg") for number in range(PART)
    ]
    plan = write_plan(tmp_path, sheets, PART)
    assert plan.rows(0).nbytes > INLINE_BYTES
    assert len(pack_rows(plan.rows(0))) < INLINE_BYTES / 4
