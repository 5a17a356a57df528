"""YOLO: one text file an image, a class number and a box or polygon a line, in shares of width and height.

    images/train/a.jpg, labels/train/a.txt     or train/images, train/labels, or both files in one folder
    data.yaml (names), classes.txt or obj.names name the classes

As the format has it, an image without a text file is defect-free, unless no image of its folder has one or a
text file fits no image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final

from steelsight.errors import BadData
from steelsight.sheets.formats.annotations.build import build_sheets, sheet_images
from steelsight.sheets.formats.annotations.documents import read_text, read_yaml, sample_of
from steelsight.sheets.formats.annotations.model import Annotations, ImageNotes, Shape
from steelsight.sheets.formats.data_folder import DataFolder
from steelsight.sheets.formats.mask_folders import match_folder
from steelsight.sheets.formats.shapes import fill_box, fill_polygon
from steelsight.sheets.images.image_file import IMAGE_SUFFIXES
from steelsight.types import Mask, SheetSet

__all__ = ["is_yolo", "read_yolo"]

_NAME_FILES: Final = ("classes.txt", "obj.names", "predefined_classes.txt")
_LONGEST: Final = 2**24  # bytes of one label file
_SLACK: Final = 0.01  # rounding may push a corner a little outside the image

Size = tuple[int, int]


def _label_files(folder: DataFolder) -> list[str]:
    """Text files named as images, `a.txt` or `a.jpg.txt`."""
    names = {PurePosixPath(id_).stem.casefold() for id_ in folder.listing.images}
    names |= {PurePosixPath(id_).name.casefold() for id_ in folder.listing.images}
    return [
        name
        for name in folder.listing.others
        if name.lower().endswith(".txt") and PurePosixPath(name).stem.casefold() in names
    ]


def _stray_labels(folder: DataFolder, files: Sequence[str]) -> list[str]:
    """Text files beside the label files that hold lines of labels and are named as no image."""
    folders = {name.rpartition("/")[0] for name in files}
    return [
        name
        for name in folder.listing.others
        if name.lower().endswith(".txt")
        and name.rpartition("/")[0] in folders
        and name not in files
        and PurePosixPath(name).name.lower() not in _NAME_FILES
        and _is_label_file(folder, name, empty=False)
    ]


def _lists(folder: DataFolder, files: Sequence[str]) -> list[str]:
    """Darknet's files beside the labels: obj.data, and lists of images such as train.txt."""
    return [
        name
        for name in folder.listing.others
        if name.lower().endswith(".data")
        or (name.lower().endswith(".txt") and name not in files and _is_list(folder, name))
    ]


def _is_list(folder: DataFolder, name: str) -> bool:
    try:
        lines = read_text(folder.root / name, most=_LONGEST).split("\n")[:5]
    except BadData:
        return False
    paths = [line.strip() for line in lines if line.strip()]
    return bool(paths) and all(PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES for path in paths)


def is_yolo(folder: DataFolder) -> bool:
    """Whether text files named as images hold YOLO's lines."""
    sample = list(sample_of(_label_files(folder)))
    return sum(_is_label_file(folder, name) for name in sample) > len(sample) / 2


def _is_label_file(folder: DataFolder, name: str, *, empty: bool = True) -> bool:
    try:
        text = read_text(folder.root / name, most=_LONGEST)
    except BadData:
        return False
    lines = [line for line in text.splitlines()[:5] if line.strip()]
    return all(_parse(line) is not None for line in lines) and (empty or bool(lines))


