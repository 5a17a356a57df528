"""An image that a rejected row, mask or annotation names never counts as defect-free, even if tolerated."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steelsight.errors import BadData
from steelsight.sheets.catalog import DataOptions, check_images, group_sheets, open_data
from steelsight.types import SheetSet

Spoil = Callable[[Path, Any], None]  # from a folder and the drawing functions


def _append(file: str, text: str) -> Spoil:
    def spoil(root: Path, _: Any) -> None:
        with (root / file).open("a", encoding="utf-8") as table:
            table.write(text)

    return spoil


def _write(file: str, text: str | bytes) -> Spoil:
    def spoil(root: Path, _: Any) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(text if isinstance(text, bytes) else text.encode())

    return spoil


def _edit(file: str, change: Callable[[Any], None]) -> Spoil:
    def spoil(root: Path, _: Any) -> None:
        document = json.loads((root / file).read_text())
        change(document)
        (root / file).write_text(json.dumps(document))

    return spoil


def _move(old: str, new: str) -> Spoil:
    def spoil(root: Path, _: Any) -> None:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)

    return spoil


def _twin(image: str) -> Spoil:
    """The same file name in two more folders, so that a bare name fits several images."""

    def spoil(root: Path, inputs: Any) -> None:
        for folder in ("good", "good/more"):
            inputs.save(root / folder / Path(image).name, inputs.photo(77))

    return spoil


def _coco_bare(document: dict[str, Any]) -> None:
    for row in document["images"]:
        row["file_name"] = Path(row["file_name"]).name


REGION = {"type": "brushlabels", "id": "a", "value": {"format": "rle", "rle": [1]}}

# layout, how it is drawn, what is spoilt, names of images that may carry a defect
SPOILT: list[tuple[str, str, Spoil, str]] = [
    ("severstal", "kaggle", _append("train.csv", "s3.jpg,1\n"), "s3"),
    ("severstal", "kaggle", _append("train.csv", "s3,7,1 2\n"), "s3"),
    ("severstal", "kaggle", _append("train.csv", "s3.jpg,1,x\n"), "s3"),
    ("severstal", "kaggle", _append("train.csv", "S3.PNG,1,1 2\n"), "s3"),
    ("severstal", "kaggle", _append("train.csv", "s3.jpg,3,\n"), "s3"),
    ("severstal", "kaggle", _append("train.csv", "D:\\s3.jpg,1,1 2,,\n"), "s3"),
    ("severstal", "kaggle", _write("manifest.csv", "ImageId,classes,labels\ns3.jpg,9,no_defect\n"), "s3"),
    ("severstal", "kaggle", _write("manifest.csv", "ImageId,classes,labels\ns3,1\n"), "s3"),
    ("severstal", "kaggle", _write("split.csv", "ImageId,part\ns3,trian\n"), "s3"),
    ("coco", "coco", _edit("annotations/instances.json", lambda d: d["images"][0].update(id=1)), "p0 p1"),
    ("coco", "coco", _edit("annotations/instances.json", lambda d: d["images"][1].pop("id")), "p1"),
    (
        "coco",
        "coco",
        _edit("annotations/instances.json", lambda d: d["annotations"][0].update(image_id="p1.png")),
        "p1",
    ),
    (
        "coco",
        "coco",
        _edit("annotations/instances.json", lambda d: d["annotations"][0].update(category_id=5)),
        "p1",
    ),
    (
        "coco",
        "coco",
        _edit("annotations/instances.json", lambda d: d["annotations"][0].update(segmentation=[[1, 2]])),
        "p1",
    ),
    (
        "coco",
        "coco",
        lambda r, i: (_edit("annotations/instances.json", _coco_bare)(r, i), _twin("p1.png")(r, i)),
        "p1",
    ),
    (
        "coco",
        "coco",
        lambda r, i: (_write("annotations/more.json", "{")(r, i), i.save(r / "good/n.png", i.photo(5))),
        "n",
    ),
    ("yolo", "yolo", _write("labels/p0.png.txt", "1 5\n"), "p0"),
    ("yolo", "yolo", _write("labels/p0.txt", b"\xff\xfe1"), "p0"),
    ("yolo", "yolo", _write("labels/P2.TXT", "1 200 200 5 5\n"), "p2"),
    ("yolo", "yolo", _move("labels/p1.txt", "labels/p1_old.txt"), "p0 p1"),
    ("yolo", "yolo", _move("labels/p1.txt", "labels/x1.txt"), "p0 p1"),
    (
        "yolo",
        "yolo",
        lambda r, i: (
            [i.save(r / f"images/{k}/a.png", i.photo(k)) for k in (5, 6)]
            and _write("labels/a.txt", "1 .5 .5 .1 .1\n")(r, i)
        ),
        "a",
    ),
    ("yolo", "yolo", _write("labels/p0.json", '{"shapes": 1}'), "p0"),
    ("voc", "voc", _write("Annotations/p0.xml", "<annotation><object>"), "p0"),
    ("voc", "voc", _write("Annotations/p0.xml", "<camera><gain>3</gain></camera>"), "p0"),
    ("voc", "voc", _write("Annotations/p1.xml", "<annotation><object><bndbox/></object></annotation>"), "p1"),
    (
        "voc",
        "voc",
        lambda r, i: (_twin("p9.png")(r, i), _write("Annotations/q.xml", i.voc_xml("p9.png", ""))(r, i)),
        "p9",
    ),
    ("labelme", "labelme", _write("images/p0.json", '{"shapes": ['), "p0"),
    ("labelme", "labelme", _edit("images/p1.json", lambda d: d["shapes"][0].update(label="")), "p1"),
    ("labelme", "labelme", _edit("images/p1.json", lambda d: d["shapes"][0].update(points=[[1, 2]])), "p1"),
    (
        "labelme",
        "labelme",
        lambda r, i: (_twin("p9.png")(r, i), _write("more/q.json", i.labelme_document("p9.png", []))(r, i)),
        "p9",
    ),
    (
        "cvat",
        "cvat",
        lambda r, _: (r / "annotations.xml").write_text(
            (r / "annotations.xml").read_text().replace('label="crack"', 'label=""')
        ),
        "p1 p3",
    ),
    ("cvat", "cvat", _twin("p1.png"), "p1"),
    (
        "labelstudio",
        "studio",
        _edit("project-1.json", lambda d: d[0]["annotations"][1].update(result=[REGION])),
        "p0",
    ),
    (
        "labelstudio",
        "studio",
        _edit("project-1.json", lambda d: d[0]["annotations"][1].update(result={"a": 1})),
        "p0",
    ),
    ("labelstudio", "studio", _edit("project-1.json", lambda d: d[1].update(annotations=[])), "p1"),
    (
        "labelstudio",
        "studio",
        _edit(
            "project-1.json", lambda d: d[1]["annotations"][1]["result"][0]["value"].update(polygonlabels=[])
        ),
        "p1",
    ),
    (
        "labelstudio",
        "studio",
        _edit("project-1.json", lambda d: d[1]["annotations"][1]["result"][0].update(image_rotation=90)),
        "p1",
    ),
    ("labelstudio", "studio", _twin("p1.png"), "p1"),
    ("masks", "mask_set", _write("masks/01.png", b"no picture"), "01"),
    ("masks", "mask_set", lambda r, i: i.save(r / "masks/01.png", i.stripe(255, 9, 9)), "01"),
    ("masks", "mask_set", _move("masks/01.png", "masks/x.png"), "01"),
    ("folder", "masked_classes", lambda r, i: i.save(r / "good/g0.png", i.stripe()), "g0"),
    ("folder", "masked_classes", _write("crack/c0.png", b"no picture"), "c0"),
    ("mvtec", "mvtec", lambda r, i: i.save(r / "ground_truth/good/000_mask.png", i.stripe()), ""),
]


def _drawings(name: str) -> Any:
    """The module of benchmarks/ that draws an input."""
    folders, annotations = map(importlib.import_module, ("input_folders", "input_annotations"))
    return folders if hasattr(folders, name) else annotations


def _opened(root: Path, layout: str) -> SheetSet:
    masks = "sparse" if layout == "masks" else None
    return check_images(open_data(root, options=DataOptions(layout=layout, masks=masks)))


@pytest.mark.parametrize(("layout", "draw", "spoil", "named"), SPOILT)
def test_an_image_that_a_rejected_annotation_names_is_set_aside(
    layout: str, draw: str, spoil: Spoil, named: str, tmp_path: Path
) -> None:
    inputs = _drawings(draw)
    getattr(inputs, draw)(tmp_path)
    before = {item.id for item in _opened(tmp_path, layout).items if not item.types}
    spoil(tmp_path, inputs)
    try:
        sheets = _opened(tmp_path, layout)
    except BadData:
        return  # refused altogether
    assert sheets.rejections
    stems = set(named.split())
    assert sheets.items
    assert not [item.id for item in sheets.items if item.path.stem in stems]
    reasons = {bad.id for bad in sheets.rejections}
    if stems:
        assert any(Path(id_).stem in stems for id_ in reasons), reasons
    added = {item.id for item in sheets.items if not item.types} - before
    assert not [id_ for id_ in added if not id_.startswith("good/")]


FILES = [
    ("coco", "coco", "annotations/instances.json"),
    ("cvat", "cvat", "annotations.xml"),
    ("labelstudio", "studio", "project-1.json"),
    ("labelme", "labelme", "images/p1.json"),
    ("voc", "voc", "Annotations/p1.xml"),
    ("yolo", "yolo", "labels/p1.txt"),
    ("severstal", "kaggle", "train.csv"),
    ("masks", "mask_set", "masks/01.png"),
    ("folder", "masked_classes", "crack/c0.png"),
]


@pytest.mark.parametrize("left", [0.0, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize(("layout", "draw", "file"), FILES)
def test_a_file_that_was_cut_off_makes_no_sheet_defect_free(
    layout: str, draw: str, file: str, left: float, tmp_path: Path
) -> None:
    inputs = _drawings(draw)
    getattr(inputs, draw)(tmp_path)
    defective = {item.id for item in _opened(tmp_path, layout).items if item.types}
    content = (tmp_path / file).read_bytes()
    start = content.rfind(b"s1.jpg") + 6 if layout == "severstal" else 0  # within the row, behind the name
    cut = start + 1 + int(left * (len(content) - start - 3))
    (tmp_path / file).write_bytes(content[:cut])
    try:
        sheets = _opened(tmp_path, layout)
    except BadData:
        return  # refused altogether
    lost = {item.id for item in sheets.items if not item.types} & defective
    assert not lost


def test_a_sheet_whose_row_of_groups_was_rejected_is_no_group_of_its_own(
    tmp_path: Path,
) -> None:
    _drawings("grouped").grouped(tmp_path)
    table = tmp_path / "groups.csv"
    rows = table.read_text().splitlines()
    rows[1] = rows[1] + ",x"
    (tmp_path / "good/more").mkdir()
    (tmp_path / "good/more/g01.jpg").write_bytes((tmp_path / "good/g01.jpg").read_bytes())
    rows[2] = "g01.jpg,coil0"
    table.write_text("\n".join(rows))
    sheets = group_sheets(open_data(tmp_path), "column:coil")
    assert [item.id for item in sheets.items if item.id.startswith("good")] == [
        "good/g02.jpg",
        "good/g03.jpg",
    ]
    reasons = {bad.id: bad.reason for bad in sheets.rejections}
    assert reasons["good/g00.jpg"] == (
        "its coil is not known: groups.csv row 2: expected 2 cells, found 3; check commas and quotes"
    )
    assert reasons["good/more/g01.jpg"].startswith(
        "its coil is not known: groups.csv row 3 (g01.jpg): the name"
    )
