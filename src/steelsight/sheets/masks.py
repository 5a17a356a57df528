"""Defect masks of one sheet, from run lengths or mask files, and whether they fit their image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from steelsight.errors import BadAnnotation, BadImage
from steelsight.sheets.images.pixels import fit_mask, read_size
from steelsight.sheets.mask_values import look_of, marked_pixels, read_values
from steelsight.sheets.rle import check_runs, decode_runs
from steelsight.types import AreaFractions, InputSpec, Mask, MaskSource, SheetItem

__all__ = ["MaskFacts", "check_masks", "mask_facts", "mask_fractions", "read_mask", "read_mask_file"]


@dataclass(frozen=True)
class MaskFacts:
    """What checking needs to know of a mask file."""

    size: tuple[int, int]  # height, width
    area_px: int


def read_mask(item: SheetItem, size: tuple[int, int] | None = None) -> dict[int, Mask]:
    """The masks of one sheet by defect type, at the size of its image.

    size    (height, width) of the image where it is known; None reads the image's header
    returns {} when the sheet is defect-free or only its classes are known
    raises  BadAnnotation when a mask has another size or its run lengths are wrong
    """
    if item.evidence == "class" or not item.types:
        return {}
    size = size or read_size(item.path)
    return {source.defect_type: _read_source(source, size) for source in item.masks if source.defect_type}


def mask_fractions(item: SheetItem, spec: InputSpec) -> AreaFractions:
    """The share of each model pixel that defects of any type cover; raises BadAnnotation if not known."""
    if item.evidence == "class" and item.types:
        raise BadAnnotation(
            f"{item.id}: only its classes are known, expected masks; ask `item.evidence` first"
        )
    size = read_size(item.path)
    union = np.zeros(size, dtype=bool)
    for mask in read_mask(item, size).values():
        union |= mask
    return fit_mask(union, spec)


def read_mask_file(path: Path, value: int | None = None) -> Mask:
    """A mask image as bool at its own size: every marked pixel, or those of one value; raises BadImage."""
    values = read_values(path)
    if value is not None:
        one: Mask = values == value
        return one
    return marked_pixels(values)


def mask_facts(path: Path) -> MaskFacts:
    """Size and area of a mask file; raises BadImage, also where the file is a photograph."""
    values = read_values(path)
    if look_of(values).kind == "photograph":
        raise BadImage(
            f"{path.name}: expected a mask (few values, most of it background), found a photograph; "
            "replace it, or say with --masks none that there are no masks"
        )
    mask = marked_pixels(values)
    return MaskFacts((mask.shape[0], mask.shape[1]), int(mask.sum()))


def check_masks(
    item: SheetItem, size: tuple[int, int], facts_of: Callable[[Path], MaskFacts] = mask_facts
) -> SheetItem:
    """The sheet with what its masks really say.

    size     (height, width) of its image
    facts_of looks up a mask file; a cache can answer in its place
    returns  the sheet; where all its masks are empty, they show no place and only its classes remain known
    raises   BadAnnotation when a mask contradicts the image's size, or marks a defect on a defect-free sheet
    """
    areas = {source: _area(source, size, facts_of) for source in item.masks}
    for source, area_px in areas.items():
        if area_px and not source.defect_type:
            raise BadAnnotation(
                f"{source.where}: marks {area_px} pixels on a sheet of a defect-free folder; "
                "empty the mask or move the sheet"
            )
    kept = tuple(source for source in item.masks if source.defect_type and areas[source])
    if item.types and item.evidence == "mask" and {source.defect_type for source in kept} != set(item.types):
        return replace(item, evidence="class", masks=())
    return replace(item, masks=kept)


def _area(source: MaskSource, size: tuple[int, int], facts_of: Callable[[Path], MaskFacts]) -> int:
    if source.path is None:
        return check_runs(source.runs or "", size, where=source.where)
    try:
        facts = facts_of(source.path)
    except BadImage as error:
        raise BadAnnotation(f"mask {error}") from error
    _refuse_other_size(source, facts.size, size)
    return facts.area_px


def _read_source(source: MaskSource, size: tuple[int, int]) -> Mask:
    if source.path is None:
        return decode_runs(source.runs or "", size, where=source.where)
    mask = read_mask_file(source.path, source.value)
    _refuse_other_size(source, (mask.shape[0], mask.shape[1]), size)
    return mask


def _refuse_other_size(source: MaskSource, found: tuple[int, int], expected: tuple[int, int]) -> None:
    if found != expected:
        raise BadAnnotation(
            f"mask {source.where}: {found[1]}x{found[0]} pixels, its image has {expected[1]}x{expected[0]}; "
            "draw it on the image as it is"
        )
