"""Conversions: every recognised input reads back with the same classes and masks; the rest is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

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


def _masks_by_type(sheets: SheetSet) -> dict[bytes, dict[str, bytes]]:
    """The masks of each sheet by the name of the type, by the bytes of its image."""
    return {
        item.path.read_bytes(): {
            sheets.type_names[kind]: mask.tobytes() for kind, mask in read_mask(item).items() if kind
        }
        for item in sheets.items
    }


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools'
@pytest.mark.parametrize("seed", range(4))
def test_sheets_of_several_types_are_written_as_coco(folders: Any, tmp_path: Path, seed: int) -> None:
    """pycocotools reads the same masks as the source has, to the pixel."""
    coco = pytest.importorskip("pycocotools.coco")
    rng = np.random.default_rng(seed)
    starts = [np.sort(rng.choice(np.arange(1, 60, 3), 4, replace=False)) for _ in range(2)]
    rows = [
        ["s1.jpg", str(kind), " ".join(f"{start} 2" for start in where)]
        for kind, where in enumerate(starts, 1)
    ]
    folders.kaggle(tmp_path / "DATA", extra=rows)
    sheets = check_images(open_data(tmp_path / "DATA"))
    done = convert_sheets(sheets, tmp_path / "OUT")
    again = check_images(open_data(tmp_path / "OUT"))
    assert again.layout == "coco"
    assert not again.rejections
    assert done.left_out == ()
    assert _masks_by_type(again) == _masks_by_type(sheets)
    assert any(len(item.types) > 1 for item in again.items)
    read = coco.COCO(str(tmp_path / "OUT" / "instances.json"))
    names = {image["id"]: tmp_path / "OUT" / image["file_name"] for image in read.dataset["images"]}
    independent: dict[bytes, dict[str, bytes]] = {path.read_bytes(): {} for path in names.values()}
    for row in read.dataset["annotations"]:
        mask = read.annToMask(row).astype(bool)
        assert row["area"] == mask.sum()
        independent[names[row["image_id"]].read_bytes()][read.cats[row["category_id"]]["name"]] = (
            mask.tobytes()
        )
    assert independent == _masks_by_type(sheets)


def test_parts_and_groups_of_several_types_are_kept(folders: Any, tmp_path: Path) -> None:
    folders.kaggle(tmp_path / "DATA", extra=[["s1.jpg", "1", "1 2"]])
    sheets = check_images(open_data(tmp_path / "DATA"))
    parts = ("train", "validation", "test", "train")
    items = [
        replace(item, part=parts[number % 4], group=f"coil {number % 2}")
        for number, item in enumerate(sheets.items)
    ]
    convert_sheets(replace(sheets, items=tuple(items)), tmp_path / "OUT")
    again = open_data(tmp_path / "OUT", groups="column:group")

    def facts(some: Any) -> list[tuple[bytes, str, str]]:
        return sorted((item.path.read_bytes(), item.part, item.group) for item in some)

    assert facts(again.items) == facts(items)


def test_a_column_of_groups_keeps_its_name(folders: Any, tmp_path: Path) -> None:
    folders.grouped(tmp_path / "DATA")
    sheets = open_data(tmp_path / "DATA", groups="column:coil")
    done = convert_sheets(sheets, tmp_path / "OUT", groups="column:coil")
    assert done.group_rule == "column:coil"
    again = open_data(tmp_path / "OUT", groups=done.group_rule)
    assert {item.id: item.group for item in again.items} == {item.id: item.group for item in sheets.items}


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("column:Coil", "Coil"),
        ("file:/a b/c+d.csv:Charge Nr", "Charge Nr"),
        ("column:Coil+frames:50", "group"),
        ("frames:100", "group"),
        ("duplicates", "group"),
        (None, "group"),
        ("column:part", "group"),  # names of other columns that tables of a folder have
        ("column:Image_ID", "group"),
    ],
)
def test_the_column_of_groups_is_named_as_its_rule(
    rule: str | None, column: str, folders: Any, tmp_path: Path
) -> None:
    folders.classes(tmp_path / "DATA")
    sheets = open_data(tmp_path / "DATA")
    items = tuple(replace(item, group="7") for item in sheets.items)
    done = convert_sheets(replace(sheets, items=items), tmp_path / "OUT", groups=rule)
    assert done.group_rule == f"column:{column}"
    assert (tmp_path / "OUT/groups.csv").read_text().splitlines()[0] == f"ImageId,{column}"
    assert {item.group for item in open_data(tmp_path / "OUT", groups=done.group_rule).items} == {"7"}


def test_classes_are_counted_in_their_order(folders: Any, tmp_path: Path) -> None:
    folders.classes(tmp_path / "DATA", ("crack", "zero", "good", "abrasion"))
    done = convert_sheets(open_data(tmp_path / "DATA"), tmp_path / "OUT")
    assert list(done.classes) == ["good", "abrasion", "crack", "zero"]


@pytest.mark.parametrize(("largest", "needed"), [(4000, 12), (65000, None)])
def test_bits_that_files_do_not_state_are_told_in_the_folder(
    largest: int, needed: int | None, tmp_path: Path
) -> None:
    for number, name in enumerate(("good/a.png", "crack/b.png")):
        wide = np.linspace(0, largest, 48 * 64).reshape(48, 64).astype(np.uint16)
        (tmp_path / "DATA" / name).parent.mkdir(parents=True)
        Image.fromarray(np.roll(wide, number)).save(tmp_path / "DATA" / name)
    bits = 12 if needed else 16
    options = DataOptions(bits=bits)
    sheets = check_images(open_data(tmp_path / "DATA", options=options), spec=options.input_spec())
    done = convert_sheets(sheets, tmp_path / "OUT", bits=bits)
    assert done.bits == needed
    assert (tmp_path / "OUT/README.md").exists() is (needed is not None)
    if needed:
        assert "steelsight train THIS_FOLDER --bits 12" in (tmp_path / "OUT/README.md").read_text()
    again = check_images(open_data(tmp_path / "OUT", options=options), spec=options.input_spec())
    assert (len(again.items), again.rejections) == (2, ())


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
