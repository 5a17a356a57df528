"""labelme: one JSON file an image, beside it or in another folder, with polygons, boxes, circles or masks.

A file without shapes makes its image defect-free; an image without a file is set aside.
"""

from __future__ import annotations

import base64
import binascii
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from steelsight.errors import BadAnnotation, BadData, BadImage
from steelsight.sheets.formats.annotations.build import build_sheets, resolve_image, sheet_images
from steelsight.sheets.formats.annotations.documents import json_keys, read_json, sample_of
from steelsight.sheets.formats.annotations.model import Annotations, Draw, ImageNotes, Shape, ShapeKind
from steelsight.sheets.formats.data_folder import DataFolder
from steelsight.sheets.formats.image_names import ImageNames
from steelsight.sheets.formats.mask_folders import match_folder
from steelsight.sheets.formats.shapes import fill_box, fill_ellipse, fill_polygon
from steelsight.sheets.mask_values import marked_pixels, read_values
from steelsight.types import Mask, SheetSet

__all__ = ["is_labelme", "read_labelme"]

Size = tuple[int, int]
Points = list[list[float]]


def _files(folder: DataFolder) -> list[str]:
    return [name for name in folder.listing.others if name.lower().endswith(".json")]


def _is_document(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("shapes"), list) and "imagePath" in value


def is_labelme(folder: DataFolder) -> bool:
    """Whether JSON files of a folder have shapes and the path of an image."""
    wanted = {"shapes", "imagePath"}
    return any(wanted <= json_keys(folder.root / name) for name in sample_of(_files(folder)))


def read_labelme(folder: DataFolder) -> SheetSet:
    """The sheets of a folder with labelme's files."""
    images = sheet_images(folder)
    names = ImageNames(images)
    found = Annotations()
    files = _files(folder)
    image_of = {file: image for image, file in match_folder(files, images).pairs}
    labels: set[str] = set()
    for file in files:
        try:
            document = read_json(folder.root / file)
        except BadData as error:
            found.used.add(file)
            found.reject(file, str(error), _named_after(file, image_of, names))
            continue
        if not _is_document(document):
            continue
        found.used.add(file)
        path = str(document["imagePath"])
        fits = resolve_image(names, path, near=file.rpartition("/")[0])
        image = fits[0] if len(fits) == 1 else image_of.get(file)
        if image is None:
            what = f"fits {' and '.join(fits[:3])}" if fits else "is no image here"
            reason = f"imagePath {path!r} {what}; add the image or correct the path"
            found.reject(file, reason, fits or names.near(path) or _named_after(file, image_of, names))
            continue
        labels |= _read_document(document, file, found.notes(image, file))
    found.labels += sorted(labels)
    return build_sheets(folder, "labelme", found, images)


def _named_after(file: str, image_of: dict[str, str], names: ImageNames) -> tuple[str, ...]:
    """The images that a file's own name means."""
    return (image_of[file],) if file in image_of else names.find(PurePosixPath(file).stem)


def _read_document(document: dict[str, Any], file: str, notes: ImageNotes) -> set[str]:
    height, width = document.get("imageHeight"), document.get("imageWidth")
    if isinstance(height, int) and isinstance(width, int):
        notes.size = (height, width)
    flags = document.get("flags")
    labels = {str(name) for name, on in flags.items() if on is True} if isinstance(flags, dict) else set()
    notes.shapes += [Shape(label, "label") for label in sorted(labels)]
    for number, row in enumerate(document["shapes"], start=1):
        where = f"{file} shape {number}"
        try:
            shape = _shape(row, where)
        except BadAnnotation as error:
            notes.faults.append(str(error))
            continue
        labels.add(shape.label)
        notes.shapes.append(shape)
    return labels


def _shape(row: Any, where: str) -> Shape:
    if not isinstance(row, dict) or not str(row.get("label") or "").strip():
        raise BadAnnotation(f"{where}: expected a shape with a label; name it")
    label, kind = str(row["label"]).strip(), row.get("shape_type") or "polygon"
    points = row.get("points")
    if not isinstance(points, list) or not all(map(_is_point, points)):
        raise BadAnnotation(f"{where}: expected points of x and y, found {points!r:.60}; draw it again")
    points = [[float(v) for v in point] for point in points]
    draws: dict[str, tuple[ShapeKind, Draw]] = {
        "polygon": ("polygon", partial(_draw_polygon, points)),
        "rectangle": ("box", partial(_draw_box, points)),
        "circle": ("ellipse", partial(_draw_circle, points)),
        "mask": ("mask", partial(_draw_mask, points, row.get("mask"))),
    }
    return Shape(label, *draws[kind]) if kind in draws else Shape(label, "line or point")


def _is_point(value: Any) -> bool:
    numbers = isinstance(value, list) and len(value) == 2
    return numbers and all(isinstance(v, int | float) and abs(v) < 1e9 for v in value)


def _need(points: Points, count: int, where: str) -> None:
    if len(points) != count:
        raise BadAnnotation(f"{where}: expected {count} points, found {len(points)}; draw it again")


def _draw_polygon(points: Points, size: Size, where: str) -> Mask:
    return fill_polygon([v for point in points for v in point], size, where=where)


def _draw_box(points: Points, size: Size, where: str) -> Mask:
    _need(points, 2, where)
    (x0, y0), (x1, y1) = points
    return fill_box(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0), size, where=where)


def _draw_circle(points: Points, size: Size, where: str) -> Mask:
    _need(points, 2, where)
    (x, y), (edge_x, edge_y) = points
    radius = float(np.hypot(edge_x - x, edge_y - y))
    return fill_ellipse((x, y), (radius, radius), 0.0, size, where=where)


def _draw_mask(points: Points, text: Any, size: Size, where: str) -> Mask:
    _need(points, 2, where)
    try:
        part = marked_pixels(read_values(base64.b64decode(text, validate=True)))
    except (binascii.Error, TypeError, ValueError, BadImage) as error:
        raise BadAnnotation(
            f"{where}: expected a mask as a base64 PNG, found {error!s:.80}; draw it again"
        ) from error
    left, top = round(min(p[0] for p in points)), round(min(p[1] for p in points))
    mask: Mask = np.zeros(size, dtype=bool)
    if left < 0 or top < 0 or top + part.shape[0] > size[0] or left + part.shape[1] > size[1]:
        raise BadAnnotation(
            f"{where}: a mask of {part.shape[1]}x{part.shape[0]} at {left}, {top} leaves the image"
        )
    mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    return mask
