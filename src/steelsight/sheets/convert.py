"""Writes any DATA folder in Steelsight's own layout: one folder a class, masks as PNG, tables beside them.

    OUT/good/a.jpg, OUT/crack/b.jpg, OUT/crack/b_mask.png
    OUT/split.csv (ImageId, part) and OUT/groups.csv (ImageId, and the column that the rule of groups
    names, or group) where the data set has them
    OUT/README.md where files of more than 8 bits need --bits, which their headers do not say

Image files are copied byte by byte. Where a sheet carries several defect types, which no class folder can
hold, all sheets are written as COCO (`convert_coco`).
"""

from __future__ import annotations

import io
import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from PIL import Image

from steelsight.csv_text import csv_text
from steelsight.errors import BadAnnotation, BadData, BadImage, BadOutput
from steelsight.files import PARTIAL, refuse_output, sync_folder, write_synced
from steelsight.names import short_name, shown_name
from steelsight.sheets.catalog import open_data
from steelsight.sheets.convert_coco import CocoFiles, needs_coco
from steelsight.sheets.formats.class_names import is_defect_free
from steelsight.sheets.formats.image_names import NAME_COLUMNS
from steelsight.sheets.formats.mask_folders import IMAGE_WORDS, words_of
from steelsight.sheets.images.pixels import read_gray, read_size
from steelsight.sheets.masks import read_mask
from steelsight.types import Mask, Rejection, SheetItem, SheetSet

_TAKEN: Final = {"part", "split", "subset", *(name.casefold() for name in NAME_COLUMNS)}
_README: Final = """Written by `steelsight data --convert`. Files of more than 8 bits do not state their bits:

    steelsight data THIS_FOLDER --bits {bits}
    steelsight train THIS_FOLDER --bits {bits}
"""

__all__ = ["Conversion", "convert_sheets"]


@dataclass(frozen=True)
class Conversion:
    """What was written."""

    out: Path
    classes: dict[str, int]  # sheets by folder
    masks: int
    parts: dict[str, int]
    groups: int
    left_out: tuple[Rejection, ...]
    group_rule: str = ""  # by which --groups reads them in the new folder; "" = no sheet has a group
    bits: int | None = None  # what --bits the new folder needs; None = none


