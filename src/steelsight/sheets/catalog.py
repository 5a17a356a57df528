"""Opens any DATA folder, Kaggle's Severstal layout or class folders, grouped on request."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from steelsight.errors import BadData, BadRecipe
from steelsight.sheets.cache import PixelCache, default_cache_dir, load_pixels
from steelsight.sheets.examine import check_images
from steelsight.sheets.formats.class_folders import read_folder
from steelsight.sheets.formats.severstal import is_severstal, read_severstal
from steelsight.sheets.grouping.duplicates import duplicate_groups
from steelsight.sheets.grouping.groups import column_groups, frame_groups, join_groups
from steelsight.sheets.images.image_file import unreadable
from steelsight.sheets.masks import mask_fractions, read_mask
from steelsight.types import InputSpec, SheetSet

__all__ = [
    "PixelCache",
    "check_images",
    "default_cache_dir",
    "group_sheets",
    "load_pixels",
    "mask_fractions",
    "open_data",
    "read_mask",
]


def open_data(
    root: Path, *, groups: str | None = None, defect_free: Collection[str] | None = None
) -> SheetSet:
    """The sheets of a DATA folder with what its tables and folders say; images are not opened yet.

    groups       what keeps sheets together in a split: `column:NAME` of a table, `frames[:GAP]` by the
                 numbers in file names, `duplicates` by pixels (decodes all, the cache keeps them), several
                 joined by `+`, or None
    defect_free  class folders that hold defect-free sheets; None recognises them by name
    raises       BadData when the folder cannot be used, BadRecipe for an unknown rule
    """
    _refuse_unreadable(root)
    if is_severstal(root):
        sheets = read_severstal(root)
    else:
        _refuse_collection(root)
        sheets = read_folder(root, defect_free=defect_free)
    return sheets if groups is None else group_sheets(sheets, groups)


def group_sheets(sheets: SheetSet, rule: str) -> SheetSet:
    """The same sheets with their groups set by a rule of `open_data`; `duplicates` drops unusable sheets."""
    parts = rule.split("+")
    names: list[Sequence[str]] = []
    if "duplicates" in parts:
        cache = load_pixels(sheets, InputSpec())
        sheets = cache.sheets
        names.append(duplicate_groups(cache.images))
    names[:0] = [_named_groups(sheets, part) for part in parts if part != "duplicates"]
    pairs = zip(sheets.items, join_groups(*names), strict=True)
    return replace(sheets, items=tuple(replace(item, group=group) for item, group in pairs))


def _named_groups(sheets: SheetSet, rule: str) -> list[str]:
    kind, _, argument = rule.partition(":")
    ids = [item.id for item in sheets.items]
    if kind == "column" and argument:
        return column_groups(sheets.root, ids, argument)
    if kind == "frames" and (not argument or argument.isdecimal()):
        classes = [tuple(sheets.type_names[t] for t in item.types or (0,)) for item in sheets.items]
        return frame_groups(ids, classes, gap=int(argument or 100))
    raise BadRecipe(
        f"groups {rule!r}: expected column:NAME, frames, frames:GAP or duplicates, or several joined by +"
    )


def _refuse_unreadable(root: Path) -> None:
    try:
        os.scandir(root).close()
    except NotADirectoryError as error:
        raise BadData(f"{root}: expected a DATA folder, found a file") from error
    except OSError as error:
        raise BadData(f"expected a DATA folder: {unreadable(root, error)}") from error


def _refuse_collection(root: Path) -> None:
    inner = [folder.name for folder in sorted(root.iterdir()) if folder.is_dir() and is_severstal(folder)]
    if inner:
        raise BadData(f"{root}: a folder of DATA folders; name one of them, such as {root / inner[0]}")
