"""Rows of the table of inputs: annotations of other tools, and what has to come of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from input_annotations import (
    ANNOTATED,
    VOC_POLYGON,
    coco,
    coco_parts,
    coco_runs,
    cvat,
    labelme,
    pictures,
    png_text,
    split_lists,
    studio,
    studio_region,
    voc,
    voc_xml,
    yolo,
)
from input_basics import Case, Expect, H, W, photo, save, text


def annotation_cases() -> Iterator[Case]:
    def case(read_as: str, name: str, draw: Callable[[Path], object], **expect: object) -> Case:
        return Case("annotations", name, draw, Expect(**{**ANNOTATED, "layout": read_as, **expect}))

    boxes = {"options": {"masks": "boxes"}}
    mask = np.zeros((H, W), bool)
    mask[5:20, 7:30] = True
    yield case("coco", "COCO, polygons", coco)
    yield case(
        "coco",
        "COCO, run lengths",
        lambda r: coco(r, segmentation={"counts": coco_runs(mask), "size": [H, W]}),
    )
    yield case("coco", "COCO, boxes alone", lambda r: coco(r, segmentation=False), masked=0)
    yield case("coco", "COCO, boxes as masks", lambda r: coco(r, segmentation=False), **boxes)
    yield case("coco", "COCO, paths of another machine", lambda r: coco(r, prefix="C:\\work\\images\\"))
    yield case(
        "coco",
        "COCO of Roboflow, a file a part",
        coco_parts,
        sheets=12,
        defect_free=6,
        masked=6,
        parts=(4, 4, 4),
    )
    yield case(
        "coco",
        "COCO and an image it does not list",
        lambda r: (coco(r), save(r / "images/new.png", photo(9))),
        bad=1,
    )
    yield case(
        "coco",
        "COCO of images that are not there",
        lambda r: coco(r, prefix="x_"),
        layout="",
        refused="no annotation of layout coco fits",
    )
    yield case(
        "coco",
        "COCO drawn at another size",
        lambda r: (coco(r), save(r / "images/p1.png", photo(1, 2 * H, 2 * W))),
        sheets=3,
        masked=1,
        bad=1,
    )
    yield case("yolo", "YOLO, polygons", yolo)
    yield case("yolo", "YOLO, boxes", lambda r: yolo(r, boxes=True), masked=0)
    yield case("yolo", "YOLO, boxes as masks", lambda r: yolo(r, boxes=True), **boxes)
    yield case(
        "yolo",
        "YOLO, images/train and labels/train",
        lambda r: yolo(r, "images/train/{n}.png", "labels/train/{n}.txt"),
        parts=(4, 0, 0),
    )
    yield case(
        "yolo",
        "YOLO, train/images and train/labels",
        lambda r: yolo(r, "train/images/{n}.png", "train/labels/{n}.txt"),
        parts=(4, 0, 0),
    )
    yield case("yolo", "YOLO, both files in one folder", lambda r: yolo(r, "{n}.png", "{n}.txt"))
    yield case(
        "yolo",
        "YOLO with pixels for shares",
        lambda r: (yolo(r), text(r / "labels/p1.txt", "1 10 12 30 20\n")),
        sheets=3,
        masked=1,
        bad=1,
    )
    yield case("voc", "Pascal VOC, boxes", voc, masked=0)
    yield case("voc", "Pascal VOC, boxes as masks", voc, **boxes)
    yield case("voc", "Pascal VOC of Roboflow, polygons", lambda r: voc(r, VOC_POLYGON))
    yield case(
        "voc",
        "NEU-DET: images by class, XML beside",
        lambda r: voc(r, image="images/crazing/{n}.png"),
        masked=0,
    )
    yield case(
        "voc",
        "XML with an entity bomb",
        lambda r: (
            voc(r),
            text(r / "Annotations/p1.xml", '<!DOCTYPE a [<!ENTITY b "c">]>' + voc_xml("p1.png", "&b;")),
        ),
        sheets=3,
        masked=0,
        bad=2,
    )
    yield case(
        "voc",
        "Pascal VOC with ImageSets/Main",
        lambda r: (voc(r), split_lists(r, "ImageSets/Main/", ["p0", "p1"], ["p2", "p3"])),
        masked=0,
        parts=(2, 0, 2),
    )
    yield case(
        "yolo",
        "YOLO with train.txt and test.txt of paths",
        lambda r: (
            yolo(r),
            split_lists(r, "", ["data/images/p0.png", "data/images/p1.png"], ["data/images/p2.png"]),
        ),
        parts=(2, 0, 1),
    )
    yield case("labelme", "labelme, polygons", labelme)
    yield case("labelme", "labelme, files in a folder of their own", lambda r: labelme(r, beside=False))
    yield case("labelme", "labelme, Windows paths", lambda r: labelme(r, beside=False, separator="\\"))
    yield case(
        "labelme",
        "labelme, a mask",
        lambda r: labelme(
            r,
            {
                "label": "crack",
                "shape_type": "mask",
                "points": [[7, 5], [29, 19]],
                "mask": png_text(mask[5:20, 7:30]),
            },
        ),
    )
    yield case(
        "labelme",
        "labelme, a circle",
        lambda r: labelme(r, {"label": "crack", "shape_type": "circle", "points": [[20, 20], [28, 20]]}),
    )
    yield case(
        "labelme",
        "labelme, a line",
        lambda r: labelme(r, {"label": "crack", "shape_type": "line", "points": [[2, 2], [28, 20]]}),
        masked=0,
    )
    yield case(
        "labelme",
        "labelme, a shape without a label",
        lambda r: labelme(r, {"label": "", "shape_type": "line", "points": []}),
        layout="labelme",
        types=(),
        sheets=2,
        masked=0,
        bad=2,
    )
    yield case("cvat", "CVAT, polygons", cvat)
    yield case(
        "cvat",
        "CVAT, a turned box as mask",
        lambda r: cvat(r, '<box label="crack" xtl="10" ytl="10" xbr="30" ybr="20" rotation="30"/>'),
        **boxes,
    )
    yield case(
        "cvat",
        "CVAT, a mask",
        lambda r: cvat(r, '<mask label="crack" rle="3,2,1,6" left="5" top="6" width="4" height="3"/>'),
    )
    yield case("cvat", "CVAT, tags", lambda r: cvat(r, '<tag label="crack"/>'), masked=0)
    yield case("cvat", "CVAT, subset train", lambda r: cvat(r, subset="Train"), parts=(4, 0, 0))
    yield case(
        "cvat",
        "CVAT for video",
        lambda r: (
            cvat(r),
            text(r / "annotations.xml", '<annotations><track id="0" label="crack"/></annotations>'),
        ),
        layout="",
        refused="tracks of a video",
    )
    yield case("labelstudio", "Label Studio, polygons", studio)
    yield case(
        "labelstudio",
        "Label Studio, rectangles",
        lambda r: studio(
            r, studio_region("rectanglelabels", {"x": 10, "y": 20, "width": 30, "height": 25, "rotation": 0})
        ),
        masked=0,
    )
    yield case(
        "labelstudio",
        "Label Studio, rectangles as masks",
        lambda r: studio(
            r, studio_region("rectanglelabels", {"x": 10, "y": 20, "width": 30, "height": 25, "rotation": 10})
        ),
        **boxes,
    )
    yield case(
        "labelstudio",
        "Label Studio, local files",
        lambda r: studio(r, path="/data/local-files/?d=lines/images/{n}"),
    )
    yield case(
        "labelstudio",
        "Label Studio, choices",
        lambda r: studio(r, {"type": "choices", "value": {"choices": ["crack"]}}),
        masked=0,
    )
    yield case(
        "labelstudio",
        "Label Studio, JSON-MIN",
        lambda r: (
            pictures(r),
            text(
                r / "p.json",
                json.dumps([{"image": "/data/upload/p1.png", "id": 1, "annotator": 1, "annotation_id": 1}]),
            ),
        ),
        layout="",
        refused="JSON-MIN",
    )
    yield case(
        "coco",
        "annotations of two tools",
        lambda r: (coco(r), cvat(r)),
        layout="",
        refused="say with --layout",
    )
    yield case("cvat", "the same, one named", lambda r: (coco(r), cvat(r)), options={"layout": "cvat"}, bad=1)
