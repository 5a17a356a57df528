"""Writes any DATA folder in Steelsight's own layout: one folder a class, masks as PNG, tables beside them.

    OUT/good/a.jpg, OUT/crack/b.jpg, OUT/crack/b_mask.png
    OUT/split.csv (ImageId, part) and OUT/groups.csv (ImageId, group) where the data set has them

Image files are copied byte by byte. A sheet of several defect types has no folder and is left out, counted.
"""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from steelsight.csv_text import csv_text
from steelsight.errors import BadAnnotation, BadData, BadOutput
from steelsight.files import PARTIAL, refuse_output, sync_folder, write_synced
from steelsight.names import short_name, shown_name
from steelsight.sheets.catalog import open_data
from steelsight.sheets.formats.class_names import is_defect_free
from steelsight.sheets.formats.mask_folders import IMAGE_WORDS, words_of
from steelsight.sheets.masks import read_mask
from steelsight.types import Mask, Rejection, SheetItem, SheetSet

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


def convert_sheets(
    sheets: SheetSet, out: Path, *, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Conversion:
    """Write usable sheets in the layout of class folders, and read them back to compare.

    sheets  as `check_images` or a cache leaves them
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
        written, done = _write_all(sheets, partial, progress)
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


def _write_all(
    sheets: SheetSet, out: Path, progress: Callable[[int, int], None]
) -> tuple[dict[str, tuple[str, int]], Conversion]:
    """Every sheet's new id with its class and area of mask, and what was done."""
    folders = _folders(sheets)
    taken: set[str] = set()
    written: dict[str, tuple[str, int]] = {}
    left_out = []
    renamed: dict[str, SheetItem] = {}
    for number, item in enumerate(sheets.items, start=1):
        progress(number, len(sheets.items))
        if len(item.types) > 1:
            names = " and ".join(sheets.type_names[t] for t in item.types)
            left_out.append(Rejection(item.id, f"carries {names}; a class folder holds one type"))
            continue
        folder = folders[item.types[0] if item.types else 0]
        try:
            masks = read_mask(item)
        except BadAnnotation as error:
            left_out.append(Rejection(item.id, str(error)))
            continue
        id_ = _new_id(folder, item, sheets, taken)
        area = _write_sheet(item, out / id_, masks)
        written[id_], renamed[id_] = (folder, area), item
    _write_table(out / "split.csv", "part", [(id_, item.part) for id_, item in renamed.items()])
    _write_table(out / "groups.csv", "group", [(id_, item.group) for id_, item in renamed.items()])
    kept = renamed.values()
    return written, Conversion(
        out,
        dict(Counter(folder for folder, _ in written.values())),
        sum(bool(area) for _, area in written.values()),
        dict(Counter(item.part for item in kept if item.part)),
        len({item.group for item in kept if item.group}),
        tuple(left_out),
    )


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


def _write_sheet(item: SheetItem, path: Path, masks: dict[int, Mask]) -> int:
    path.parent.mkdir(exist_ok=True)
    shutil.copyfile(item.path, path)
    if item.evidence != "mask" or not item.types:
        return 0
    mask = masks[item.types[0]]
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG")
    write_synced(path.with_name(f"{path.stem}_mask.png"), buffer.getvalue())
    return int(mask.sum())


def _write_table(path: Path, column: str, rows: Sequence[tuple[str, str]]) -> None:
    if not any(value for _, value in rows):
        return
    write_synced(path, shown_name(csv_text([("ImageId", column), *rows])).encode())


def _refuse_difference(out: Path, written: dict[str, tuple[str, int]]) -> None:
    """Read the new folder and compare classes and masks with what was meant."""
    try:
        again = open_data(out)
    except BadData as error:
        raise BadOutput(f"written, but it does not read back: {error}; rename that class") from error
    found = {}
    for item in again.items:
        area = sum(int(mask.sum()) for mask in read_mask(item).values())
        found[item.id] = (item.id.partition("/")[0], area)
        if (not item.types) != (again.clean_name == found[item.id][0]):
            found[item.id] = ("", area)
    if found != written:
        first = next(id_ for id_ in sorted({*found, *written}) if found.get(id_) != written.get(id_))
        raise BadOutput(
            f"{out}: reads back otherwise than it was written, first {first}: {found.get(first)} for "
            f"{written.get(first)}; rename the class, whose name says something else"
        )
