"""Damaged and contradictory annotations: the sheet is set aside with the reason, or the folder refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steelsight.errors import BadData
from steelsight.sheets.catalog import DataOptions, check_images, open_data
from steelsight.sheets.formats.annotations import documents


def reasons(root: Path, layout: str, **options: Any) -> dict[str, str]:
    sheets = check_images(open_data(root, options=DataOptions(layout=layout, **options)))
    assert all("p1" not in item.id for item in sheets.items)
    return {bad.id: bad.reason for bad in sheets.rejections}


def edit(path: Path, change: Callable[[Any], None]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def _row(**values: Any) -> Callable[[Any], None]:
    return lambda document: document["annotations"][0].update(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_row(category_id=99), "category_id 99 is not among categories"),
        (_row(category_id=[1]), "category_id [1] is not among categories"),
        (_row(segmentation=[[1, 2, 3, 4]]), "three corners or more, found 4 numbers"),
        (_row(segmentation=[["a", 2, 3, 4, 5, 6]]), "expected coordinates as numbers"),
        (_row(segmentation={"counts": [3], "size": [48, 64]}), "run lengths cover 3 pixels"),
        (_row(segmentation={"counts": "~", "size": [48, 64]}), "expected compressed run lengths"),
        (_row(segmentation={"counts": 5, "size": [48, 64]}), "expected run lengths as text or whole numbers"),
        (_row(segmentation={"counts": [3072], "size": [9, 9]}), "run lengths of an image of [9, 9]"),
        (_row(segmentation=[[1, 1, 1e7, 1, 5, 5]]), "lies far outside the image"),
        (lambda d: d["images"][1].update(height=96), "annotated at 64x96 pixels, the image has 64x48"),
    ],
)
def test_coco_rows_that_contradict(
    change: Callable[[Any], None], words: str, inputs: Any, tmp_path: Path
) -> None:
    inputs.coco(tmp_path)
    edit(tmp_path / "annotations/instances.json", change)
    assert words in reasons(tmp_path, "coco")["images/p1.png"]


def test_a_coco_row_of_an_unknown_image_is_a_fault(inputs: Any, tmp_path: Path) -> None:
    inputs.coco(tmp_path)
    edit(tmp_path / "annotations/instances.json", _row(image_id=77))
    sheets = open_data(tmp_path)
    (fault,) = sheets.rejections
    assert fault.reason.endswith("image_id 77 is not among images; correct it")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "expected JSON, found"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps({"images": 1, "annotations": []}), "expected 'images' to be a list of objects"),
        (json.dumps({"images": [], "annotations": [], "categories": [{}]}), "categories with id and name"),
    ],
)
def test_coco_files_that_are_none(text: str, words: str, inputs: Any, tmp_path: Path) -> None:
    inputs.pictures(tmp_path)
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BadData, match=words):
        open_data(tmp_path, options=DataOptions(layout="coco"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 0.5 0.5 0.2", "expected a class and x y width height"),
        ("1 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "or corners"),
        ("crack 0.5 0.5 0.2 0.2", "expected a class"),
        ("5 0.5 0.5 0.2 0.2", "class 5, but names has 2"),
        ("1 0.5 0.5 nan 0.2", "expected a class"),
        ("1 50 50 20 20", "expected shares from 0 to 1"),
    ],
)
def test_yolo_lines_that_are_none(line: str, words: str, inputs: Any, tmp_path: Path) -> None:
    inputs.yolo(tmp_path)
    (tmp_path / "labels/p1.txt").write_text(f"{line}\n")
    assert words in reasons(tmp_path, "yolo")["images/p1.png"]


def test_yolo_names_that_are_none(inputs: Any, tmp_path: Path) -> None:
    inputs.yolo(tmp_path)
    (tmp_path / "data.yaml").write_text("names: 5\n")
    with pytest.raises(BadData, match="expected names as a list or by number, found 5"):
        open_data(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [\n")
    with pytest.raises(BadData, match=r"data\.yaml: expected YAML"):
        open_data(tmp_path)


def test_xml_bombs_are_not_opened(inputs: Any, tmp_path: Path) -> None:
    inputs.cvat(tmp_path)
    levels = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "x">{levels}]><annotations>&a11;</annotations>'
    (tmp_path / "annotations.xml").write_text(bomb)
    with pytest.raises(BadData, match="declares entities, which annotations need not; remove them"):
        open_data(tmp_path, options=DataOptions(layout="cvat"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<polygon label="crack" points="1,2;x,4;5,6"/>', "expected coordinates as numbers"),
        ('<box label="crack" xtl="1" ytl="1" xbr="1"/>', "expected coordinates as numbers, found 'ybr'"),
        ('<polygon label="" points="1,2;3,4;5,6"/>', "has no label; name it"),
        ('<mask label="crack" rle="3,3" left="60" top="1" width="6" height="1"/>', "leaves the image"),
        ('<mask label="crack" rle="3,3" left="1" top="1" width="9" height="1"/>', "cover 6 pixels of 9x1"),
        ('<mask label="crack" rle="3" left="inf" top="1" width="9" height="1"/>', "expected coordinates"),
    ],
)
def test_cvat_shapes_that_are_none(body: str, words: str, inputs: Any, tmp_path: Path) -> None:
    inputs.cvat(tmp_path, body)
    assert words in reasons(tmp_path, "cvat", masks="boxes")["images/p1.png"]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"label": "crack", "points": [[1, 2], [3]], "shape_type": "polygon"}, "expected points of x and y"),
        ({"label": "crack", "points": [[1, 2]], "shape_type": "circle"}, "expected 2 points, found 1"),
        (
            {"label": "crack", "points": [[1, 2], [3, 4]], "shape_type": "mask", "mask": "?"},
            "as a base64 PNG",
        ),
        ({"label": None, "points": []}, "expected a shape with a label"),
        (5, "expected a shape with a label"),
    ],
)
def test_labelme_shapes_that_are_none(shape: Any, words: str, inputs: Any, tmp_path: Path) -> None:
    inputs.labelme(tmp_path, shape)
    assert words in reasons(tmp_path, "labelme")["images/p1.png"]


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ({"type": "polygonlabels", "value": {"points": [[1]], "polygonlabels": ["crack"]}}, "region 1"),
        ({"type": "rectanglelabels", "value": {"rectanglelabels": ["crack"]}}, "KeyError('x')"),
        ({"type": "brushlabels", "value": {"brushlabels": ["crack"], "rle": []}}, "brush mask of format rle"),
        (
            {"type": "brushlabels", "value": {"brushlabels": ["crack"], "format": "rle", "rle": [1, 2]}},
            "was cut off",
        ),
        ({"type": "choices", "value": {"choices": "crack"}}, "expected choices as a list"),
    ],
)
def test_label_studio_regions_that_are_none(region: Any, words: str, inputs: Any, tmp_path: Path) -> None:
    inputs.studio(tmp_path, region)
    assert words in reasons(tmp_path, "labelstudio")["images/p1.png"]


def test_a_task_nobody_annotated_is_no_defect_free_sheet(inputs: Any, tmp_path: Path) -> None:
    inputs.studio(tmp_path)
    edit(tmp_path / "project-1.json", lambda tasks: tasks[1].update(annotations=[]))
    assert "nobody annotated it" in reasons(tmp_path, "labelstudio")["images/p1.png"]


def test_files_of_annotations_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("[1, 2]")
    assert documents.read_json(path) == [1, 2]
    with pytest.raises(BadData, match="6 bytes, more than the 5 allowed; split it"):
        documents.read_text(path, most=5)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadData, match="expected text in UTF-8"):
        documents.read_json(path)


@pytest.mark.parametrize("read", [documents.read_json, documents.read_xml, documents.read_yaml])
def test_a_pipe_is_refused_at_once(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(BadData, match="not a regular file but a pipe or a device"):
        read(tmp_path / "a.json")
    assert documents.xml_root(tmp_path / "a.json") == ""
