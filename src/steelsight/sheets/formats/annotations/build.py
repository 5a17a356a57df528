"""From annotations to a SheetSet: types, masks as run lengths, and what nobody annotated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from steelsight.errors import BadAnnotation, BadData, BadImage
from steelsight.sheets.formats.annotations.model import Annotations, ImageNotes, Shape
from steelsight.sheets.formats.class_names import ClassNames, is_defect_free, name_classes
from steelsight.sheets.formats.data_folder import DataFolder
from steelsight.sheets.formats.folder_tree import part_of
from steelsight.sheets.formats.image_names import ImageNames
from steelsight.sheets.formats.listing import unused_files
from steelsight.sheets.formats.mask_pairs import find_masks, look_in
from steelsight.sheets.images.pixels import read_size
from steelsight.sheets.rle import encode_mask
from steelsight.types import Mask, MaskSource, Part, Rejection, SheetItem, SheetSet

__all__ = ["build_sheets", "part_in", "resolve_image", "sheet_images"]

_ANNOTATING: Final = frozenset({".txt", ".json", ".xml"})  # suffixes of files that annotate one image
_BACKGROUND: Final = re.compile(r"_*(background|ignore|void|unlabell?ed)_*", re.IGNORECASE)


def sheet_images(folder: DataFolder) -> list[str]:
    """The images of a folder that are no masks of others."""
    rule = folder.options.masks
    pairs = find_masks(folder.listing.images, look_in(folder.root), None if rule == "boxes" else rule)
    return pairs.sheets(folder.listing.images)


def part_in(path: str) -> Part:
    """The part that the folders or the name of a path tell: `annotations/instances_train2017.json`."""
    for name in path.split("/"):
        words = re.findall(r"[a-z]+", name.casefold())
        found: list[Part] = [part for part in map(part_of, words) if part]
        if len(set(found)) == 1:
            return found[0]
    return ""


def resolve_image(names: ImageNames, name: str, *, near: str = "", part: Part = "") -> tuple[str, ...]:
    """The images a name in an annotation file fits.

    near  the folder of the annotation file, where the image is looked for first
    part  of several images, those of this part are meant
    """
    if near:
        found = names.find(f"{near}/{name}")
        if len(found) == 1 and found[0].startswith(f"{near}/"):
            return found
    found = names.find(name)
    if len(found) > 1 and part:
        of_part = tuple(id_ for id_ in found if part_in(id_) == part)
        found = of_part or found
    return found


def build_sheets(folder: DataFolder, layout: str, found: Annotations, images: Sequence[str]) -> SheetSet:
    """The sheets of a folder as its annotations have them.

    images  every image of the folder that is no mask
    raises  BadData where no annotation fits an image, or a defect-free class is named that is not there
    """
    if not found.images and not found.clean_ids:
        first = next((f": {bad.id}: {bad.reason}" for bad in found.rejections), "")
        raise BadData(
            f"{folder.root}: no annotation of layout {layout} fits one of {len(images)} image(s){first}"
        )
    used = {shape.label for notes in found.images.values() for shape in notes.shapes}
    labels = [
        label for label in dict.fromkeys(found.labels) if label in used and not _BACKGROUND.fullmatch(label)
    ]
    names = _names(folder, labels)
    counts: Counter[str] = Counter()
    rejections = [*folder.listing.unreadable, *found.rejections]
    items = []
    unread = _unread_files(folder, found, images)
    for id_ in images:
        notes = found.images.get(id_)
        if notes is None and unread.get(id_):
            reason = f"{unread[id_]} may annotate it and was not read; correct that file or remove it"
            rejections.append(Rejection(id_, reason))
            continue
        if notes is None and (id_ in found.clean_ids or _in_clean_folder(folder, id_)):
            counts["images without an annotation, defect-free"] += 1
            notes = ImageNotes(id_)
        elif notes is None:
            rejections.append(
                Rejection(id_, "no annotation; annotate it, or move it into a folder named good")
            )
            continue
        item = _item(folder, id_, notes, names)
        rejections.extend(Rejection(id_, fault) for fault in notes.faults)
        if not notes.faults:
            items.append(item)
            counts.update(_plural(shape.kind) for shape in notes.shapes)
    strays, documents = unused_files(folder.listing.others, found.used)
    masks = len(folder.listing.images) - len(images)
    unused = [Rejection("./", f"{masks} mask file(s); the annotations are used")] if masks else []
    counts.update(found.counts)
    kinds = tuple(sorted((name, count) for name, count in counts.items() if count))
    return SheetSet(
        folder.root,
        layout,
        names.type_names,
        tuple(items),
        (*rejections, *strays),
        (
            *(each for each in folder.listing.passed_over if each.id not in found.used),
            *_new(folder, documents),
            *unused,
        ),
        names.clean_name,
        (("images", len(items)), *kinds),
    )


def _unread_files(folder: DataFolder, found: Annotations, images: Sequence[str]) -> dict[str, str]:
    """For each image a file that may annotate it and was not read: named after it, or listing images."""
    if found.unread:
        return dict.fromkeys(images, found.unread[0])
    names = ImageNames(images)
    others = set(folder.listing.others) - found.used
    return {
        image: other
        for other in sorted(others, reverse=True)
        if PurePosixPath(other).suffix.lower() in _ANNOTATING
        for image in names.find(PurePosixPath(other).stem)
    }


def _new(folder: DataFolder, documents: Iterable[Rejection]) -> list[Rejection]:
    known = {each.id for each in folder.listing.passed_over}
    return [each for each in documents if each.id not in known]


def _names(folder: DataFolder, labels: Sequence[str]) -> ClassNames:
    asked = folder.options.defect_free
    folders = {part.casefold() for id_ in folder.listing.images for part in id_.split("/")[:-1]}
    try:
        return name_classes(
            labels, [name for name in asked if name in labels or name.casefold() not in folders]
        )
    except BadData as error:
        raise BadData(f"{folder.root}: {error}") from error


def _in_clean_folder(folder: DataFolder, id_: str) -> bool:
    asked = {name.casefold() for name in folder.options.defect_free}
    return any(is_defect_free(name) or name.casefold() in asked for name in id_.split("/")[:-1])


def _plural(kind: str) -> str:
    return {"box": "boxes", "line or point": "lines and points"}.get(kind, f"{kind}s")


def _item(folder: DataFolder, id_: str, notes: ImageNotes, names: ClassNames) -> SheetItem:
    """One sheet; what contradicts its image is added to `notes.faults`."""
    path = folder.root / id_
    part = notes.part or part_in(id_.rpartition("/")[0])
    shapes = [shape for shape in notes.shapes if shape.label in names.types]
    types = tuple(sorted({names.types[shape.label] for shape in shapes}))
    with_boxes = folder.options.masks == "boxes"
    drawn = bool(shapes) and all(shape.draw and (with_boxes or not shape.is_box) for shape in shapes)
    if not shapes:
        return SheetItem(id_, path, (), "mask", part=part)
    if not drawn:
        return SheetItem(id_, path, types, "class", part=part)
    try:
        size = read_size(path)
        _refuse_size(notes, size)
        masks = _masks(shapes, names, size, notes.where)
    except BadAnnotation as error:
        notes.faults.append(str(error))
        return SheetItem(id_, path, types, "class", part=part)
    except BadImage:  # told when the sheet is examined
        return SheetItem(id_, path, types, "class", part=part)
    sources = tuple(
        MaskSource(defect_type, runs=encode_mask(masks[defect_type]), where=notes.where)
        for defect_type in types
    )
    return SheetItem(id_, path, types, "mask", sources, part=part)


def _refuse_size(notes: ImageNotes, size: tuple[int, int]) -> None:
    if notes.size is not None and notes.size != size:
        raise BadAnnotation(
            f"{notes.where}: annotated at {notes.size[1]}x{notes.size[0]} pixels, the image has "
            f"{size[1]}x{size[0]}; annotate the image as it is"
        )


def _masks(shapes: Sequence[Shape], names: ClassNames, size: tuple[int, int], where: str) -> dict[int, Mask]:
    masks: dict[int, Mask] = {}
    for shape in shapes:
        if shape.draw is not None:
            mask = masks.setdefault(names.types[shape.label], np.zeros(size, dtype=bool))
            mask |= shape.draw(size, where)
    return masks
