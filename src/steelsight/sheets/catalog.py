"""Opens any DATA folder: Kaggle's Severstal layout, class folders, or what other tools write.

`LAYOUTS` is the one table of layouts. They are tried in its order: annotations first, since their images lie
in folders too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from steelsight.errors import BadData, BadRecipe, UnmatchedGroups
from steelsight.names import shown_name
from steelsight.sheets.cache import PixelCache, default_cache_dir, load_pixels
from steelsight.sheets.examine import check_images
from steelsight.sheets.formats.annotations.coco import is_coco, read_coco
from steelsight.sheets.formats.annotations.cvat import is_cvat, read_cvat
from steelsight.sheets.formats.annotations.label_studio import is_label_studio, read_label_studio
from steelsight.sheets.formats.annotations.labelme import is_labelme, read_labelme
from steelsight.sheets.formats.annotations.voc import is_voc, read_voc
from steelsight.sheets.formats.annotations.yolo import is_yolo, read_yolo
from steelsight.sheets.formats.class_folders import read_classes
from steelsight.sheets.formats.data_folder import DataFolder
from steelsight.sheets.formats.mask_sets import read_mask_set
from steelsight.sheets.formats.severstal import is_severstal, read_severstal
from steelsight.sheets.formats.split_lists import apply_split_lists
from steelsight.sheets.formats.tables import read_table
from steelsight.sheets.grouping.duplicates import duplicate_groups
from steelsight.sheets.grouping.given_split import read_split_table
from steelsight.sheets.grouping.groups import (
    TableGroups,
    column_groups,
    frame_groups,
    join_groups,
    table_groups,
)
from steelsight.sheets.images.image_file import unreadable
from steelsight.sheets.masks import mask_fractions, read_mask
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.sheets.own_folders import OwnFolders
from steelsight.types import InputSpec, SheetSet

__all__ = [
    "LAYOUTS",
    "DataOptions",
    "Layout",
    "PixelCache",
    "check_images",
    "default_cache_dir",
    "group_sheets",
    "load_pixels",
    "mask_fractions",
    "open_data",
    "read_mask",
    "rules_by_table",
]


_ANNOTATED: Final = ("coco", "labelstudio", "labelme", "cvat", "voc", "yolo")
_RULES: Final = re.compile(r"\+(?=column:|frames|duplicates|file:|$)|(?<=duplicates)\+")  # paths hold + too


@dataclass(frozen=True)
class Layout:
    """One way of laying out a data set."""

    about: str
    detect: Callable[[DataFolder], bool]
    read: Callable[[DataFolder], SheetSet]


LAYOUTS: Final = {
    "severstal": Layout(
        "train_images/ and train.csv with run lengths, as Kaggle's Severstal competition has them",
        lambda folder: is_severstal(folder.root),
        lambda folder: read_severstal(folder.root),
    ),
    "coco": Layout("COCO's JSON: polygons, run lengths or boxes", is_coco, read_coco),
    "labelstudio": Layout("Label Studio's JSON export", is_label_studio, read_label_studio),
    "labelme": Layout("labelme's JSON files, one an image", is_labelme, read_labelme),
    "cvat": Layout("CVAT for images, XML", is_cvat, read_cvat),
    "voc": Layout("Pascal VOC's XML files, one an image", is_voc, read_voc),
    "yolo": Layout("YOLO's text files with boxes or polygons", is_yolo, read_yolo),
    "mvtec": Layout(
        "train/good, test/KIND and a folder of masks, as MVTec AD, VisA and BTAD have them",
        lambda folder: folder.plan.layout == "mvtec",
        lambda folder: read_classes(folder.plan_as(split=True), folder.options, "mvtec"),
    ),
    "split": Layout(
        "train/CLASS, val/CLASS, test/CLASS",
        lambda folder: folder.plan.layout == "split",
        lambda folder: read_classes(folder.plan_as(split=True), folder.options, "split"),
    ),
    "masks": Layout(
        "images with masks and no class folders",
        lambda folder: folder.plan.layout == "masks",
        lambda folder: read_mask_set(folder.plan, folder.options),
    ),
    "folder": Layout(
        "one folder of images a class, with or without masks",
        lambda folder: folder.plan.layout == "folder",
        lambda folder: read_classes(
            folder.plan_as(split=False) if folder.options.layout else folder.plan, folder.options, "folder"
        ),
    ),
}


def open_data(root: Path, *, groups: str | None = None, options: DataOptions = AUTOMATIC) -> SheetSet:
    """The sheets of a DATA folder with what its tables, folders and masks say; no image is checked yet.

    groups  what keeps sheets together in a split: `column:NAME` of a table in DATA, `file:PATH:COLUMN` of
            any other, `frames[:GAP]` by the numbers in file names, `duplicates` by pixels (decodes all, the
            cache keeps them), several joined by `+`, or None
    options what the caller says of the folder where its structure leaves a choice
    raises  BadData when the folder cannot be used, BadRecipe for an unknown rule or layout
    """
    _refuse_unreadable(root)
    OwnFolders("a DATA folder", BadData).refuse(root)
    folder = DataFolder(root, options)
    if options.layout is None:
        if not is_severstal(root):
            _refuse_collection(root)
        layout = LAYOUTS[_recognise(folder)]
    elif options.layout in LAYOUTS:
        layout = LAYOUTS[options.layout]
    else:
        raise BadRecipe(f"layout: expected one of {', '.join(LAYOUTS)}, got {options.layout!r}")
    sheets = apply_split_lists(read_split_table(layout.read(folder)), folder.split_lists)
    sheets = _with_shown_classes(sheets)
    return sheets if groups is None else group_sheets(sheets, groups, options.input_spec())


def _with_shown_classes(sheets: SheetSet) -> SheetSet:
    """The same sheets with names of classes that any file can hold; ids keep the bytes of file names."""
    shown = tuple(map(shown_name, sheets.type_names))
    return replace(sheets, type_names=shown, clean_name=shown_name(sheets.clean_name))


def _recognise(folder: DataFolder) -> str:
    """The layout of a folder; raises BadData where annotations of several tools lie in it."""
    if is_severstal(folder.root):
        return "severstal"
    annotated = [name for name in _ANNOTATED if LAYOUTS[name].detect(folder)]
    if len(annotated) > 1:
        raise BadData(
            f"{folder.root}: holds annotations of the layouts {' and '.join(annotated)}; "
            f"say with --layout {annotated[0]} which count"
        )
    return annotated[0] if annotated else folder.plan.layout


def group_sheets(sheets: SheetSet, rule: str, spec: InputSpec | None = None) -> SheetSet:
    """The same sheets with their groups set by a rule of `open_data`; `duplicates` drops unusable sheets.

    Rows of a table that name no sheet, and sheets no row names, are added to the rejections; a sheet that a
    rejected row may mean is set aside.
    """
    parts = _RULES.split(rule)
    names: list[Sequence[str]] = []
    if "duplicates" in parts:
        cache = load_pixels(sheets, spec or InputSpec())
        sheets = cache.sheets
        names.append(duplicate_groups(cache.images))
    named = [_named_groups(sheets, part) for part in parts if part != "duplicates"]
    pairs = zip(sheets.items, join_groups(*(found.groups for found in named), *names), strict=True)
    doubtful = frozenset[str]().union(*(found.doubtful for found in named))
    items = tuple(replace(item, group=group) for item, group in pairs if item.id not in doubtful)
    faults = [fault for found in named for fault in found.faults]
    return replace(sheets, items=items, rejections=(*sheets.rejections, *faults))


def rules_by_table(rule: str | None) -> list[str]:
    """The parts of a rule that take groups from a table: their names mean the same in every folder.

    >>> rules_by_table("column:coil+frames:30+duplicates")
    ['column:coil']
    """
    parts = [] if rule is None else _RULES.split(rule)
    return [part for part in parts if part.startswith(("column:", "file:"))]


def _named_groups(sheets: SheetSet, rule: str) -> TableGroups:
    kind, _, argument = rule.partition(":")
    ids = [item.id for item in sheets.items]
    others = [rejection.id for rejection in sheets.rejections]
    if kind == "column" and argument:
        return column_groups(sheets.root, ids, argument, others=others)
    path, _, column = argument.rpartition(":")
    if kind == "file" and path and column:
        beside = sheets.root / path
        here = beside if beside.is_file() and not Path(path).is_file() else Path(path)
        if not here.is_file():
            raise UnmatchedGroups(
                f"groups {rule!r}: expected a table, found no file {path}; correct the path"
            )
        return table_groups(read_table(here), ids, column, others=others)
    if kind == "frames" and (not argument or argument.isdecimal()):
        classes = [tuple(sheets.type_names[t] for t in item.types or (0,)) for item in sheets.items]
        return TableGroups(frame_groups(ids, classes, gap=int(argument or 100)), [], frozenset())
    raise BadRecipe(
        f"groups {rule!r}: expected column:NAME, frames, frames:GAP or duplicates, file:PATH:COLUMN, "
        "or several joined by +"
    )


def _refuse_unreadable(root: Path) -> None:
    try:
        os.scandir(root).close()
    except NotADirectoryError as error:
        raise BadData(f"{root}: expected a DATA folder, found a file") from error
    except FileNotFoundError as error:
        raise BadData(f"{root}: expected a DATA folder, {_what_is_missing(root)}") from error
    except OSError as error:
        reason = unreadable(root, error).removeprefix(f"{root.name}: ")
        raise BadData(f"{root}: expected a DATA folder: {reason}") from error


def _what_is_missing(root: Path) -> str:
    """Where a path ends, in words: the link whose target is gone, or the last folder that exists."""
    whole = Path(os.path.abspath(root))  # noqa: PTH100  # Path.resolve would follow links
    for path in (whole, *whole.parents):
        if path.is_symlink() and not path.exists():
            return f"but {path} is a link whose target {path.readlink()} does not exist; correct the link"
    there = next(path for path in whole.parents if path.exists())
    return f"found none at {whole}: {there} has no {whole.relative_to(there).parts[0]}; check the path"


def _refuse_collection(root: Path) -> None:
    inner = [folder.name for folder in sorted(root.iterdir()) if folder.is_dir() and is_severstal(folder)]
    if inner:
        raise BadData(f"{root}: a folder of DATA folders; name one of them, such as {root / inner[0]}")
