"""CVAT for images: one XML file with every image, its boxes, polygons, masks, ellipses and tags.

A listed image without shapes is defect-free; an image that no file lists is set aside. Videos are refused.
"""

from __future__ import annotations

import math
from functools import partial
from xml.etree.ElementTree import Element

import numpy as np

from steelsight.errors import BadAnnotation, BadData
from steelsight.sheets.formats.annotations.build import build_sheets, part_in, resolve_image, sheet_images
from steelsight.sheets.formats.annotations.documents import read_xml, sample_of, xml_root
from steelsight.sheets.formats.annotations.model import Annotations, ImageNotes, Shape
from steelsight.sheets.formats.data_folder import DataFolder
from steelsight.sheets.formats.image_names import ImageNames
from steelsight.sheets.formats.shapes import fill_ellipse, fill_polygon
from steelsight.types import Mask, SheetSet

__all__ = ["is_cvat", "read_cvat"]

Size = tuple[int, int]


def _files(folder: DataFolder) -> list[str]:
    return [name for name in folder.listing.others if name.lower().endswith(".xml")]


def is_cvat(folder: DataFolder) -> bool:
    """Whether an XML file of a folder begins with `annotations`."""
    return any(xml_root(folder.root / name) == "annotations" for name in sample_of(_files(folder)))


def read_cvat(folder: DataFolder) -> SheetSet:
    """The sheets of a folder with CVAT's files; raises BadData for the annotations of a video."""
    images = sheet_images(folder)
    names = ImageNames(images)
    found = Annotations()
    for file in _files(folder):
        root = read_xml(folder.root / file)
        if root.tag != "annotations":
            continue
        found.used.add(file)
        if root.find("track") is not None:
            raise BadData(f"{file}: tracks of a video; export the task as 'CVAT for images'")
        listed = [name.text.strip() for name in root.iterfind("meta//label/name") if name.text]
        seen = sorted({shape.get("label", "") for image in root.iter("image") for shape in image} - {""})
        found.labels += [*listed, *seen]
        for element in root.iter("image"):
            _read_image(element, file, names, found)
    return build_sheets(folder, "cvat", found, images)


def _read_image(element: Element, file: str, names: ImageNames, found: Annotations) -> None:
    name = element.get("name", "")
    part = part_in(element.get("subset", ""))
    fits = resolve_image(names, name, near=file.rpartition("/")[0], part=part)
    where = f"{file}: {name}"
    if len(fits) != 1:
        what = f"fits {' and '.join(fits[:3])}" if fits else "there is no such image"
        found.reject(name or file, f"{where}: {what}; correct its name", fits or names.near(name))
        return
    notes = found.notes(fits[0], where)
    notes.part = part
    try:
        size = int(element.get("height", "0")), int(element.get("width", "0"))
    except ValueError:
        size = (0, 0)
    notes.size = size if min(size) > 0 else None
    for number, item in enumerate(element, start=1):
        _read_shape(item, f"{where}, shape {number}", notes)


def _read_shape(item: Element, where: str, notes: ImageNotes) -> None:
    label = item.get("label", "").strip()
    if not label:
        notes.faults.append(f"{where}: has no label; name it")
        return
    try:
        notes.shapes.append(_shape(item, label))
    except (ValueError, KeyError, OverflowError) as error:
        notes.faults.append(f"{where}: expected coordinates as numbers, found {error!s:.80}; export it again")


def _shape(item: Element, label: str) -> Shape:
    value = item.attrib
    turn = float(value.get("rotation", 0))
    if item.tag == "polygon":
        corners = [float(cell) for pair in value["points"].split(";") for cell in pair.split(",")]
        return Shape(label, "polygon", partial(_draw_polygon, corners))
    if item.tag == "box":
        box = [float(value[key]) for key in ("xtl", "ytl", "xbr", "ybr")]
        return Shape(label, "box", partial(_draw_box, box, turn))
    if item.tag == "mask":
        runs = [int(cell) for cell in value["rle"].split(",")]
        place = [int(float(value[key])) for key in ("left", "top", "width", "height")]
        return Shape(label, "mask", partial(_draw_mask, runs, place))
    if item.tag == "ellipse":
        centre, radii = (float(value["cx"]), float(value["cy"])), (float(value["rx"]), float(value["ry"]))
        return Shape(label, "ellipse", partial(_draw_ellipse, centre, radii, turn))
    return Shape(label, "label" if item.tag == "tag" else "line or point")


def _draw_polygon(corners: list[float], size: Size, where: str) -> Mask:
    return fill_polygon(corners, size, where=where)


def _draw_ellipse(
    centre: tuple[float, float], radii: tuple[float, float], turn: float, size: Size, where: str
) -> Mask:
    return fill_ellipse(centre, radii, turn, size, where=where)


def _draw_box(box: list[float], turn: float, size: Size, where: str) -> Mask:
    left, top, right, bottom = box
    corners = np.array([[left, top], [left, bottom], [right, bottom], [right, top]])
    angle = math.radians(turn)
    spin = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    centre = corners.mean(axis=0)
    return fill_polygon((corners - centre) @ spin + centre if turn else corners, size, where=where)


def _draw_mask(runs: list[int], place: list[int], size: Size, where: str) -> Mask:
    """Runs of outside and inside in turn, along the rows of a rectangle."""
    left, top, width, height = place
    if left < 0 or top < 0 or left + width > size[1] or top + height > size[0]:
        raise BadAnnotation(
            f"{where}: a mask of {width}x{height} at {left}, {top} leaves the image; export it again"
        )
    if min(runs) < 0 or sum(runs) != width * height:
        raise BadAnnotation(
            f"{where}: run lengths cover {sum(runs)} pixels of {width}x{height}; export it again"
        )
    mask: Mask = np.zeros(size, dtype=bool)
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    mask[top : top + height, left : left + width] = inside.reshape(height, width)
    return mask
