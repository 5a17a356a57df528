"""Conversions: every recognised input reads back with the same classes and masks; the rest is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from steelsight.errors import BadOutput
from steelsight.sheets.catalog import DataOptions, check_images, open_data, read_mask
from steelsight.sheets.convert import convert_sheets
from steelsight.types import SheetItem, SheetSet

KINDS = ("mvtec", "splits", "masked_classes", "mask_set", "two_cameras", "index_masks")


def _masks(item: SheetItem) -> np.ndarray | None:
    masks = list(read_mask(item).values())
    return masks[0] if masks else None


def _facts(sheets: SheetSet) -> list[tuple[str, str, bytes]]:
    """Class, part and mask of each sheet by the bytes of its image, in their order."""
    clean = sheets.clean_name if sheets.clean_name != "none" else "good"
    facts = []
    for item in sheets.items:
        mask = _masks(item)
        name = sheets.type_names[item.types[0]] if item.types else clean
        facts.append((name, item.part, item.path.read_bytes() + (b"" if mask is None else mask.tobytes())))
    return sorted(facts)


@pytest.mark.parametrize("kind", KINDS)
def test_folders_read_back_as_they_were(kind: str, folders: Any, tmp_path: Path) -> None:
    getattr(folders, kind)(tmp_path / "DATA")
    sheets = check_images(open_data(tmp_path / "DATA"))
    done = convert_sheets(sheets, tmp_path / "OUT")
    again = check_images(open_data(tmp_path / "OUT"))
    assert again.layout == "folder"
    assert not again.rejections
    assert _facts(again) == _facts(sheets)
    assert sum(done.classes.values()) == len(sheets.items)
    assert done.masks == sum(bool(item.types) and item.evidence == "mask" for item in sheets.items)
    assert done.left_out == ()


@pytest.mark.parametrize("kind", ["coco", "yolo", "voc", "labelme", "cvat", "studio"])
def test_annotations_read_back_as_they_were(kind: str, inputs: Any, tmp_path: Path) -> None:
    getattr(inputs, kind)(tmp_path / "DATA")
    sheets = check_images(open_data(tmp_path / "DATA", options=DataOptions(masks="boxes")))
    convert_sheets(sheets, tmp_path / "OUT")
    assert _facts(check_images(open_data(tmp_path / "OUT"))) == _facts(sheets)


def test_groups_and_split_are_tables_beside_the_folders(folders: Any, tmp_path: Path) -> None:
    folders.grouped(tmp_path / "DATA")
    sheets = open_data(tmp_path / "DATA", groups="column:coil")
    done = convert_sheets(sheets, tmp_path / "OUT")
    again = open_data(tmp_path / "OUT", groups="column:group")
    assert done.groups == 2
    assert {item.id: item.group for item in again.items} == {item.id: item.group for item in sheets.items}
    folders.splits(tmp_path / "SPLIT")
    convert_sheets(open_data(tmp_path / "SPLIT"), tmp_path / "OUT2")
    header, *rows = (tmp_path / "OUT2/split.csv").read_text().splitlines()
    assert header == "ImageId,part"
    assert len(rows) == 12
    assert "good/val_0.jpg,validation" in rows


def test_sheets_of_several_types_are_left_out_and_counted(folders: Any, tmp_path: Path) -> None:
    folders.kaggle(tmp_path / "DATA", extra=[["s1.jpg", "1", "1 2"]])
    done = convert_sheets(check_images(open_data(tmp_path / "DATA")), tmp_path / "OUT")
    assert done.classes == {"type 3": 1, "good": 2}
    assert [(bad.id, bad.reason) for bad in done.left_out] == [
        ("s1.jpg", "carries type 1 and type 3; a class folder holds one type")
    ]


def test_a_folder_that_holds_something_is_not_written_into(folders: Any, tmp_path: Path) -> None:
    folders.classes(tmp_path / "DATA")
    sheets = open_data(tmp_path / "DATA")
    with pytest.raises(BadOutput, match=r"DATA: expected no such folder or an empty one; name another"):
        convert_sheets(sheets, tmp_path / "DATA")
    (tmp_path / "file").touch()
    with pytest.raises(BadOutput, match=r"could not be written"):
        convert_sheets(sheets, tmp_path / "file" / "OUT")


def test_a_class_whose_name_says_mask_is_refused(folders: Any, tmp_path: Path) -> None:
    folders.classes(tmp_path / "DATA", ("good", "label"))
    sheets = open_data(tmp_path / "DATA", options=DataOptions(masks="none"))
    with pytest.raises(BadOutput, match=r"does not read back: .*label/ is named as masks"):
        convert_sheets(sheets, tmp_path / "OUT")
