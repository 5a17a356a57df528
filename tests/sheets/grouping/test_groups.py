"""Groups: by frame numbers, by a column, by grain, and joined."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadData
from steelsight.sheets.catalog import open_data
from steelsight.sheets.grouping.groups import column_groups, frame_groups, join_groups


def test_close_frames_of_one_class_stay_together() -> None:
    ids = [
        "Crack/exp1_num_100.jpg",
        "Crack/exp2_num_200.jpg",
        "Crack/exp1_num_301.jpg",
        "Free/exp1_num_150.jpg",
        "Free/x.jpg",
    ]
    classes = [id_.split("/")[0] for id_ in ids]
    assert frame_groups(ids, classes) == ["Crack/100", "Crack/100", "Crack/301", "Free/150", ""]
    assert frame_groups(ids, classes, gap=101)[2] == "Crack/100"


def test_columns(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("ImageId,ClassId,EncodedPixels\n")
    (tmp_path / "manifest.csv").write_text("ImageId,coil\na.jpg,7\nb.jpg,8\na.jpg,7\n")
    found = column_groups(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], "coil")
    assert found.groups == ["7", "8", ""]
    reason = "no row of manifest.csv gives its coil; add one, else it is a group of its own"
    assert [(fault.id, fault.reason) for fault in found.faults] == [("c.jpg", reason)]
    assert not found.doubtful
    with pytest.raises(BadData, match=r"none of groups.csv, manifest.csv, train.csv has a column 'heat'"):
        column_groups(tmp_path, ["a.jpg"], "heat")
    (tmp_path / "groups.csv").write_text("ImageId,coil\na.jpg,7\na.jpg,8\n")
    with pytest.raises(BadData, match=r"groups.csv row 3 \(a.jpg\): group '8', earlier '7'; keep one"):
        column_groups(tmp_path, ["a.jpg"], "coil")


def test_rules_join_over_common_sheets() -> None:
    assert join_groups(["a", "a", "b", "", ""], ["", "x", "x", "", "y"]) == ["a", "a", "a", "", "y"]
    assert join_groups(["", ""], ["", ""]) == ["", ""]


NAMES = st.lists(st.sampled_from(["", "p", "q", "r"]), min_size=8, max_size=8)


@given(NAMES, NAMES)
def test_joined_groups_part_no_group_of_any_rule(one: list[str], two: list[str]) -> None:
    joined = join_groups(one, two)
    for names in (one, two):
        for name in set(names) - {""}:
            assert len({joined[i] for i in range(8) if names[i] == name}) == 1
    for i in range(8):
        assert bool(joined[i]) == bool(one[i] or two[i])


@pytest.mark.realdata
def test_the_real_tiles_have_169_groups(data_root: Path) -> None:
    sheets = open_data(data_root / "magnetic_tile", groups="frames")
    groups = {item.group: sheets.type_names[(item.types or (0,))[0]] for item in sheets.items}
    counts = Counter(groups.values())
    assert len(groups) == 169
    assert (counts["MT_Fray"], counts["MT_Crack"], counts["MT_Break"]) == (7, 10, 12)


@pytest.mark.realdata
def test_grain_finds_tiles_that_frame_numbers_part(data_root: Path) -> None:
    """The cracked tile of frames 85602.. was photographed again as 86828.. and 88149...."""
    sheets = open_data(data_root / "magnetic_tile", groups="frames+duplicates")
    cracks = {item.id.split("_")[-1]: item.group for item in sheets.items if item.id.startswith("MT_Crack/")}
    assert cracks["85897.jpg"] == cracks["86892.jpg"] == cracks["88149.jpg"]
    assert len({item.group for item in sheets.items}) < 169
    assert np.unique(list(cracks.values())).size == 7
