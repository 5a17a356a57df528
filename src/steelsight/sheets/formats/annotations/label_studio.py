"""Label Studio: a JSON list of tasks with rectangles, polygons, ellipses, brush masks and choices.

Of several annotations of a task the ground truth counts, else the last that was not cancelled. A task whose
annotation is empty makes its image defect-free; a task nobody annotated is set aside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from steelsight.errors import BadAnnotation, BadData
from steelsight.sheets.formats.annotations.brush import decode_brush
from steelsight.sheets.formats.annotations.build import build_sheets, resolve_image, sheet_images
from steelsight.sheets.formats.annotations.documents import json_keys, read_json, sample_of
from steelsight.sheets.formats.annotations.model import Annotations, ImageNotes, Shape
from steelsight.sheets.formats.data_folder import DataFolder
from steelsight.sheets.formats.image_names import ImageNames
from steelsight.sheets.formats.shapes import fill_ellipse, fill_polygon
from steelsight.types import Mask, Rejection, SheetSet

__all__ = ["is_label_studio", "read_label_studio"]

_UPLOAD: Final = re.compile(r"^[0-9a-f]{8}-")  # put before the name of an uploaded file
_LABELS: Final = re.compile(r"[a-z]*labels|choices|taxonomy")
_SHAPES: Final = re.compile(r"(rectangle|polygon|ellipse|brush|keypoint|bitmask|vector)(labels)?")
_SHORT: Final = frozenset({"annotation_id", "annotator", "lead_time"})  # keys of JSON-MIN

Size = tuple[int, int]


def _files(folder: DataFolder) -> list[str]:
    return [name for name in folder.listing.others if name.lower().endswith(".json")]


def _are_tasks(keys: Collection[str]) -> bool:
    """Whether these are the keys of a list's first task, in the long form or the short one."""
    full = "data" in keys and bool({"annotations", "completions"} & set(keys))
    return "[]" in keys and (full or bool(_SHORT & set(keys)))


def is_label_studio(folder: DataFolder) -> bool:
    """Whether a JSON file of a folder is a list of tasks."""
    return any(_are_tasks(json_keys(folder.root / name)) for name in sample_of(_files(folder)))


def read_label_studio(folder: DataFolder) -> SheetSet:
    """The sheets of a folder with Label Studio's files; raises BadData for its short form, JSON-MIN."""
    images = sheet_images(folder)
    names = ImageNames(images)
    found = Annotations()
    for file in _files(folder):
        if not _are_tasks(json_keys(folder.root / file)):
            continue
        document = read_json(folder.root / file)
        if "data" not in document[0]:
            raise BadData(f"{file}: Label Studio's short form JSON-MIN; export the project as JSON")
        found.used.add(file)
        for task in document:
            _read_task(task, file, names, found)
    found.labels = sorted({shape.label for notes in found.images.values() for shape in notes.shapes})
    return build_sheets(folder, "labelstudio", found, images)


def _read_task(task: Any, file: str, names: ImageNames, found: Annotations) -> None:
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        found.rejections.append(
            Rejection(file, "expected tasks with data, found something else; export it again")
        )
        return
    paths = [value for value in task["data"].values() if isinstance(value, str)]
    fits = next((fits for fits in (_find(names, path) for path in paths) if fits), ())
    where = f"{file}: task {task.get('id', '?')}"
    if len(fits) != 1:
        near = [image for path in paths for image in names.near(unquote(path).rpartition("/")[2])]
        what = (
            f"fits {' and '.join(fits[:3])}"
            if fits
            else f"{paths[0] if paths else 'no path'} is no image here"
        )
        found.reject(file, f"{where}: {what}; put the images beside the export", fits or near)
        return
    annotation = _chosen(task)
    if annotation is None:
        found.notes(fits[0], where).faults.append(
            f"{where}: nobody annotated it; submit it, empty if defect-free"
        )
        return
    notes = found.notes(fits[0], where)
    rows = annotation.get("result") or []
    if not isinstance(rows, list):
        notes.faults.append(f"{where}: expected result as a list; export it again")
        return
    notes.faults += _unlabelled(rows, where)
    for number, row in enumerate(rows, start=1):
        try:
            _read_result(row, f"{where}, region {number}", notes)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if isinstance(error, BadAnnotation):
                notes.faults.append(str(error))
            else:
                notes.faults.append(
                    f"{where}, region {number}: {error!r:.80} is missing or wrong; export it again"
                )


def _find(names: ImageNames, path: str) -> tuple[str, ...]:
    parts = urlsplit(path)
    local = parse_qs(parts.query).get("d", [""])[0]  # /data/local-files/?d=path
    text = unquote(local or parts.path)
    name = text.rpartition("/")[2]
    return resolve_image(names, text) or names.find(name) or names.find(_UPLOAD.sub("", name))


