"""The sheets of decided reviews as items of a DATA folder, with images from the ledger's store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from steelsight.adaptation.reviews.deciding import DecidedSheet, types_of
from steelsight.adaptation.reviews.options import ReviewExportOptions
from steelsight.adaptation.reviews.parts import Coils
from steelsight.adaptation.reviews.reading import GivenAnswer
from steelsight.errors import BadAnnotation, BadImage, ImageAltered, ImageMissing
from steelsight.files import write_synced
from steelsight.ledger.images.store import ImageStore
from steelsight.names import short_name, shown_name
from steelsight.sheets.examine import check_images
from steelsight.sheets.images.image_file import IMAGE_SUFFIXES
from steelsight.sheets.images.pixels import read_size
from steelsight.sheets.rle import check_runs, encode_mask
from steelsight.types import MaskSource, Part, Rejection, SheetItem, SheetSet

__all__ = ["Pictured", "group_of", "marked_runs", "take_pictures"]

_DIGITS: Final = 12  # of the sheet's identity in its file name
_WITHOUT_SUFFIX: Final = ".png"  # for items whose name has no suffix of an image; the content decides
CLEAN: Final = "none"


@dataclass(frozen=True)
class Pictured:
    """Sheets that can be written, and what their items are about."""

    sheets: SheetSet
    decided: dict[str, DecidedSheet]  # by stem of the image's file name, which it keeps
    left_out: tuple[tuple[DecidedSheet, str], ...]  # with the reason


def group_of(decided: DecidedSheet) -> str:
    """The coil of a sheet; a sheet without a coil is a group of its own."""
    return decided.sheet.coil or f"sheet {decided.sheet.sheet[:_DIGITS]}"


def take_pictures(
    decided: Sequence[DecidedSheet],
    store: ImageStore,
    folder: Path,
    coils: Coils,
    clean: Collection[str],
    options: ReviewExportOptions,
) -> Pictured:
    """Write the images of sheets into a folder, and make items of them with their classes and masks.

    clean   names of defect-free classes
    options what counts as a mask
    raises  BadOutput where the store is away; OSError where an image cannot be written
    """
    names = sorted({name for each in decided for name in _types(each, clean)})
    items: list[SheetItem] = []
    kept: dict[str, DecidedSheet] = {}
    lost: list[tuple[DecidedSheet, str]] = []
    for each in decided:
        try:
            content = store.get(each.sheet.image_hash or "")
        except (ImageMissing, ImageAltered) as error:
            lost.append((each, str(error)))
            continue
        path = folder / _file_name(each)
        write_synced(path, content)
        try:
            items.append(_item(path, each, names, coils, clean, options))
        except (BadAnnotation, BadImage) as error:
            lost.append((each, str(error)))
            continue
        kept[path.stem] = each
    called = sorted({each.label for each in kept.values() if not _types(each, clean)})
    sheets = SheetSet(
        folder, "folder", (CLEAN, *names), tuple(items), clean_name=called[0] if len(called) == 1 else CLEAN
    )
    sheets = check_images(sheets)
    lost += [(kept.pop(Path(bad.id).stem), bad.reason) for bad in _of_items(sheets.rejections, kept)]
    return Pictured(sheets, kept, tuple(lost))


def _of_items(rejections: Sequence[Rejection], kept: dict[str, DecidedSheet]) -> list[Rejection]:
    """The first rejection of each sheet."""
    first = {Path(bad.id).stem: bad for bad in reversed(rejections)}
    return [bad for stem, bad in first.items() if stem in kept]


def _types(each: DecidedSheet, clean: Collection[str]) -> tuple[str, ...]:
    return types_of(each.label, clean, each.sheet.classes)


def _file_name(each: DecidedSheet) -> str:
    """A name that says where the sheet comes from, and is unique by its identity."""
    item = PurePosixPath(each.sheet.item.replace("\\", "/").replace("!", "/"))
    suffix = item.suffix.lower()
    stem = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in item.stem)
    stem = short_name(shown_name(stem), 100).strip(". ") or "sheet"
    end = suffix if suffix in IMAGE_SUFFIXES else _WITHOUT_SUFFIX
    return f"{stem}_{each.sheet.sheet[:_DIGITS]}{end}"


def _item(
    path: Path,
    each: DecidedSheet,
    names: Sequence[str],
    coils: Coils,
    clean: Collection[str],
    options: ReviewExportOptions,
) -> SheetItem:
    types = tuple(sorted(names.index(name) + 1 for name in _types(each, clean)))
    masks: tuple[MaskSource, ...] = ()
    source = _mask_source(each, options)
    if len(types) == 1 and source is not None and (runs := marked_runs(source, path)):
        masks = (MaskSource(types[0], runs=runs, where=_where(source)),)
    group = group_of(each)
    part: Part = coils.part(group)
    evidence = "mask" if masks or not types else "class"
    return SheetItem(path.name, path, types, evidence, masks, group, part)  # type: ignore[arg-type]


def _mask_source(each: DecidedSheet, options: ReviewExportOptions) -> GivenAnswer | None:
    """The review that says where the defect is; None = only the classes are known."""
    marked = each.defect
    if marked is not None and (options.boxes or marked.mask is not None):
        return marked
    if options.places and marked is None and each.confirmed is not None:
        return replace(each.confirmed, boxes=each.confirmed.places)
    return None


def _where(answer: GivenAnswer) -> str:
    return f"review {answer.seq} of {answer.writer}"


def marked_runs(answer: GivenAnswer, path: Path) -> str:
    """The places that a review marks on an image as run lengths: painted pixels, else boxes; "" = none.

    raises  BadAnnotation where they lie outside the image
    """
    height, width = read_size(path)
    if answer.mask is not None:
        check_runs(answer.mask, (height, width), where=_where(answer))
        return answer.mask
    marked = np.zeros((height, width), dtype=bool)
    for left, top, right, bottom in answer.boxes:
        if right > width or bottom > height:
            raise BadAnnotation(
                f"{_where(answer)}: expected boxes inside {width}x{height} px, got {left}, {top} to {right}, "
                f"{bottom}; mark it again"
            )
        marked[top:bottom, left:right] = True
    return encode_mask(marked)
