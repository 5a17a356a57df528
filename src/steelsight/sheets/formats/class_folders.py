"""Class folders: one folder per class, defect-free among them, with optional masks of the same name.

    DATA/
    ├── MT_Free/a.jpg            defect-free: named so (see DEFECT_FREE), or named by the caller
    ├── MT_Crack/b.jpg           the class is the first folder; deeper folders only sort files
    └── MT_Crack/b.png           the mask of b.jpg; `b_mask.png` works too, also beside b.png

A sheet has one class here. Of a defect sheet without mask only the class is known.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from steelsight.errors import BadData
from steelsight.sheets.formats.listing import list_images
from steelsight.types import MaskSource, Rejection, SheetItem, SheetSet

__all__ = ["DEFECT_FREE", "is_defect_free", "pair_masks", "read_folder"]

DEFECT_FREE: Final = frozenset({"none", "free", "ok", "good", "normal", "clean"})

_NO_DEFECT: Final = re.compile(r"(no|non|without|zero)_?defects?|defects?_?free")
_NEGATIONS: Final = frozenset({"not", "no", "non", "nok", "n"})


def is_defect_free(name: str) -> bool:
    """Whether a folder's name says defect-free: `good`, `MT_Free`, `no-defect`, but not `not_ok`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    words = re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
    parts = words.split("_")
    if _NO_DEFECT.search(words):
        return True
    return parts[-1] in DEFECT_FREE and not _NEGATIONS & set(parts)


def read_folder(root: Path, *, defect_free: Collection[str] | None = None) -> SheetSet:
    """The sheets of a folder of class folders; no image is opened.

    defect_free  names of the folders that hold defect-free sheets; None = recognise them by name
    returns      defect types in the order of their folders' names; ids are paths relative to `root`
    raises       BadData when there is no class folder with an image
    """
    listing = list_images(root)
    rejections = list(listing.rejections)
    by_class: dict[str, list[str]] = defaultdict(list)
    for id_ in listing.images:
        by_class[id_.partition("/")[0] if "/" in id_ else ""].append(id_)
    loose = by_class.pop("", [])
    if not by_class:
        raise BadData(
            f"{root}: expected train_images/ with train.csv, or one folder of images per class; "
            f"found {len(loose)} image(s) outside any folder and none inside one"
        )
    if loose:
        reason = f"{len(loose)} image(s) outside the class folders; move them into the folder of their class"
        rejections.append(Rejection("./", reason))
    named = {rejection.id for rejection in rejections}
    rejections.extend(empty for empty in _empty_folders(root, by_class) if empty.id not in named)
    free = _free_folders(sorted(by_class), defect_free)
    names = [name for name in sorted(by_class) if name not in free]
    types = {name: position for position, name in enumerate(names, start=1)}
    items = [
        item for name, ids in sorted(by_class.items()) for item in _class_items(root, ids, types.get(name))
    ]
    return SheetSet(root, "folder", ("none", *names), tuple(items), tuple(rejections))


def _free_folders(names: Sequence[str], asked: Collection[str] | None) -> frozenset[str]:
    if asked is None:
        return frozenset(filter(is_defect_free, names))
    unknown = sorted(set(asked) - set(names))
    if unknown:
        raise BadData(f"no class folder {', '.join(unknown)}; the folders are {', '.join(names)}")
    return frozenset(asked)


def _empty_folders(root: Path, by_class: Collection[str]) -> list[Rejection]:
    return [
        Rejection(f"{folder.name}/", "class folder without images; fill it or remove it")
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in by_class
    ]


def _class_items(root: Path, ids: Sequence[str], defect_type: int | None) -> list[SheetItem]:
    masks = pair_masks(ids)
    items = []
    for id_ in ids:
        if id_ in masks.values():
            continue
        source: tuple[MaskSource, ...] = ()
        if id_ in masks:
            source = (MaskSource(defect_type or 0, path=root / masks[id_], where=masks[id_]),)
        types = () if defect_type is None else (defect_type,)
        items.append(SheetItem(id_, root / id_, types, "mask" if source or not types else "class", source))
    return items


def pair_masks(ids: Sequence[str]) -> dict[str, str]:
    """Image id to mask id: `x.png` beside `x.jpg` (or another format), else `x_mask.png` beside `x.*`."""
    by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
    for id_ in ids:
        by_stem[str(PurePosixPath(id_).with_suffix(""))].append(PurePosixPath(id_))
    masks = {}
    for stem, files in by_stem.items():
        pictures = [file for file in files if file.suffix.lower() != ".png"]
        maps = [file for file in files if file.suffix.lower() == ".png"]
        named = [file for file in by_stem.get(f"{stem}_mask", []) if file.suffix.lower() == ".png"]
        if pictures and maps:
            masks[str(pictures[0])] = str(maps[0])
        elif named:
            masks[str((pictures or maps)[0])] = str(named[0])
    return masks
