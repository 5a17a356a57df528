"""The images to explain, with masks and true classes where DATA or a file beside them gives these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steelsight.errors import BadAnnotation, BadData, BadImage
from steelsight.sheets.catalog import mask_fractions, open_data
from steelsight.sheets.formats.listing import list_images
from steelsight.sheets.formats.mask_pairs import find_masks, look_in
from steelsight.sheets.images.image_file import IMAGE_SUFFIXES
from steelsight.sheets.images.pixels import read_sheet
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.sheets.own_folders import OwnFolders
from steelsight.types import AreaFractions, GrayImage, InputSpec, MaskSource, Rejection, SheetItem

__all__ = ["ReadSheet", "find_items", "read_items"]

_LOOSE = "outside DATA"  # the group of a sheet that is in no DATA folder


@dataclass(frozen=True)
class ReadSheet:
    """One sheet as the model sees it."""

    item: SheetItem
    gray: GrayImage
    mask: AreaFractions | None  # None = not known, or nothing to outline
    truth: str | None  # names of its true types; None = not known


def find_items(
    paths: Sequence[Path], data: Path | None, options: DataOptions = AUTOMATIC
) -> tuple[list[SheetItem], tuple[str, ...]]:
    """The images in files and folders, in the order given, each once.

    Masks are not images: in a folder, and beside a file, `x.png` is the mask of `x.jpg`, as in DATA.

    data    DATA folder with masks and classes; an image outside it is matched by its file name
    options how DATA is opened; its groups are not used
    returns the sheets, and the type names of DATA (none without)
    raises  BadImage where a path does not exist, BadData where DATA cannot be used, or
            a path is of a folder that Steelsight wrote
    """
    own = OwnFolders("an image or a folder of images", BadData)
    for path in paths:
        own.refuse(path)
    known = open_data(data, options=options) if data is not None else None
    by_path = {item.path.resolve(): item for item in known.items} if known else {}
    by_name: dict[str, list[SheetItem]] = {}
    for item in by_path.values():
        by_name.setdefault(item.path.name, []).append(item)
    found: dict[Path, SheetItem] = {}
    for loose in (item for path in paths for item in _loose_items(path)):
        namesakes = by_name.get(loose.path.name, [])
        namesake = namesakes[0] if len(namesakes) == 1 else loose
        found.setdefault(loose.path.resolve(), by_path.get(loose.path.resolve(), namesake))
    return list(found.values()), (known.clean_name, *known.type_names[1:]) if known else ()


def read_items(
    items: Sequence[SheetItem], spec: InputSpec, type_names: Sequence[str]
) -> tuple[list[ReadSheet], list[Rejection]]:
    """The sheets that can be read, and the others with reasons; a bad mask is left out, its sheet kept."""
    read, set_aside = [], []
    for item in items:
        try:
            gray = read_sheet(item.path, spec)
        except BadImage as error:
            set_aside.append(Rejection(item.id, str(error)))
            continue
        mask = None
        try:
            mask = mask_fractions(item, spec) if item.masks else None
        except (BadAnnotation, BadImage) as error:
            set_aside.append(Rejection(item.id, f"explained without its mask: {error}"))
        outlined = mask if mask is not None and mask.any() else None
        read.append(ReadSheet(item, gray, outlined, _truth(item, type_names)))
    return read, set_aside


def _truth(item: SheetItem, type_names: Sequence[str]) -> str | None:
    if not type_names or item.group == _LOOSE:
        return None
    return " + ".join(type_names[index] for index in item.types or (0,))


def _loose_items(path: Path) -> list[SheetItem]:
    if path.is_dir():
        root, ids = path, list(list_images(path).images)
        pairs = find_masks(ids, look_in(root))
        wanted = pairs.sheets(ids)
    elif path.exists():
        root, wanted = path.parent, [path.name]
        near = sorted(root.glob(f"{_literal(path.stem)}*"))
        images = [found.name for found in near if found.suffix.lower() in IMAGE_SUFFIXES]
        pairs = find_masks(images, look_in(root))
    else:
        raise BadImage(f"{path}: expected an image or a folder of images, found nothing; check the path")
    return [_loose_item(root, id_, pairs.masks.get(id_)) for id_ in wanted]


def _loose_item(root: Path, id_: str, mask: str | None) -> SheetItem:
    """A sheet outside DATA, perhaps with a mask, whose unknown defect type is entered as type 1."""
    if mask is None:
        return SheetItem(id_, root / id_, (), "class", group=_LOOSE)
    return SheetItem(id_, root / id_, (1,), "mask", (MaskSource(1, path=root / mask, where=mask),), _LOOSE)


def _literal(stem: str) -> str:
    """A glob pattern that matches this file name only: names may hold brackets."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in stem)
