"""Kaggle's layout: both table forms, hostile tables, and what a manifest changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from steelsight.errors import BadData
from steelsight.sheets.formats.severstal import TYPE_NAMES, read_severstal
from steelsight.types import SheetSet

Kaggle = Callable[..., Path]
HEAD = "ImageId,ClassId,EncodedPixels\n"


def facts(sheets: SheetSet) -> dict[str, tuple[tuple[int, ...], str]]:
    return {item.id: (item.types, item.evidence) for item in sheets.items}


def reasons(sheets: SheetSet) -> dict[str, str]:
    return {rejection.id: rejection.reason for rejection in sheets.rejections}


def test_one_row_a_mask_and_no_row_defect_free(kaggle: Kaggle) -> None:
    sheets = read_severstal(kaggle(HEAD + "a.jpg,3,1 2\na.jpg,1,9 1\nc.jpg,4,5 5\n"))
    assert facts(sheets) == {"a.jpg": ((1, 3), "mask"), "b.jpg": ((), "mask"), "c.jpg": ((4,), "mask")}
    assert sheets.type_names == TYPE_NAMES == ("none", "type 1", "type 2", "type 3", "type 4")
    assert [mask.runs for mask in sheets.items[0].masks] == ["9 1", "1 2"]
    assert sheets.items[0].masks[0].where == "train.csv row 3 (a.jpg)"
    assert not sheets.rejections


def test_the_joined_form_says_the_same(kaggle: Kaggle) -> None:
    rows = [
        f"{image}_{t},{runs if t == 3 else ''}"
        for image, runs in (("a.jpg", "1 2"), ("b.jpg", ""))
        for t in range(1, 5)
    ]
    sheets = read_severstal(kaggle("ImageId_ClassId,EncodedPixels\n" + "\n".join(rows) + "\n"))
    assert facts(sheets) == {"a.jpg": ((3,), "mask"), "b.jpg": ((), "mask"), "c.jpg": ((), "mask")}
    assert not sheets.rejections


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_mark_and_crlf(end: str, mark: bytes, kaggle: Kaggle) -> None:
    text = (HEAD + "a.jpg,3,1 2\n").replace("\n", end)
    assert facts(read_severstal(kaggle(mark + text.encode())))["a.jpg"] == ((3,), "mask")


def test_a_repeated_row_is_noted_and_its_sheet_kept(kaggle: Kaggle) -> None:
    sheets = read_severstal(kaggle(HEAD + "a.jpg,3,1 2\na.jpg,3,1 2\n"))
    assert facts(sheets)["a.jpg"] == ((3,), "mask")
    assert reasons(sheets)["a.jpg"].startswith("train.csv row 3 (a.jpg): repeats train.csv row 2")


def test_a_contradicting_row_sets_its_sheet_aside(kaggle: Kaggle) -> None:
    sheets = read_severstal(kaggle(HEAD + "a.jpg,3,1 2\na.jpg,3,5 2\n"))
    assert "a.jpg" not in facts(sheets)
    assert "type 3 again with other runs than train.csv row 2 (a.jpg); keep one" in reasons(sheets)["a.jpg"]


def test_rows_for_images_that_do_not_exist(kaggle: Kaggle) -> None:
    sheets = read_severstal(kaggle(HEAD + "gone.jpg,3,1 2\na.jpg,1,1 2\ngone.jpg,4,1 2\n"))
    assert len(sheets.items) == 3
    expected = "train.csv row 2, train.csv row 4: no such image in train_images; add it or remove the row"
    assert reasons(sheets) == {"gone.jpg": expected}


@pytest.mark.parametrize("type_text", ["0", "5", "three", "", "1.0"])
def test_an_unknown_type(type_text: str, kaggle: Kaggle) -> None:
    sheets = read_severstal(kaggle(HEAD + f"a.jpg,{type_text},1 2\n"))
    assert "a.jpg" not in facts(sheets)
    assert f"expected ClassId 1 to 4, found '{type_text}'" in reasons(sheets)["a.jpg"]


def test_a_row_with_a_missing_cell(kaggle: Kaggle) -> None:
    sheets = read_severstal(kaggle(HEAD + "a.jpg,3\n"))
    assert reasons(sheets)["train.csv"] == "row 2: expected 3 cells, found 2; check commas and quotes"


def test_unusable_tables(kaggle: Kaggle) -> None:
    with pytest.raises(
        BadData, match=r"expected the column\(s\) ImageId, ClassId, EncodedPixels, found ImageId\|Cla"
    ):
        read_severstal(kaggle("ImageId|ClassId|EncodedPixels\n"))
    with pytest.raises(BadData, match=r"train.csv: the table is empty; expected a header line"):
        read_severstal(kaggle(""))
    with pytest.raises(BadData, match=r"train.csv: expected a CSV table in UTF-8"):
        read_severstal(kaggle(b"\xffI"))


def test_half_a_layout(kaggle: Kaggle, tmp_path: Path) -> None:
    root = kaggle(HEAD)
    (root / "train.csv").unlink()
    with pytest.raises(BadData, match=r"found train_images but no train\.csv"):
        read_severstal(root)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "train.csv").write_text(HEAD)
    with pytest.raises(BadData, match=r"found train\.csv but no folder train_images"):
        read_severstal(tmp_path / "other")


def test_a_manifest_says_what_a_missing_row_means(kaggle: Kaggle) -> None:
    manifest = "ImageId,classes,labels\na.jpg,3 1,gt_rle\nb.jpg,2,{label}\nc.jpg,,no_defect\n"
    train = HEAD + "a.jpg,1,1 2\na.jpg,3,9 2\n"
    for label in ("boxes_only", "class_only", "pseudo_mask"):
        sheets = read_severstal(kaggle(train, manifest=manifest.format(label=label)))
        assert facts(sheets) == {"a.jpg": ((1, 3), "mask"), "b.jpg": ((2,), "class"), "c.jpg": ((), "mask")}
        assert not sheets.rejections


def test_incomplete_masks_of_a_pseudo_mask_are_not_used(kaggle: Kaggle) -> None:
    manifest = "ImageId,classes,labels\na.jpg,3,pseudo_mask\n"
    sheets = read_severstal(kaggle(HEAD + "a.jpg,3,1 2\n", manifest=manifest))
    assert sheets.items[0].masks == ()
    assert sheets.items[0].evidence == "class"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "a.jpg,,no_defect",
            "no_defect with types none, but train.csv has masks of types 3; make them agree",
        ),
        ("a.jpg,4,gt_rle", "gt_rle with types 4, but train.csv has masks of types 3"),
        ("b.jpg,4,gt_rle", "gt_rle with types 4, but train.csv has masks of types none"),
        ("b.jpg,,class_only", "class_only needs at least one class"),
        ("b.jpg,3,guessed", "found '3' and 'guessed'"),
        ("b.jpg,7,class_only", "expected classes 1 to 4"),
        ("b.jpg,3,class_only\nb.jpg,4,class_only", "contradicts row 2; keep one"),
    ],
)
def test_a_manifest_that_contradicts(row: str, message: str, kaggle: Kaggle) -> None:
    manifest = f"ImageId,classes,labels\n{row}\n"
    sheets = read_severstal(kaggle(HEAD + "a.jpg,3,1 2\n", manifest=manifest))
    image = row[:5]
    assert image not in facts(sheets)
    assert message in reasons(sheets)[image]


def test_manifest_rows_without_an_image(kaggle: Kaggle) -> None:
    sheets = read_severstal(kaggle(HEAD, manifest="ImageId,classes,labels\nx.jpg,3,class_only\n"))
    assert reasons(sheets)["x.jpg"].startswith("manifest.csv row 2: no such image in train_images")


@pytest.mark.realdata
def test_the_real_sample(data_root: Path) -> None:
    sheets = read_severstal(data_root / "severstal")
    assert len(sheets.items) == 48
    assert not sheets.rejections
    assert sum(not item.types for item in sheets.items) == 5
    assert sum(len(item.types) > 1 for item in sheets.items) == 5
    assert sum(len(item.masks) for item in sheets.items) == 13
