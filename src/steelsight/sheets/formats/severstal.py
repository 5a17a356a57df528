"""Kaggle's Severstal layout: `train_images/`, `train.csv` in either historical form, perhaps `manifest.csv`.

An image without a row is defect-free, unless a manifest says what is known of it:
`gt_rle` complete masks in train.csv, `no_defect`, or `boxes_only`, `class_only`, `pseudo_mask`: its column
`classes` names the types, and nothing is known of their place. Images it does not list follow train.csv.

Names in the tables mean images as `image_names` says. An image that a rejected row names is set aside, never
taken as defect-free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steelsight.errors import BadData
from steelsight.sheets.formats.image_names import ImageNames
from steelsight.sheets.formats.listing import list_images
from steelsight.sheets.formats.tables import CsvTable, TableRow, read_table
from steelsight.types import MaskSource, Rejection, SheetItem, SheetSet

__all__ = ["TYPE_NAMES", "is_severstal", "read_severstal"]

TYPE_NAMES: Final = ("none", "type 1", "type 2", "type 3", "type 4")

_TYPES: Final = frozenset({"1", "2", "3", "4"})
_OWN: Final = frozenset({"train_images", "train.csv", "manifest.csv", "groups.csv"})
_LABELS: Final = frozenset({"gt_rle", "no_defect", "boxes_only", "class_only", "pseudo_mask"})


@dataclass
class _Known:
    """What the tables say of one image while they are being read."""

    lines: list[int] = field(default_factory=list)
    masks: dict[int, MaskSource] = field(default_factory=dict)
    empty: dict[str, str] = field(default_factory=dict)  # types listed without runs: the row of each
    faults: list[str] = field(default_factory=list)  # any of them sets the image aside
    notes: list[str] = field(default_factory=list)  # rows passed over without loss


@dataclass
class _Reading:
    """The tables while they are being read."""

    names: ImageNames
    known: dict[str, _Known] = field(default_factory=dict)  # by image, or by name where there is no image
    rejections: list[Rejection] = field(default_factory=list)

    def facts(self, name: str, where: str) -> tuple[str, _Known]:
        """The image a row names, and what is known of it; all images are at fault where it fits several."""
        found = self.names.find(name)
        if len(found) > 1:
            self.refuse(found, f"{where}: the name fits {' and '.join(found[:3])}; write the whole path")
            return name, _Known()
        if not found:
            self.refuse(
                self.names.near(name), f"{where}: names an image of another suffix; correct one of them"
            )
        image = found[0] if found else name
        return image, self.known.setdefault(image, _Known())

    def refuse(self, images: Iterable[str], reason: str) -> None:
        """Set images aside."""
        for image in images:
            self.known.setdefault(image, _Known()).faults.append(reason)

    def refuse_ragged(self, table: CsvTable) -> None:
        """Rows of a wrong number of cells: rejected, and the images they name with them."""
        for (line, reason), cells in zip(table.ragged, table.ragged_cells, strict=True):
            self.rejections.append(Rejection(table.name, f"row {line}: {reason}"))
            at = next(i for i, column in enumerate(table.columns) if column.startswith("ImageId"))
            for cell in cells[at : at + 1]:
                images = self.names.near(cell) or self.names.near(cell.rpartition("_")[0])
                self.refuse(images, f"{table.name} row {line}: names this image, and {reason}")


@dataclass(frozen=True)
class _Entry:
    """One row of the manifest."""

    line: int
    label: str
    types: tuple[int, ...]


def is_severstal(root: Path) -> bool:
    """Whether a folder looks like this layout."""
    return (root / "train_images").is_dir() or (root / "train.csv").is_file()


def read_severstal(root: Path) -> SheetSet:
    """The sheets of a folder in Kaggle's layout; no image is opened.

    raises  BadData when `train_images/` or `train.csv` is missing or the table has neither form
    """
    images, table = root / "train_images", root / "train.csv"
    if not images.is_dir():
        raise BadData(f"{root}: found train.csv but no folder train_images; put the images there")
    if not table.is_file():
        raise BadData(
            f"{root}: found train_images but no train.csv (ImageId,ClassId,EncodedPixels), "
            "without which no image can be told defect-free; add it, even with its header alone"
        )
    listing = list_images(images)
    reading = _Reading(ImageNames(listing.images))
    _read_annotations(read_table(table), reading)
    manifest: dict[str, _Entry] = {}
    if (root / "manifest.csv").is_file():
        manifest = _read_manifest(read_table(root / "manifest.csv"), reading)
    known, rejections = reading.known, reading.rejections
    rejections.extend(listing.rejections)
    items = []
    for id_ in listing.images:
        facts = known.pop(id_, _Known())
        item = _item(id_, images / id_, facts, manifest.pop(id_, None))
        rejections.extend(Rejection(id_, reason) for reason in (*facts.faults, *facts.notes))
        if not facts.faults:
            items.append(item)
    rejections.extend(_absent(known, manifest))
    if not items and not rejections:
        raise BadData(f"{images}: no images")
    masks = sum(len(item.masks) for item in items)
    return SheetSet(
        root,
        "severstal",
        TYPE_NAMES,
        tuple(items),
        tuple(rejections),
        (*listing.passed_over, *_beside(root)),
        counts=(("images", len(items)), ("run-length masks", masks)),
    )


def _beside(root: Path) -> list[Rejection]:
    """What lies beside the layout's own files."""
    passed_over = []
    for entry in sorted(root.iterdir()):
        name = entry.name
        if name in _OWN:
            continue
        if entry.is_dir() and not name.startswith("."):
            passed_over.append(Rejection(f"{name}/", "not part of this layout; its images have no rows"))
        else:
            passed_over.append(Rejection(name, "no image, and not a table of labels: not read"))
    return passed_over


