"""Further rows of the table of inputs: COCO and other annotations as less common tools write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from input_annotations import (
    ANNOTATED,
    STUDIO_POLYGON,
    VOC_BOX,
    coco,
    coco_document,
    coco_runs,
    cvat,
    labelme_document,
    pictures,
    points,
    studio,
    studio_region,
    voc,
    yolo,
)
from input_basics import POLYGON, Case, Expect, H, W, photo, save, stripe, text


def further_annotation_cases() -> Iterator[Case]:
    """All rows of this file."""
    yield from _coco()
    yield from _annotations()


def _changed(change: Callable[[dict], object], segmentation: object = None) -> Callable[[Path], None]:
    def case(root: Path) -> None:
        document = coco_document([name.rpartition("/")[2] for name in pictures(root)], segmentation)
        change(document)
        text(root / "instances.json", json.dumps(document))

    return case


def _all(**values: object) -> Callable[[dict], object]:
    return lambda document: [row.update(values) for row in document["annotations"]]


def _coco() -> Iterator[Case]:
    def case(name: str, draw: Callable[[Path], None], **expect: object) -> Case:
        return Case(
            "further COCO", f"COCO, {name}", draw, Expect(**{**ANNOTATED, "layout": "coco", **expect})
        )

    runs = {"counts": coco_runs(stripe()), "size": [H, W]}
    half = {"sheets": 2, "types": (), "masked": 0, "bad": 2}
    yield case("iscrowd", _changed(_all(iscrowd=1), runs))
    yield case("negative area", _changed(_all(area=-5)))
    yield case(
        "ids as text", _changed(lambda d: [a.update(image_id=str(a["image_id"])) for a in d["annotations"]])
    )
    yield case(
        "category 0",
        _changed(lambda d: (_all(category_id=0)(d), d.update(categories=[{"id": 0, "name": "crack"}]))),
    )
    yield case(
        "height and width exchanged",
        _changed(_all(segmentation={**runs, "size": [W, H]})),
        **{**half, "types": ("crack",)},
    )
    yield case("no categories", _changed(lambda d: d.pop("categories")), **half)
    yield case(
        "two images of one id",
        _changed(lambda d: d["images"][2].update(id=1)),
        sheets=2,
        masked=1,
        defect_free=1,
        bad=2,
    )
    yield case(
        "one category id twice",
        _changed(lambda d: d["categories"].append({"id": 7, "name": "pit"})),
        layout="",
        refused="category id 7 is both",
    )
    yield case(
        "a background category",
        _changed(lambda d: d["categories"][0].update(name="background")),
        types=(),
        defect_free=4,
        masked=0,
    )
    yield case(
        "results without images",
        lambda r: (pictures(r), text(r / "r.json", json.dumps([{"image_id": 1, "bbox": [1, 1, 5, 5]}]))),
        layout="",
        refused="outside any folder",
    )
    yield case(
        "a second file that was cut off",
        lambda r: (coco(r), text(r / "more.json", '{"images": ['), save(r / "good/n.png", photo(9))),
        bad=2,
    )


def _annotations() -> Iterator[Case]:
    def case(read_as: str, name: str, draw: Callable[[Path], object], **expect: object) -> Case:
        return Case("further annotations", name, draw, Expect(**{**ANNOTATED, "layout": read_as, **expect}))

    def lines(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
        def draw(root: Path) -> None:
            yolo(root)
            for path in (root / "labels").glob("*.txt"):
                path.write_bytes(change(path.read_bytes()))

        return draw

    boxes = {"options": {"masks": "boxes"}}
    one = {"sheets": 3, "masked": 1, "bad": 1}
    yield case("yolo", "YOLO, Windows line ends", lines(lambda b: b.replace(b"\n", b"\r\n")))
    yield case("yolo", "YOLO, byte-order marks", lines(lambda b: b"\xef\xbb\xbf" + b))
    yield case(
        "yolo",
        "YOLO, turned boxes of four corners",
        lambda r: (yolo(r), text(r / "labels/p1.txt", "1 .1 .1 .4 .1 .4 .4 .1 .4")),
    )
    yield case(
        "yolo",
        "YOLO, boxes with a confidence",
        lambda r: (yolo(r), text(r / "labels/p1.txt", "1 .4 .5 .3 .4 .9")),
        masked=1,
    )
    yield case(
        "yolo", "YOLO, class 1.0", lambda r: (yolo(r), text(r / "labels/p1.txt", "1.0 .4 .5 .3 .4")), **one
    )
    yield case("yolo", "YOLO, commas", lambda r: (yolo(r), text(r / "labels/p1.txt", "1,.4,.5,.3,.4")), **one)
    yield case("yolo", "YOLO, labels named a.png.txt", lambda r: yolo(r, label="labels/{n}.png.txt"))
    yield case(
        "yolo",
        "YOLO, a label file without its image",
        lambda r: (yolo(r), text(r / "labels/p9.txt", "1 .4 .5 .3 .4")),
        sheets=3,
        defect_free=1,
        bad=2,
    )
    yield case(
        "yolo",
        "YOLO, key points",
        lambda r: (yolo(r), text(r / "data.yaml", "names: [a, b]\nkpt_shape: [4, 2]\n")),
        layout="",
        refused="key points",
    )
    yield case(
        "yolo",
        "YOLO of Darknet: obj.names, obj.data, train.txt",
        lambda r: (
            yolo(r, "obj_train_data/{n}.png", "obj_train_data/{n}.txt"),
            (r / "data.yaml").unlink(),
            text(r / "obj.names", "pit\ncrack\n"),
            text(r / "obj.data", "classes = 2\n"),
            text(r / "train.txt", "data/obj_train_data/p0.png\n"),
        ),
        parts=(4, 0, 0),
    )
    outside = VOC_BOX.replace("<xmin>11", "<xmin>-4").replace("<xmax>30", "<xmax>90")
    yield case("voc", "Pascal VOC, boxes that leave the image", lambda r: voc(r, outside), **boxes)
    swapped = VOC_BOX.replace("<xmin>11", "<xmin>40")
    yield case(
        "voc",
        "Pascal VOC, boxes with left and right exchanged",
        lambda r: voc(r, swapped),
        **{**boxes, "types": ("crack",), "sheets": 2, "masked": 0, "bad": 2},
    )
    yield case(
        "voc",
        "Pascal VOC, XML of a camera beside",
        lambda r: (voc(r), text(r / "Annotations/p0.xml", "<camera/>")),
        sheets=3,
        defect_free=1,
        masked=0,
        bad=2,
    )

    def both(root: Path) -> None:
        shapes = [{"label": name, "points": points(POLYGON), "group_id": 1} for name in ("crack", "pit")]
        for i, name in enumerate(pictures(root)):
            text(root / name.replace(".png", ".json"), labelme_document(f"p{i}.png", shapes if i % 2 else []))

    yield case("labelme", "labelme, shapes of two types", both, types=("crack", "pit"))

    def flags(root: Path) -> None:
        for i, name in enumerate(pictures(root)):
            on = {"crack": bool(i % 2), "good": not i % 2}
            text(root / name.replace(".png", ".json"), labelme_document(f"p{i}.png", [], flags=on))

    yield case("labelme", "labelme, flags", flags, clean="good", masked=0)
    yield case(
        "labelme",
        "labelme, a file that was cut off",
        lambda r: (both(r), text(r / "images/p0.json", "{")),
        types=("crack", "pit"),
        sheets=3,
        defect_free=1,
        bad=2,
    )
    yield case(
        "cvat", "CVAT, polylines", lambda r: cvat(r, '<polyline label="crack" points="1,2;3,4"/>'), masked=0
    )
    yield case(
        "cvat",
        "CVAT, a shape without label",
        lambda r: cvat(r, '<box label="" xtl="1" ytl="1" xbr="5" ybr="5"/>'),
        types=(),
        sheets=2,
        masked=0,
        bad=2,
    )
    yield case(
        "labelstudio",
        "Label Studio, key points",
        lambda r: studio(r, studio_region("keypointlabels", {"x": 5, "y": 5})),
        masked=0,
    )
    yield case(
        "labelstudio",
        "Label Studio, taxonomy",
        lambda r: studio(r, {"type": "taxonomy", "value": {"taxonomy": [["surface", "crack"]]}}),
        types=("surface / crack",),
        masked=0,
    )
    yield case(
        "labelstudio",
        "Label Studio, a brush without label",
        lambda r: studio(r, {"type": "brush", "value": {"rle": [1]}}),
        types=(),
        sheets=2,
        masked=0,
        bad=2,
    )
    yield case(
        "labelstudio",
        "Label Studio, drawn on a turned image",
        lambda r: studio(r, {**STUDIO_POLYGON, "image_rotation": 90}),
        types=(),
        sheets=2,
        masked=0,
        bad=2,
    )
    yield case(
        "labelstudio", "Label Studio, images in a bucket", lambda r: studio(r, path="s3://bucket/lines/{n}")
    )