def _chosen(task: dict[str, Any]) -> dict[str, Any] | None:
    made = task.get("annotations") or task.get("completions") or []
    valid = [each for each in made if isinstance(each, dict) and not each.get("was_cancelled")]
    truths = [each for each in valid if each.get("ground_truth")]
    chosen = truths or valid
    return chosen[-1] if chosen else None


def _value(row: dict[str, Any]) -> dict[str, Any]:
    value = row.get("value")
    return value if isinstance(value, dict) else {}


def _label_key(row: dict[str, Any]) -> str | None:
    """The key of a region's value that lists its labels."""
    return next((name for name in _value(row) if _LABELS.fullmatch(name)), None)


def _has_label(row: dict[str, Any]) -> bool:
    key = _label_key(row)
    return key is not None and bool(_value(row)[key])


def _unlabelled(rows: Sequence[Any], where: str) -> list[str]:
    """A fault for each shape without a label, unless another region of its id has one."""
    regions = [row for row in rows if isinstance(row, dict)]
    labelled = {str(row["id"]) for row in regions if _has_label(row) and "id" in row}
    return [
        f"{where}: a {row['type']} without a label; label it or delete it"
        for row in regions
        if _SHAPES.fullmatch(str(row.get("type", "")))
        and not _has_label(row)
        and str(row.get("id", "")) not in labelled
    ]


def _read_result(row: dict[str, Any], where: str, notes: ImageNotes) -> None:
    value, kind = _value(row), str(row.get("type", ""))
    key = _label_key(row)
    if key is None:
        return  # a relation, a rating, or a shape whose labels are in another region of the same id
    if row.get("image_rotation"):
        raise BadAnnotation(
            f"{where}: drawn on an image turned by {row['image_rotation']!r:.20}; turn it back"
        )
    if "original_width" in row and "original_height" in row and kind != "choices":
        notes.size = (int(row["original_height"]), int(row["original_width"]))
    if not isinstance(value[key], list):
        raise BadAnnotation(f"{where}: expected {key} as a list; export it again")
    for label in value[key]:
        name = " / ".join(map(str, label)) if isinstance(label, list) else str(label)  # a path of a taxonomy
        notes.shapes.append(_shape(kind, value, name, where))


def _shape(kind: str, value: dict[str, Any], label: str, where: str) -> Shape:
    if kind.startswith("rectangle"):
        box = [float(value[name]) for name in ("x", "y", "width", "height")]
        return Shape(label, "box", partial(_draw_box, box, float(value.get("rotation") or 0)))
    if kind.startswith("polygon"):
        points = [(float(x), float(y)) for x, y in value["points"]]
        return Shape(label, "polygon", partial(_draw_polygon, points))
    if kind.startswith("ellipse"):
        ellipse = [float(value[name]) for name in ("x", "y", "radiusX", "radiusY")]
        return Shape(label, "ellipse", partial(_draw_ellipse, ellipse, float(value.get("rotation") or 0)))
    if kind.startswith("brush"):
        if value.get("format") != "rle":
            raise BadAnnotation(
                f"{where}: expected a brush mask of format rle, found {value.get('format')!r}"
            )
        return Shape(label, "mask", partial(_draw_brush, value["rle"]))
    return Shape(label, "label" if kind in {"choices", "taxonomy"} else "line or point")


def _draw_polygon(points: list[tuple[float, float]], size: Size, where: str) -> Mask:
    """Coordinates are in hundredths of width and height."""
    height, width = size
    return fill_polygon(
        [v for x, y in points for v in (x * width / 100, y * height / 100)], size, where=where
    )


def _draw_box(box: list[float], turn: float, size: Size, where: str) -> Mask:
    """Boxes are turned clockwise about their upper left corner."""
    height, width = size
    left, top = box[0] * width / 100, box[1] * height / 100
    right, down = box[2] * width / 100, box[3] * height / 100
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    offsets = [(0.0, 0.0), (0.0, down), (right, down), (right, 0.0)]
    corners = [v for x, y in offsets for v in (left + x * c - y * s, top + x * s + y * c)]
    return fill_polygon(corners, size, where=where)


def _draw_ellipse(ellipse: list[float], turn: float, size: Size, where: str) -> Mask:
    height, width = size
    x, y, rx, ry = ellipse
    centre, radii = (x * width / 100, y * height / 100), (rx * width / 100, ry * height / 100)
    return fill_ellipse(centre, radii, turn, size, where=where)


def _draw_brush(rle: Any, size: Size, where: str) -> Mask:
    """A mask is drawn where its alpha channel is not 0."""
    if not isinstance(rle, list) or not all(isinstance(byte, int) and 0 <= byte < 256 for byte in rle):
        raise BadAnnotation(f"{where}: expected a brush mask as bytes; export it again")
    pixels = decode_brush(bytes(rle), size[0] * size[1] * 4, where=where).reshape(*size, 4)
    mask: Mask = np.asarray(pixels[..., 3] > 0)
    return mask
