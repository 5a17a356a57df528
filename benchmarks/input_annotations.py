"""Draws folders with annotations as other tools write them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from input_basics import POLYGON, SECOND, H, W, photo, save, text


def pictures(root: Path, image: str = "images/{n}.png", count: int = 4) -> list[str]:
    """Photographs p0 …; annotators mark the odd ones."""
    names = [image.format(n=f"p{i}") for i in range(count)]
    for i, name in enumerate(names):
        save(root / name, photo(i))
    return names


def coco_document(names: Sequence[str], segmentation: object = None, first: int = 0) -> dict[str, object]:
    """COCO of the odd pictures; no segmentation: POLYGON and SECOND; False: boxes."""
    images = [{"id": i, "file_name": name, "height": H, "width": W} for i, name in enumerate(names, first)]
    annotations = []
    for i in range(1, len(names), 2):
        row: dict[str, object] = {
            "id": i,
            "image_id": i + first,
            "category_id": 7,
            "bbox": [10, 8, 20, 12],
            "iscrowd": 0,
        }
        if segmentation is not False:
            row["segmentation"] = [list(POLYGON), list(SECOND)] if segmentation is None else segmentation
        annotations.append(row)
    categories = [{"id": 7, "name": "crack", "supercategory": "defect"}, {"id": 2, "name": "unused"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def coco(
    root: Path, file: str = "annotations/instances.json", segmentation: object = None, prefix: str = ""
) -> None:
    """A COCO folder."""
    names = [prefix + name.rpartition("/")[2] for name in pictures(root)]
    text(root / file, json.dumps(coco_document(names, segmentation)))


def coco_parts(root: Path) -> None:
    """COCO as Roboflow exports it: a file beside the images of each part, the same names in every part."""
    for part in ("train", "valid", "test"):
        names = [name.rpartition("/")[2] for name in pictures(root, part + "/{n}.png")]
        text(root / part / "_annotations.coco.json", json.dumps(coco_document(names)))


def coco_runs(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed run lengths, pixel by pixel."""
    runs, last, count = [], False, 0
    for value in mask.T.ravel().astype(bool).tolist():
        if value != last:
            runs.append(count)
            last, count = value, 0
        count += 1
    return [*runs, count]


def yolo(
    root: Path, image: str = "images/{n}.png", label: str = "labels/{n}.txt", boxes: bool = False
) -> None:
    """A YOLO folder; the first picture has no label file, the third an empty one."""
    for i, name in enumerate(pictures(root, image)):
        stem = Path(name).stem
        shares = [v / (H if j % 2 else W) for j, v in enumerate(POLYGON)]
        line = "1 0.4 0.5 0.3 0.4" if boxes else "1 " + " ".join(f"{v:.9f}" for v in shares)
        if i:
            text(root / label.format(n=stem), line + "\n" if i % 2 else "")
    text(root / "data.yaml", "path: .\nnames: [pit, crack]\n")


def voc_xml(name: str, body: str, size: tuple[int, int] = (H, W)) -> str:
    """One file of Pascal VOC."""
    return (
        f"<annotation><filename>{escape(name)}</filename><size><width>{size[1]}</width><height>{size[0]}</height>"
        f"<depth>1</depth></size>{body}</annotation>"
    )


VOC_BOX = (
    "<object><name>crack</name><bndbox>"
    "<xmin>11</xmin><ymin>9</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object>"
)
VOC_POLYGON = (
    "<object><name>crack</name><polygon>"
    + "".join(
        f"<{'yx'[j % 2 == 0]}{j // 2 + 1}>{v}</{'yx'[j % 2 == 0]}{j // 2 + 1}>" for j, v in enumerate(POLYGON)
    )
    + "</polygon><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
)


def voc(
    root: Path, body: str = VOC_BOX, image: str = "JPEGImages/{n}.png", size: tuple[int, int] = (H, W)
) -> None:
    """A Pascal VOC folder."""
    for i, name in enumerate(pictures(root, image)):
        file = f"{Path(name).stem}.png"
        text(root / f"Annotations/{Path(name).stem}.xml", voc_xml(file, body if i % 2 else "", size))


def split_lists(root: Path, folder: str, train: Sequence[str], test: Sequence[str]) -> None:
    """Lists of the images of two parts, one a line."""
    for part, names in (("train", train), ("test", test), ("trainval", train)):
        text(root / f"{folder}{part}.txt", "".join(f"{name}\n" for name in names))


def labelme_document(name: str, shapes: Sequence[dict[str, object]], **extra: object) -> str:
    """One file of labelme."""
    document = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": name, "imageData": None}
    return json.dumps({**document, "imageHeight": H, "imageWidth": W, **extra})


def points(flat: Sequence[float]) -> list[list[float]]:
    """x, y pairs."""
    return [[flat[i], flat[i + 1]] for i in range(0, len(flat), 2)]


def labelme(
    root: Path, shape: dict[str, object] | None = None, beside: bool = True, separator: str = "/"
) -> None:
    """A labelme folder."""
    shape = shape or {"label": "crack", "points": points(POLYGON), "shape_type": "polygon"}
    for i, name in enumerate(pictures(root)):
        stem = Path(name).stem
        file = root / ("images" if beside else "json") / f"{stem}.json"
        path = f"{stem}.png" if beside else f"..{separator}images{separator}{stem}.png"
        text(file, labelme_document(path, [shape] if i % 2 else []))


def png_text(mask: np.ndarray) -> str:
    """A mask as a base64 PNG."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


CVAT_POLYGON = '<polygon label="crack" points="' + ";".join(f"{x},{y}" for x, y in points(POLYGON)) + '"/>'


def cvat(root: Path, body: str = CVAT_POLYGON, subset: str = "", head: str = "") -> None:
    """A folder of CVAT for images."""
    images = "".join(
        f'<image id="{i}" name="{Path(name).name}" width="{W}" height="{H}"'
        + (f' subset="{subset}"' if subset else "")
        + f">{body if i % 2 else ''}</image>"
        for i, name in enumerate(pictures(root))
    )
    listed = "".join(f"<label><name>{name}</name></label>" for name in ("pit", "crack"))
    meta = f"<meta><task><labels>{listed}</labels></task></meta>"
    text(
        root / "annotations.xml",
        f'<?xml version="1.0"?>{head}<annotations><version>1.1</version>{meta}{images}</annotations>',
    )


def studio_region(kind: str, value: dict[str, object], size: tuple[int, int] = (H, W)) -> dict[str, object]:
    """One region of Label Studio."""
    return {
        "type": kind,
        "original_height": size[0],
        "original_width": size[1],
        "value": {**value, kind: ["crack"]},
    }


STUDIO_POLYGON = studio_region(
    "polygonlabels", {"points": [[100 * x / W, 100 * y / H] for x, y in points(POLYGON)]}
)


def studio(
    root: Path, region: dict[str, object] = STUDIO_POLYGON, path: str = "/data/upload/1/0a1b2c3d-{n}"
) -> None:
    """A folder with Label Studio's JSON."""
    tasks = []
    for i, name in enumerate(pictures(root)):
        result = [region] if i % 2 else []
        tasks.append(
            {
                "id": i,
                "data": {"image": path.format(n=Path(name).name)},
                "annotations": [{"was_cancelled": True, "result": []}, {"result": result}],
            }
        )
    text(root / "project-1.json", json.dumps(tasks))


ANNOTATED = {"types": ("crack",), "clean": "none", "sheets": 4, "defect_free": 2, "masked": 2}