def _read_annotations(table: CsvTable, reading: _Reading) -> None:
    joined = "ImageId_ClassId" in table.columns
    table.need(
        ["ImageId_ClassId" if joined else "ImageId", *([] if joined else ["ClassId"]), "EncodedPixels"]
    )
    for row in table.rows:
        name, type_text = _key(row, joined, reading.names)
        _, facts = reading.facts(name, f"{table.name} row {row.line} ({name})")
        _add_row(facts, row, name, type_text, table.name)
    for facts in reading.known.values():
        if facts.empty and len(facts.empty.keys() | {str(mask) for mask in facts.masks}) < len(_TYPES):
            listed, where = next(iter(facts.empty.items()))
            facts.faults.append(
                f"{where}: type {listed} without run lengths, and not every type is listed so; "
                "add the run lengths or remove the row"
            )
    reading.refuse_ragged(table)


def _key(row: TableRow, joined: bool, names: ImageNames) -> tuple[str, str]:
    if not joined:
        return row.cells["ImageId"], row.cells["ClassId"]
    text = row.cells["ImageId_ClassId"]
    image, _, type_text = text.rpartition("_")
    if not image or (type_text not in _TYPES and names.find(text)):
        return text, ""  # the type is missing
    return image, type_text


def _add_row(known: _Known, row: TableRow, image: str, type_text: str, table: str) -> None:
    known.lines.append(row.line)
    runs = row.cells["EncodedPixels"]
    where = f"{table} row {row.line} ({image})"
    if type_text not in _TYPES:
        if runs or type_text:
            known.faults.append(f"{where}: expected ClassId 1 to 4, found {type_text!r}; correct the row")
        return  # an image listed with neither type nor runs is defect-free
    if not runs:
        known.empty[type_text] = where  # the joined form lists every type of every image, most without runs
        return
    source = MaskSource(int(type_text), runs=runs, where=where)
    earlier = known.masks.setdefault(source.defect_type, source)
    if earlier is source:
        return
    if earlier.runs == runs:
        known.notes.append(f"{where}: repeats {earlier.where}; the repetition was ignored, the image is kept")
    else:
        known.faults.append(f"{where}: type {type_text} again with other runs than {earlier.where}; keep one")


def _read_manifest(table: CsvTable, reading: _Reading) -> dict[str, _Entry]:
    table.need(["ImageId", "classes", "labels"])
    reading.refuse_ragged(table)
    manifest: dict[str, _Entry] = {}
    for row in table.rows:
        label = row.cells["labels"]
        where = f"{table.name} row {row.line} ({row.cells['ImageId']})"
        names = row.cells["classes"].split()
        image, facts = reading.facts(row.cells["ImageId"], where)
        if label not in _LABELS or not set(names) <= _TYPES:
            facts.faults.append(
                f"{where}: expected classes 1 to 4 and one of {', '.join(sorted(_LABELS))}, "
                f"found {row.cells['classes']!r} and {label!r}"
            )
            continue
        entry = _Entry(row.line, label, tuple(sorted({int(name) for name in names})))
        earlier = manifest.setdefault(image, entry)
        if earlier is not entry:
            same = (earlier.label, earlier.types) == (entry.label, entry.types)
            (facts.notes if same else facts.faults).append(
                f"{where}: {'repeats' if same else 'contradicts'} row {earlier.line}; keep one"
            )
    return manifest


def _item(id_: str, path: Path, facts: _Known, entry: _Entry | None) -> SheetItem:
    """The sheet as the tables have it; contradictions between them are added to `facts.faults`."""
    masks = tuple(facts.masks[defect_type] for defect_type in sorted(facts.masks))
    types = tuple(mask.defect_type for mask in masks)
    if entry is None:
        return SheetItem(id_, path, types, "mask", masks)
    if entry.label in {"gt_rle", "no_defect"}:
        expected = entry.types if entry.label == "gt_rle" else ()
        if types != expected or (entry.label == "gt_rle") != bool(types):
            facts.faults.append(
                f"manifest.csv row {entry.line} ({id_}): {entry.label} with types {_listed(entry.types)}, "
                f"but train.csv has masks of types {_listed(types)}; make them agree"
            )
        return SheetItem(id_, path, types, "mask", masks)
    if not entry.types:
        facts.faults.append(f"manifest.csv row {entry.line} ({id_}): {entry.label} needs at least one class")
    return SheetItem(id_, path, entry.types, "class")


def _absent(known: dict[str, _Known], manifest: dict[str, _Entry]) -> Iterable[Rejection]:
    for image in sorted(set(known) | set(manifest)):
        rows = [f"train.csv row {line}" for line in known[image].lines] if image in known else []
        rows += [f"manifest.csv row {manifest[image].line}"] if image in manifest else []
        where = ", ".join(rows) or "manifest.csv"
        yield Rejection(image, f"{where}: no such image in train_images; add it or remove the row")


def _listed(types: Iterable[int]) -> str:
    return " ".join(map(str, types)) or "none"
