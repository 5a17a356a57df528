"""Masks of every annotation format equal an independent reader's to the pixel, or what is drawn by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_tools
from pycocotools.coco import COCO

from steelsight.sheets.catalog import DataOptions, check_images, open_data, read_mask
from steelsight.types import SheetSet

# pycocotools returns arrays that warn of NumPy 2 when they are read.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SIZE = (48, 64)


BRUSH = (  # Label Studio's own packing of `brush_mask()`
    [
        0,
        0,
        0,
        216,
        57,
        27,
        254,
        43,
        0,
        183,
        255,
        133,
        192,
        45,
        255,
        225,
        112,
        11,
        127,
        248,
        172,
        2,
        63,
        252,
        78,
        0,
    ]
)


def brush_mask() -> np.ndarray:
    """The mask that BRUSH holds, of 6x9 pixels."""
    mask = np.zeros((6, 9), dtype=np.uint8)
    mask[1:4, 2:5] = 255
    mask[4, 7] = 255
    return mask


def drawn(*polygons: tuple[float, ...]) -> np.ndarray:
    """The union of polygons as pycocotools draws them."""
    runs = coco_tools.frPyObjects([list(polygon) for polygon in polygons], *SIZE)
    return coco_tools.decode(coco_tools.merge(runs)).astype(bool)


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return drawn((left, top, left, bottom, right, bottom, right, top))


def check(root: Path, expected: np.ndarray, *, masks: str | None = None) -> SheetSet:
    """The odd sheets have the mask, the others none."""
    sheets = check_images(open_data(root, options=DataOptions(masks=masks)))
    assert [item.path.stem for item in sheets.items] == ["p0", "p1", "p2", "p3"]
    for item in sheets.items:
        if int(item.path.stem[1]) % 2:
            assert sheets.type_names == ("none", "crack")
            assert list(read_mask(item)) == [1]
            assert np.array_equal(read_mask(item)[1], expected)
        else:
            assert (item.types, read_mask(item)) == ((), {})
    return sheets


def test_coco_polygons(inputs: Any, tmp_path: Path) -> None:
    inputs.coco(tmp_path)
    check(tmp_path, drawn(inputs.POLYGON, inputs.SECOND))


@pytest.mark.parametrize("compressed", [False, True])
def test_coco_run_lengths(compressed: bool, inputs: Any, tmp_path: Path, rng: np.random.Generator) -> None:
    mask = rng.random(SIZE) < 0.3
    encoded = coco_tools.encode(np.asfortranarray(mask.astype(np.uint8)))
    counts = encoded["counts"].decode() if compressed else inputs.coco_runs(mask)
    inputs.coco(tmp_path, segmentation={"counts": counts, "size": list(SIZE)})
    check(tmp_path, mask)
    document = json.loads((tmp_path / "annotations/instances.json").read_text())
    api = COCO()
    api.dataset = document
    api.createIndex()
    assert np.array_equal(api.annToMask(document["annotations"][0]).astype(bool), mask)


def test_coco_boxes_are_masks_only_on_request(inputs: Any, tmp_path: Path) -> None:
    inputs.coco(tmp_path, segmentation=False)
    assert all(item.evidence == "class" for item in open_data(tmp_path).items if item.types)
    check(tmp_path, box(10, 8, 30, 20), masks="boxes")


def test_yolo(inputs: Any, tmp_path: Path) -> None:
    inputs.yolo(tmp_path / "polygons")
    sheets = check(tmp_path / "polygons", drawn(inputs.POLYGON))
    assert dict(sheets.counts)["images without an annotation, defect-free"] == 1
    inputs.yolo(tmp_path / "boxes", boxes=True)
    width, height = 0.3 * SIZE[1], 0.4 * SIZE[0]
    left, top = 0.4 * SIZE[1] - width / 2, 0.5 * SIZE[0] - height / 2
    check(tmp_path / "boxes", box(left, top, left + width, top + height), masks="boxes")


def test_voc(inputs: Any, tmp_path: Path) -> None:
    inputs.voc(tmp_path / "boxes")
    expected = np.zeros(SIZE, dtype=bool)
    expected[8:20, 10:30] = True  # xmin 11 to xmax 30, counted from 1, both inside
    check(tmp_path / "boxes", expected, masks="boxes")
    inputs.voc(tmp_path / "polygons", inputs.VOC_POLYGON)
    check(tmp_path / "polygons", drawn(inputs.POLYGON))


def test_labelme(inputs: Any, tmp_path: Path) -> None:
    inputs.labelme(tmp_path / "polygon")
    check(tmp_path / "polygon", drawn(inputs.POLYGON))
    mask = np.zeros(SIZE, dtype=bool)
    mask[5:20, 7:30] = np.indices((15, 23)).sum(axis=0) % 3 == 0
    shape = {"label": "crack", "shape_type": "mask", "points": [[7, 5], [29, 19]]}
    inputs.labelme(tmp_path / "mask", {**shape, "mask": inputs.png_text(mask[5:20, 7:30])})
    check(tmp_path / "mask", mask)
    inputs.labelme(
        tmp_path / "box", {"label": "crack", "shape_type": "rectangle", "points": [[30, 9], [7, 21]]}
    )
    check(tmp_path / "box", box(7, 9, 30, 21), masks="boxes")


def test_a_circle_covers_the_pixels_whose_centres_it_covers(inputs: Any, tmp_path: Path) -> None:
    shape = {"label": "crack", "shape_type": "circle", "points": [[20, 22], [28, 22]]}
    inputs.labelme(tmp_path, shape)
    expected = np.zeros(SIZE, dtype=bool)
    for y in range(SIZE[0]):
        for x in range(SIZE[1]):
            expected[y, x] = (x + 0.5 - 20) ** 2 + (y + 0.5 - 22) ** 2 <= 64
    check(tmp_path, expected)


def test_cvat(inputs: Any, tmp_path: Path) -> None:
    inputs.cvat(tmp_path / "polygon")
    check(tmp_path / "polygon", drawn(inputs.POLYGON))
    inputs.cvat(tmp_path / "box", '<box label="crack" xtl="10.5" ytl="9" xbr="31" ybr="20.25"/>')
    check(tmp_path / "box", box(10.5, 9, 31, 20.25), masks="boxes")
    inputs.cvat(
        tmp_path / "mask", '<mask label="crack" rle="3,2,1,6" left="5" top="6" width="4" height="3"/>'
    )
    expected = np.zeros(SIZE, dtype=bool)
    expected[6:9, 5:9] = [[0, 0, 0, 1], [1, 0, 1, 1], [1, 1, 1, 1]]
    check(tmp_path / "mask", expected)


def test_a_box_turned_by_a_quarter(inputs: Any, tmp_path: Path) -> None:
    inputs.cvat(tmp_path / "cvat", '<box label="crack" xtl="10" ytl="10" xbr="30" ybr="20" rotation="90"/>')
    check(tmp_path / "cvat", box(15, 5, 25, 25), masks="boxes")
    region = {"x": 50.0, "y": 25.0, "width": 25.0, "height": 12.5, "rotation": 90}
    inputs.studio(tmp_path / "studio", inputs.studio_region("rectanglelabels", region))
    check(tmp_path / "studio", box(32 - 6, 12, 32, 12 + 16), masks="boxes")  # about its upper left corner


def test_label_studio(inputs: Any, tmp_path: Path) -> None:
    inputs.studio(tmp_path)
    check(tmp_path, drawn(inputs.POLYGON))


def test_a_brush_mask_as_label_studio_packs_it(inputs: Any, tmp_path: Path) -> None:
    region = inputs.studio_region("brushlabels", {"format": "rle", "rle": BRUSH}, (6, 9))
    inputs.studio(tmp_path, region)
    for i in range(4):
        inputs.save(tmp_path / f"images/p{i}.png", inputs.photo(i, 6, 9))
    sheets = check_images(open_data(tmp_path))
    assert not sheets.rejections
    for item in sheets.items:
        if item.types:
            assert np.array_equal(read_mask(item)[1], brush_mask() > 0)
