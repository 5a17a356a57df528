"""Pascal VOC: one XML file an image, with a box an object; Roboflow's variant has polygons too.

A file without objects makes its image defect-free; an image without a file is set aside.
"""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from steelsight.errors import BadData
from steelsight.sheets.formats.annotations.build import build_sheets, resolve_image, sheet_images
from steelsight.sheets.formats.annotations.documents import read_xml, sample_of, xml_root
from steelsight.sheets.formats.annotations.model import Annotations, ImageNotes, Shape
from steelsight.sheets.formats.data_folder import DataFolder
from steelsight.sheets.formats.image_names import ImageNames
from steelsight.sheets.formats.mask_folders import match_folder
from steelsight.sheets.formats.shapes import fill_box, fill_polygon
from steelsight.types import Mask, SheetSet

__all__ = ["is_voc", "read_voc"]

Size = tuple[int, int]


def _files(folder: DataFolder) -> list[str]:
    return [name for name in folder.listing.others if name.lower().endswith(".xml")]


def is_voc(folder: DataFolder) -> bool:
    """Whether XML files of a folder begin with `annotation`."""
    return any(xml_root(folder.root / name) == "annotation" for name in sample_of(_files(folder)))


def read_voc(folder: DataFolder) -> SheetSet:
    """The sheets of a folder with Pascal VOC's files."""
    images = sheet_images(folder)
    names = ImageNames(images)
    found = Annotations()
    files = _files(folder)
    found.used.update(files)
    found.used.update(name for name in folder.listing.others if "imagesets/" in f"{name.casefold()}")
    image_of = {file: image for image, file in match_folder(files, images).pairs}
    labels = set()
    for file in files:
        own = (image_of[file],) if file in image_of else names.find(PurePosixPath(file).stem)
        try:
            root = read_xml(folder.root / file)
        except BadData as error:
            found.reject(file, str(error), own)
            continue
        if root.tag != "annotation":
            reason = f"expected XML that begins with annotation, found {root.tag!r:.40}; remove it"
            found.reject(file, reason, own)
            continue
        fits = (image_of[file],) if file in image_of else _named_images(root, names, file)
        if len(fits) != 1:
            what = (
                f"its filename fits {' and '.join(fits[:3])}" if fits else "no image of its name or filename"
            )
            found.reject(file, f"{what}; add the image or correct the name", fits or own)
            continue
        notes = found.notes(fits[0], file)
        notes.size = _size_of(root)
        labels |= _read_objects(root, file, notes)
    found.labels += sorted(labels)
    return build_sheets(folder, "voc", found, images)


def _named_images(root: Element, names: ImageNames, file: str) -> tuple[str, ...]:
    return resolve_image(names, root.findtext("filename", "").strip(), near=file.rpartition("/")[0])


def _size_of(root: Element) -> Size | None:
    try:
        size = int(root.findtext("size/height", "0")), int(root.findtext("size/width", "0"))
    except ValueError:
        return None
    return size if min(size) > 0 else None


def _read_objects(root: Element, file: str, notes: ImageNotes) -> set[str]:
    labels = set()
    for number, item in enumerate(root.iter("object"), start=1):
        label = item.findtext("name", "").strip()
        where = f"{file} object {number}"
        if not label:
            notes.faults.append(f"{where}: has no name; name it")
            continue
        labels.add(label)
        try:
            notes.shapes.append(_shape(item, label))
        except ValueError as error:
            notes.faults.append(f"{where}: expected coordinates as numbers, found {error!s:.80}; correct it")
    return labels


def _shape(item: Element, label: str) -> Shape:
    polygon = item.find("polygon")
    if polygon is not None and len(polygon) >= 6:
        cells = {cell.tag: float(cell.text or "") for cell in polygon}
        pairs = [(cells[f"x{i}"], cells[f"y{i}"]) for i in range(1, len(cells) // 2 + 1) if f"x{i}" in cells]
        return Shape(label, "polygon", partial(_draw_polygon, [v for pair in pairs for v in pair]))
    box = item.find("bndbox")
    if box is None:
        return Shape(label, "label")
    left, top, right, bottom = (float(box.findtext(key, "")) for key in ("xmin", "ymin", "xmax", "ymax"))
    return Shape(label, "box", partial(_draw_box, (left, top, right, bottom)))


def _draw_polygon(corners: list[float], size: Size, where: str) -> Mask:
    return fill_polygon(corners, size, where=where)


def _draw_box(box: tuple[float, float, float, float], size: Size, where: str) -> Mask:
    """The format counts pixels from 1, and its corners are inside."""
    left, top, right, bottom = box
    return fill_box(left - 1, top - 1, right - left + 1, bottom - top + 1, size, where=where)