def convert_sheets(
    sheets: SheetSet,
    out: Path,
    *,
    groups: str | None = None,
    bits: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Conversion:
    """Write usable sheets in the layout of class folders, and read them back to compare.

    sheets  as `check_images` or a cache leaves them
    groups  the rule that grouped them; a column keeps its name
    bits    at which they were read; a README says so where files do not say it themselves
    raises  BadOutput where OUT holds something, cannot be written, or reads back otherwise
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadOutput(f"{out}: expected no such folder or an empty one; name another for --convert")
    if out.resolve().is_relative_to(sheets.root.resolve()):
        raise BadOutput(
            f"{out}: lies in {sheets.root}, which would hold its sheets twice; name another folder"
        )
    partial = out.with_name(out.name + PARTIAL)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        written, done = _write_all(sheets, partial, _group_column(groups), progress)
        if bits is not None and _needs_bits(sheets, bits):
            done = replace(done, bits=bits)
            write_synced(partial / "README.md", _README.format(bits=bits).encode())
        if out.exists():
            out.rmdir()
        partial.rename(out)
        sync_folder(out.parent)
    except OSError as error:
        raise refuse_output(out, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _refuse_difference(out, written)
    return replace(done, out=out)


Facts = tuple[tuple[str, int], ...]  # the classes of a sheet with the areas of their masks


def _write_all(
    sheets: SheetSet, out: Path, column: str, progress: Callable[[int, int], None]
) -> tuple[dict[str, Facts], Conversion]:
    """Every sheet's new id with its classes and areas of masks, and what was done."""
    folders = _folders(sheets)
    coco = CocoFiles(sheets.type_names) if needs_coco(sheets) else None
    taken: set[str] = set()
    written: dict[str, Facts] = {}
    left_out = []
    renamed: dict[str, SheetItem] = {}
    for number, item in enumerate(sheets.items, start=1):
        progress(number, len(sheets.items))
        try:
            masks = read_mask(item)
        except BadAnnotation as error:
            left_out.append(Rejection(item.id, str(error)))
            continue
        first = folders[item.types[0] if item.types else 0]
        id_ = _new_id("images" if coco else first, item, sheets, taken)
        _write_sheet(item, out / id_, {} if coco else masks)
        if coco is not None:
            coco.add(item, id_, _image_size(item.path, masks), masks)
        written[id_], renamed[id_] = _facts(item, masks, sheets.type_names if coco else folders), item
    if coco is not None:
        coco.write(out)
    else:
        _write_table(out / "split.csv", "part", [(id_, item.part) for id_, item in renamed.items()])
    _write_table(out / "groups.csv", column, [(id_, item.group) for id_, item in renamed.items()])
    kept = renamed.values()
    counts = Counter(name for facts in written.values() for name, _ in facts)
    return written, Conversion(
        out,
        {name: counts[name] for name in (sheets.type_names if coco else folders) if counts[name]},
        sum(bool(area) for facts in written.values() for _, area in facts),
        dict(Counter(item.part for item in kept if item.part)),
        len({item.group for item in kept if item.group}),
        tuple(left_out),
        f"column:{column}" if any(item.group for item in kept) else "",
    )


def _group_column(rule: str | None) -> str:
    """The name of the column of groups: as a rule of one column names it, else `group`."""
    found = re.fullmatch(r"(?:column|file:.+):([^:+]+)", rule or "")
    name = found[1] if found else "group"
    return "group" if name.casefold() in _TAKEN else name


def _needs_bits(sheets: SheetSet, bits: int) -> bool:
    """Whether a sheet is refused, or read otherwise, where its bits are not stated."""
    for item in sheets.items:
        try:
            if not np.array_equal(read_gray(item.path), read_gray(item.path, bits=bits)):
                return True
        except BadImage:
            return True
    return False


def _facts(item: SheetItem, masks: dict[int, Mask], names: Sequence[str]) -> Facts:
    """The classes of a sheet by name with the areas of their masks; the defect-free class is one of them."""
    areas = {kind: int(masks[kind].sum()) if kind in masks else 0 for kind in item.types or (0,)}
    return tuple(sorted((names[kind], area) for kind, area in areas.items()))


def _image_size(path: Path, masks: dict[int, Mask]) -> tuple[int, int]:
    """(height, width) as masks are drawn: of a mask where there is one, else of the image as shown."""
    for mask in masks.values():
        return mask.shape[0], mask.shape[1]
    return read_size(path)


def _folders(sheets: SheetSet) -> list[str]:
    """A folder's name for the defect-free class and for every type, none of them twice."""
    clean = (
        sheets.clean_name if is_defect_free(sheets.clean_name) and "+" not in sheets.clean_name else "good"
    )
    names = ["good" if clean == "none" else _safe(clean)]
    for name in sheets.type_names[1:]:
        safe = _safe(name)
        while safe.casefold() in {other.casefold() for other in names}:
            safe += "_"
        names.append(safe)
    return names


def _safe(name: str) -> str:
    """A name that every file system takes."""
    return "".join("_" if letter in '/\\:*?"<>|' else letter for letter in name).strip(" .") or "type"


def _new_id(folder: str, item: SheetItem, sheets: SheetSet, taken: set[str]) -> str:
    """A path in the new folder, told by the old one's folders as far as they say more than the class."""
    path = PurePosixPath(item.id)
    known = {*sheets.type_names, *sheets.clean_name.split(" + ")}
    above = [
        name
        for name in path.parts[:-1]
        if shown_name(name) not in known and not set(words_of(name)) <= IMAGE_WORDS
    ]
    stem = short_name("_".join([*above, path.stem]))
    if stem.casefold().endswith("_mask"):
        stem += "_sheet"
    while f"{folder}/{stem}".casefold() in taken:
        stem += f"_{path.suffix.lstrip('.').lower() or 'more'}"
    taken.add(f"{folder}/{stem}".casefold())
    return f"{folder}/{stem}{path.suffix}"


def _write_sheet(item: SheetItem, path: Path, masks: dict[int, Mask]) -> None:
    """The image, and the mask of its type beside it."""
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(item.path, path)
    for kind in item.types:
        if kind in masks and item.evidence == "mask":
            buffer = io.BytesIO()
            Image.fromarray(masks[kind].astype(np.uint8) * 255).save(buffer, "PNG")
            write_synced(path.with_name(f"{path.stem}_mask.png"), buffer.getvalue())


def _write_table(path: Path, column: str, rows: Sequence[tuple[str, str]]) -> None:
    if not any(value for _, value in rows):
        return
    write_synced(path, shown_name(csv_text([("ImageId", column), *rows])).encode())


def _refuse_difference(out: Path, written: dict[str, Facts]) -> None:
    """Read the new folder and compare classes and masks with what was meant."""
    try:
        again = open_data(out)
    except BadData as error:
        raise BadOutput(f"written, but it does not read back: {error}; rename that class") from error
    names = (again.clean_name, *again.type_names[1:])
    found = {item.id: _facts(item, read_mask(item), names) for item in again.items}
    if found != written:
        first = next(id_ for id_ in sorted({*found, *written}) if found.get(id_) != written.get(id_))
        raise BadOutput(
            f"{out}: reads back otherwise than it was written, first {first}: {found.get(first)} for "
            f"{written.get(first)}; rename the class, whose name says something else"
        )
