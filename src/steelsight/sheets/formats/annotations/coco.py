"""COCO: one JSON file a part, with images, categories and annotations of polygons, run lengths or boxes.

A listed image without annotations is defect-free; an image that no file lists is set aside.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from steelsight.errors import BadAnnotation, BadData
from steelsight.sheets.formats.annotations.build import build_sheets, part_in, resolve_image, sheet_images
from steelsight.sheets.formats.annotations.documents import json_keys, read_json, sample_of
from steelsight.sheets.formats.annotations.model import Annotations, ImageNotes, Shape
from steelsight.sheets.formats.data_folder import DataFolder
from steelsight.sheets.formats.image_names import ImageNames
from steelsight.sheets.formats.shapes import decode_coco_text, fill_box, fill_polygon, fill_runs
from steelsight.types import Mask, SheetSet

__all__ = ["is_coco", "read_coco"]

Size = tuple[int, int]


def _is_document(value: Any) -> bool:
    return isinstance(value, dict) and {"images", "annotations"} <= set(value)


def _files(folder: DataFolder) -> list[str]:
    return [name for name in folder.listing.others if name.lower().endswith(".json")]


def is_coco(folder: DataFolder) -> bool:
    """Whether a JSON file of a folder has images and annotations."""
    wanted = {"images", "annotations"}
    return any(wanted <= json_keys(folder.root / name) for name in sample_of(_files(folder)))


def read_coco(folder: DataFolder) -> SheetSet:
    """The sheets of a folder with COCO files; raises BadData where none can be read."""
    images = sheet_images(folder)
    names = ImageNames(images)
    found = Annotations()
    for file in _files(folder):
        try:
            document = read_json(folder.root / file)
        except BadData as error:
            found.reject(file, str(error))
            found.unread.append(file)
            found.used.add(file)
            continue
        if _is_document(document):
            found.used.add(file)
            _read_file(file, document, names, found)
    return build_sheets(folder, "coco", found, images)


def _read_file(file: str, document: dict[str, Any], names: ImageNames, found: Annotations) -> None:
    categories = _categories(file, document)
    found.labels += categories.values()
    listed = _read_images(file, document, names, found)
    for number, row in enumerate(_rows(file, document, "annotations")):
        where = f"{file}: annotation {row.get('id', number)}"
        image = row.get("image_id")
        if _key(image) not in listed:
            reason = f"{where}: image_id {image!r} is not among images; correct it"
            found.reject(file, reason, names.near(str(image)))
            continue
        for notes in listed[_key(image)]:
            _add_annotation(row, categories, notes, where)


def _read_images(
    file: str, document: dict[str, Any], names: ImageNames, found: Annotations
) -> dict[str, list[ImageNotes]]:
    """The listed images by id; none where the image is missing, several at fault where they share an id."""
    part, near = part_in(file), file.rpartition("/")[0]
    listed: dict[str, list[ImageNotes]] = {}
    for row in _rows(file, document, "images"):
        name, key = str(row.get("file_name", "")), _key(row.get("id"))
        where = f"{file}: {name or 'an image without file_name'}"
        sharing = listed.setdefault(key, [])
        fits = resolve_image(names, name, near=near, part=part)
        if len(fits) != 1:
            what = f"fits {' and '.join(fits[:3])}" if fits else "there is no such image"
            found.reject(name or file, f"{where}: {what}; correct file_name", fits or names.near(name))
            continue
        known = fits[0] in found.images
        notes = found.notes(fits[0], where)
        if known and notes.part != part:
            notes.faults.append(
                f"{where}: listed in the parts {notes.part or 'none'} and {part or 'none'}; keep one"
            )
        notes.part = part
        height, width = row.get("height"), row.get("width")
        if isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0:
            notes.size = (height, width)
        if all(notes is not other for other in sharing):
            sharing.append(notes)
        if not key or len(sharing) > 1:
            what = f"several images have the id {row.get('id')!r}" if key else "it has no id"
            for each in sharing:
                each.faults.append(f"{where}: {what}, so its annotations cannot be told; correct the id")
    return listed


def _key(value: Any) -> str:
    """An id as text: some tools write 7, others "7" or 7.0; "" where there is none."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _rows(file: str, document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = document[key]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadData(
            f"{file}: expected {key!r} to be a list of objects, found something else; export it again"
        )
    return rows


def _categories(file: str, document: dict[str, Any]) -> dict[str, str]:
    rows = _rows(file, {"categories": [], **document}, "categories")
    try:
        ordered = sorted(rows, key=lambda row: row["id"])
        pairs = [(_key(row["id"]), str(row["name"])) for row in ordered]
    except (KeyError, TypeError) as error:
        raise BadData(
            f"{file}: expected categories with id and name, found {error}; export it again"
        ) from error
    categories = dict(pairs)
    twice = next(((key, name) for key, name in pairs if categories[key] != name), None)
    if twice:
        raise BadData(
            f"{file}: category id {twice[0]} is both {twice[1]} and {categories[twice[0]]}; give each its own"
        )
    return categories


def _add_annotation(row: dict[str, Any], categories: dict[str, str], notes: ImageNotes, where: str) -> None:
    label = categories.get(_key(row.get("category_id")))
    if label is None:
        notes.faults.append(
            f"{where}: category_id {row.get('category_id')!r} is not among categories; correct it"
        )
        return
    segmentation, box = row.get("segmentation"), row.get("bbox")
    if isinstance(segmentation, list) and segmentation:
        notes.shapes.append(Shape(label, "polygon", partial(_draw_polygons, segmentation)))
    elif isinstance(segmentation, dict):
        notes.shapes.append(Shape(label, "mask", partial(_draw_runs, segmentation)))
    elif isinstance(box, list) and box:
        notes.shapes.append(Shape(label, "box", partial(_draw_box, box)))
    else:
        notes.shapes.append(Shape(label, "label"))


def _draw_polygons(polygons: list[Any], size: Size, where: str) -> Mask:
    mask: Mask = np.zeros(size, dtype=bool)
    for corners in polygons if isinstance(polygons[0], list) else [polygons]:
        mask |= fill_polygon(_numbers(corners, where), size, where=where)
    return mask


def _draw_box(box: list[Any], size: Size, where: str) -> Mask:
    numbers = _numbers(box, where)
    if len(numbers) != 4:
        raise BadAnnotation(f"{where}: expected bbox of x, y, width, height, found {len(numbers)} numbers")
    left, top, width, height = numbers
    return fill_box(left, top, width, height, size, where=where)


def _draw_runs(runs: dict[str, Any], size: Size, where: str) -> Mask:
    counts, stated = runs.get("counts"), runs.get("size")
    if stated is not None and stated != list(size):
        raise BadAnnotation(f"{where}: run lengths of an image of {stated}, the image has {list(size)}")
    if isinstance(counts, str):
        return fill_runs(decode_coco_text(counts, where=where), size, where=where)
    if not isinstance(counts, list) or not all(isinstance(count, int) for count in counts):
        raise BadAnnotation(f"{where}: expected run lengths as text or whole numbers; export them again")
    return fill_runs(counts, size, where=where)


def _numbers(values: Any, where: str) -> list[float]:
    if not isinstance(values, list) or not all(isinstance(v, int | float) and abs(v) < 1e9 for v in values):
        raise BadAnnotation(
            f"{where}: expected coordinates as numbers, found {values!r:.60}; export them again"
        )
    return [float(value) for value in values]
