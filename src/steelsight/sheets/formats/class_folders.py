"""Folders of images by class, with or without masks and a split of their own.

    DATA/
    ├── MT_Free/a.jpg            defect-free: named so (see class_names), or named by the caller
    ├── MT_Crack/b.jpg           the class is the first folder; deeper folders only sort files
    └── MT_Crack/b.png           the mask of b.jpg, by its values; see mask_pairs for other places

    DATA/train/good/a.jpg, DATA/test/crack/b.jpg              with a split, which is kept
    DATA/test/crack/b.png, DATA/ground_truth/crack/b_mask.png as MVTec AD has it

A sheet has one class here. Of a defect sheet without mask only the class is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from steelsight.errors import BadData
from steelsight.sheets.formats.class_names import ClassNames, is_unsorted, name_classes
from steelsight.sheets.formats.folder_tree import FolderTree, plan_tree
from steelsight.sheets.formats.listing import Listing, list_images
from steelsight.sheets.formats.mask_pairs import MaskPairs, pair_masks
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.types import Evidence, MaskSource, Rejection, SheetItem, SheetSet

__all__ = ["FolderPlan", "plan_folders", "read_classes", "read_folder"]


@dataclass(frozen=True)
class FolderPlan:
    """A folder as its names and the values of its masks have it."""

    root: Path
    listing: Listing
    pairs: MaskPairs
    sheets: tuple[str, ...]  # ids that are no masks
    tree: FolderTree

    @property
    def layout(self) -> str:
        """The name of this structure among sheets.catalog.LAYOUTS."""
        if not any(self.tree.classes.values()):
            return "masks"
        if not self.tree.parts:
            return "folder"
        apart = [folder for folder in self.pairs.folders if "/" not in folder.rstrip("/") or folder]
        tops = {folder.split("/")[0] for folder in apart}
        images = {id_.split("/")[0] for id_ in self.sheets}
        return "mvtec" if tops and not tops & images else "split"


def plan_folders(
    root: Path, listing: Listing | None = None, *, masks: str | None = None, split: bool | None = None
) -> FolderPlan:
    """Find the masks of a folder, and class and part of every other image.

    raises  BadData where names and values leave a choice, naming the option that settles it
    """
    listing = listing or list_images(root)
    pairs = pair_masks(root, listing.images, masks)
    sheets = pairs.sheets(listing.images)
    try:
        tree = plan_tree(sheets, split=split)
    except BadData as error:
        raise BadData(f"{root}: {error}") from error
    return FolderPlan(root, listing, pairs, tuple(sheets), tree)


def read_folder(root: Path, options: DataOptions = AUTOMATIC) -> SheetSet:
    """The sheets of a folder of class folders; the first folder is the class, whatever its name.

    returns      defect types in the order of their folders' names; ids are paths relative to `root`
    raises       BadData when there is no class folder with an image
    """
    return read_classes(plan_folders(root, masks=options.masks, split=False), options, "folder")


def read_classes(plan: FolderPlan, options: DataOptions, layout: str) -> SheetSet:
    """The sheets of a plan by their classes."""
    root, classes = plan.root, plan.tree.classes
    loose = [id_ for id_ in plan.sheets if not classes[id_]]
    unsorted = {name for name in classes.values() if is_unsorted(name) and name not in options.defect_free}
    listed = [id_ for id_ in plan.sheets if classes[id_] and classes[id_] not in unsorted]
    if not listed:
        raise BadData(
            f"{root}: expected train_images/ with train.csv, or one folder of images per class; "
            f"found {len(loose)} image(s) outside any folder and none inside one"
        )
    rejections = [*plan.listing.rejections, *_outside(loose), *_orphans(plan.pairs)]
    rejections += _unclassified(Counter(classes[id_] for id_ in plan.sheets if classes[id_] in unsorted))
    named = {rejection.id for rejection in rejections}
    paths = (*plan.pairs.folders, *listed, *plan.listing.used)
    used = {path.split("/")[0] for path in paths}
    passed = {rejection.id for rejection in plan.listing.passed_over}
    rejections.extend(
        empty for empty in _empty_folders(root, used) if empty.id not in named and empty.id not in passed
    )
    names = _names(root, sorted({classes[id_] for id_ in listed}), options.defect_free)
    items = tuple(_item(plan, id_, names) for id_ in _by_class(listed, classes))
    masks = len(plan.pairs.masks)
    counts = (("images", len(items)), ("mask files", masks)) if masks else (("images", len(items)),)
    return SheetSet(
        root,
        layout,
        names.type_names,
        items,
        tuple(rejections),
        plan.listing.passed_over,
        names.clean_name,
        (*counts, *_parts(items)),
    )


def _names(root: Path, classes: Sequence[str], asked: Collection[str]) -> ClassNames:
    try:
        return name_classes(classes, asked)
    except BadData as error:
        raise BadData(f"{root}: {error}") from error


def _parts(items: Sequence[SheetItem]) -> list[tuple[str, int]]:
    counted = Counter(item.part for item in items if item.part)
    return [(f"{part} images", counted[part]) for part in ("train", "validation", "test") if counted[part]]


def _by_class(ids: Sequence[str], classes: dict[str, str]) -> list[str]:
    return sorted(ids, key=lambda id_: (classes[id_], id_))


def _outside(loose: Sequence[str]) -> list[Rejection]:
    if not loose:
        return []
    reason = f"{len(loose)} image(s) outside the class folders; move them into the folder of their class"
    return [Rejection("./", reason)]


def _unclassified(counts: Counter[str]) -> list[Rejection]:
    return [
        Rejection(
            f"{name}/",
            f"{count} image(s) that nobody classified, as the folder's name says; sort them, or rename the "
            "folder if it is a class",
        )
        for name, count in sorted(counts.items())
    ]


def _orphans(pairs: MaskPairs) -> list[Rejection]:
    reason = "a mask without its image; add the image or remove the mask"
    return [Rejection(mask, reason) for mask in pairs.orphans]


def _empty_folders(root: Path, used: Collection[str]) -> list[Rejection]:
    return [
        Rejection(f"{folder.name}/", "class folder without images; fill it or remove it")
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in used
    ]


def _item(plan: FolderPlan, id_: str, names: ClassNames) -> SheetItem:
    defect_type = names.types.get(plan.tree.classes[id_])
    part = plan.tree.parts.get(id_, "")
    mask = plan.pairs.masks.get(id_)
    source: tuple[MaskSource, ...] = ()
    if mask is not None:
        source = (MaskSource(defect_type or 0, path=plan.root / mask, where=mask),)
    types = () if defect_type is None else (defect_type,)
    evidence: Evidence = "mask" if source or not types else "class"
    return SheetItem(id_, plan.root / id_, types, evidence, source, part=part)