def read_yolo(folder: DataFolder) -> SheetSet:
    """The sheets of a folder with YOLO's label files; raises BadData for damaged class names."""
    images = sheet_images(folder)
    found = Annotations()
    classes = _class_names(folder, found)
    files = _label_files(folder)
    found.used.update(_lists(folder, files))
    matched = match_folder(files, images)
    for message, fits in zip(matched.unclear, matched.candidates, strict=True):
        found.reject("labels", message, fits)
    strays = [*matched.orphans, *_stray_labels(folder, files)]
    for name in strays:
        found.reject(name, "a label file without its image; add the image or remove the file")
    found.used.update([*files, *strays])
    numbers = set()
    for image, file in matched.pairs:
        notes = found.notes(image, file)
        try:
            text = read_text(folder.root / file, most=_LONGEST)
        except BadData as error:
            notes.faults.append(str(error))
            continue
        numbers |= _read_lines(text, file, classes, notes)
    found.labels += [_label(number, classes) for number in sorted(numbers)]
    labelled = {image.rpartition("/")[0] for image, _ in matched.pairs}
    if not strays:  # else one of them may belong to an image without a label file
        clean = {image for image in images if image.rpartition("/")[0] in labelled}
        found.clean_ids = clean - set(found.images)
    return build_sheets(folder, "yolo", found, images)


def _label(number: int, classes: dict[int, str]) -> str:
    return classes.get(number, f"class {number}")


def _class_names(folder: DataFolder, found: Annotations) -> dict[int, str]:
    yamls = [name for name in folder.listing.others if name.lower().endswith((".yaml", ".yml"))]
    texts = [name for name in folder.listing.others if PurePosixPath(name).name.lower() in _NAME_FILES]
    classes: dict[int, str] = {}
    for name in yamls:
        document = read_yaml(folder.root / name)
        if isinstance(document, dict) and document.get("kpt_shape"):
            raise BadData(f"{name}: key points (kpt_shape); export the labels as boxes or polygons")
        if isinstance(document, dict) and "names" in document:
            found.used.add(name)
            classes = classes or _names_of(name, document["names"])
    for name in texts:
        found.used.add(name)
        lines = [line.strip() for line in read_text(folder.root / name, most=2**20).splitlines()]
        classes = classes or {number: line for number, line in enumerate(lines) if line}
    return classes


def _names_of(file: str, names: Any) -> dict[int, str]:
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, dict) and all(str(number).isdecimal() for number in names):
        return {int(number): str(name) for number, name in names.items()}
    raise BadData(f"{file}: expected names as a list or by number, found {names!r:.60}; correct it")


def _parse(line: str) -> tuple[int, list[float]] | None:
    cells = line.split()
    try:
        number, values = int(cells[0]), [float(cell) for cell in cells[1:]]
    except (ValueError, IndexError):
        return None
    sound = number >= 0 and all(map(math.isfinite, values)) and (len(values) in {4, 5} or len(values) >= 6)
    return (number, values) if sound else None


def _read_lines(text: str, file: str, classes: dict[int, str], notes: ImageNotes) -> set[int]:
    numbers = set()
    for line_number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        parsed = _parse(line)
        where = f"{file} line {line_number}"
        if parsed is None or (len(parsed[1]) > 5 and len(parsed[1]) % 2):
            notes.faults.append(
                f"{where}: expected a class and x y width height, or corners; found {line.strip()!r:.60}"
            )
            continue
        number, values = parsed
        if not all(-_SLACK <= value <= 1 + _SLACK for value in values):
            notes.faults.append(
                f"{where}: expected shares from 0 to 1, found {line.strip()!r:.60}; are these pixels?"
            )
            continue
        if classes and number not in classes:
            notes.faults.append(f"{where}: class {number}, but names has {len(classes)}; correct one of them")
            continue
        numbers.add(number)
        is_box = len(values) < 6
        draw = partial(_draw_box if is_box else _draw_polygon, values)
        notes.shapes.append(Shape(_label(number, classes), "box" if is_box else "polygon", draw))
    return numbers


def _draw_box(values: list[float], size: Size, where: str) -> Mask:
    x, y, width, height = values[:4]
    rows, columns = size
    left, top = (x - width / 2) * columns, (y - height / 2) * rows
    return fill_box(left, top, width * columns, height * rows, size, where=where)


def _draw_polygon(values: list[float], size: Size, where: str) -> Mask:
    rows, columns = size
    return fill_polygon([v * (rows if i % 2 else columns) for i, v in enumerate(values)], size, where=where)
