"""Images with masks and no class folders: the masks alone say what is on a sheet.

    DATA/images/a.jpg, DATA/masks/a.png       or DATA/a.png with DATA/a_GT.png, with or without train/, test/

A sheet is defect-free where its mask is empty. Masks of two values mark one type, "defect"; masks of values
0, 1, 2 … mark a type a value, named by it ("value 1"). Beside such values, 255 is a border and marks nothing.
An image without a mask is set aside, because nothing is known of it; `--masks sparse` says it is
defect-free.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from steelsight.errors import BadData, BadImage
from steelsight.sheets.formats.class_folders import FolderPlan
from steelsight.sheets.mask_values import FEW, look_of, marked_pixels, mask_colours, read_values
from steelsight.sheets.options import DataOptions
from steelsight.types import MaskSource, Rejection, SheetItem, SheetSet

__all__ = ["read_mask_set"]

_VOID: Final = 255


@dataclass(frozen=True)
class _Marked:
    """What one mask file marks: indices, or simply a defect."""

    indices: tuple[int, ...]  # of an index mask, without background and void
    any: bool
    border: bool = False  # 255 and background alone: in a set of index masks it marks nothing


def read_mask_set(plan: FolderPlan, options: DataOptions) -> SheetSet:
    """The sheets of a plan by their masks; every mask is read.

    raises  BadData where no image has a mask
    """
    if not plan.pairs.masks:
        found = f"found {len(plan.sheets)} image(s) outside any folder and none inside one"
        if plan.tree.parts:
            parts = ", ".join(sorted(set(plan.tree.parts.values())))
            found = (
                f"found {len(plan.sheets)} image(s) in the parts {parts} "
                "without class folders, masks or annotations; --layout folder takes the parts as classes"
            )
        raise BadData(
            f"{plan.root}: expected train_images/ with train.csv, or one folder of images per class; {found}"
        )
    rejections = [*plan.listing.rejections]
    rejections += [
        Rejection(mask, "a mask without its image; add the image or remove the mask")
        for mask in plan.pairs.orphans
    ]
    marked = dict(_read_masks(plan, rejections))
    _refuse_colours(plan)
    indexed = any(len(found.indices) > 1 or found.indices not in {(), (1,)} for found in marked.values())
    values = sorted({value for found in marked.values() for value in found.indices}) if indexed else []
    names = tuple(f"value {value}" for value in values) if values else ("defect",)
    items, missing = [], 0
    for id_ in plan.sheets:
        if id_ in marked:
            if values and marked[id_].any and not marked[id_].indices and not marked[id_].border:
                reason = f"marks without one of the values {', '.join(map(str, values))} of the other masks"
                rejections.append(
                    Rejection(id_, f"mask {plan.pairs.masks[id_]}: {reason}; draw it as they are")
                )
                continue
            items.append(_item(plan, id_, marked[id_], values))
        elif id_ not in plan.pairs.masks and options.masks == "sparse" and plan.pairs.orphans:
            reason = f"no mask, and {plan.pairs.orphans[0]} fits no image: it may be this one's"
            rejections.append(Rejection(id_, f"{reason}; correct the name of that mask or remove it"))
        elif id_ not in plan.pairs.masks and options.masks == "sparse":
            items.append(SheetItem(id_, plan.root / id_, (), "mask", part=plan.tree.parts.get(id_, "")))
        elif id_ not in plan.pairs.masks:
            missing += 1
            reason = "no mask; add one (empty for a defect-free sheet), or say with --masks sparse that it is"
            rejections.append(Rejection(id_, f"{reason} defect-free"))
    counts = (("images", len(items)), ("mask files", len(marked)), ("images without a mask", missing))
    return SheetSet(
        plan.root,
        "masks",
        ("none", *names),
        tuple(items),
        tuple(rejections),
        plan.listing.passed_over,
        counts=tuple((name, count) for name, count in counts if count),
    )


def _refuse_colours(plan: FolderPlan) -> None:
    """Raise BadData for masks drawn in several colours, which may stand for types."""
    colours: dict[tuple[int, int, int], str] = {}
    for mask in sorted(plan.pairs.masks.values()):
        for colour in mask_colours(plan.root / mask):
            colours.setdefault(colour, mask)
    if len(colours) > 1:
        (one, first), (other, second) = list(colours.items())[:2]
        raise BadData(
            f"{plan.root}: masks in several colours, such as {one} in {first} and {other} in {second}; save "
            "them as gray values 1, 2, 3 if the colours are types, else as black and white"
        )


def _read_masks(plan: FolderPlan, rejections: list[Rejection]) -> Iterator[tuple[str, _Marked]]:
    for id_, mask in sorted(plan.pairs.masks.items()):
        try:
            yield id_, _read_mask(plan.root / mask)
        except BadImage as error:
            rejections.append(Rejection(id_, f"mask {error}"))


def _read_mask(path: Path) -> _Marked:
    values = read_values(path)
    look = look_of(values)
    if look.kind == "photograph":
        raise BadImage(f"{path.name}: expected a mask, found a photograph; replace it")
    levels = [level for level in look.levels if level != _VOID]
    if levels and max(levels) < FEW and (len(levels) > 1 or levels == [0]):
        indices = tuple(level for level in levels if level)
        if _VOID not in look.levels or len(levels) > 1:
            return _Marked(indices, bool(indices))
    return _Marked((), bool(np.any(marked_pixels(values))), border=look.levels == (0, _VOID))


def _item(plan: FolderPlan, id_: str, marked: _Marked, values: list[int]) -> SheetItem:
    path = plan.root / plan.pairs.masks[id_]
    where = plan.pairs.masks[id_]
    types: tuple[int, ...]
    sources: tuple[MaskSource, ...]
    if values and marked.indices:
        types = tuple(values.index(value) + 1 for value in marked.indices)
        sources = tuple(
            MaskSource(values.index(value) + 1, path=path, where=where, value=value)
            for value in marked.indices
        )
    elif values and marked.border:
        types, sources = (), ()
    else:
        types = (1,) if marked.any else ()
        sources = (MaskSource(1 if types else 0, path=path, where=where),)
    return SheetItem(id_, plan.root / id_, types, "mask", sources, part=plan.tree.parts.get(id_, ""))
