"""Reads each sheet with its masks once: what it is, whether it can be used, and its pixels."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from steelsight.errors import BadAnnotation, BadImage
from steelsight.sheets.images.file_index import FileFacts, FileIndex, hash_bytes
from steelsight.sheets.images.image_file import read_bytes
from steelsight.sheets.images.pixels import read_sheet, read_size
from steelsight.sheets.masks import MaskFacts, check_masks, mask_facts
from steelsight.types import GrayImage, InputSpec, Rejection, SheetItem, SheetSet

__all__ = [
    "ExaminedSheet",
    "ReasonGroup",
    "Report",
    "SheetCollector",
    "check_images",
    "examine_all",
    "group_reasons",
    "remember_all",
]

Report = Callable[[int, int], None]  # sheets done, sheets in all
_NUMBER = re.compile(r"\d+(\.\d+)?")
_MOST_MARKED = 0.5  # share of an image above which a mask looks inverted
Rows = Mapping[str, GrayImage]  # model pixels by the hash of the image file's bytes


@dataclass(frozen=True)
class ExaminedSheet:
    """One sheet and its files, read or remembered."""

    item: SheetItem
    files: tuple[tuple[Path, FileFacts, str], ...]  # the image, then mask files; facts and stamp of each
    row: GrayImage | None  # None: the image cannot be used, or its pixels were not asked for

    @property
    def content(self) -> str:
        """The hash of the image file's bytes."""
        return self.files[0][1].content

    def facts_of(self, path: Path) -> MaskFacts:
        """What was found in one of its mask files; raises BadImage if that cannot be used."""
        facts = next(facts for known, facts, _ in self.files[1:] if known == path)
        if facts.error:
            raise BadImage(f"{path.name}: {facts.error}")
        return MaskFacts(facts.size, facts.area_px)


class SheetCollector:
    """Collects examined sheets: the usable ones, as their masks have them, and the reasons of the others."""

    def __init__(self, examined: Iterable[ExaminedSheet] = ()) -> None:
        """Begin with some sheets."""
        self.good: list[ExaminedSheet] = []
        self.rejections: list[Rejection] = []
        for one in examined:
            self.add(one)

    def add(self, examined: ExaminedSheet) -> bool:
        """Take one sheet; whether it is usable. Its pixels are not kept."""
        image = examined.files[0][1]
        if image.error:
            self.rejections.append(Rejection(examined.item.id, image.error))
            return False
        try:
            item = check_masks(examined.item, image.size, examined.facts_of)
        except BadAnnotation as error:
            self.rejections.append(Rejection(examined.item.id, str(error)))
            return False
        self.good.append(replace(examined, item=item, row=None))
        return True

    def apply(self, sheets: SheetSet) -> SheetSet:
        """The folder with the usable sheets alone and every reason."""
        items = tuple(examined.item for examined in self.good)
        rejections = (*sheets.rejections, *self.rejections, *self._mostly_marked())
        return replace(
            sheets,
            items=items,
            rejections=rejections,
            passed_over=(*sheets.passed_over, *self._empty_masks()),
        )

    def _mostly_marked(self) -> list[Rejection]:
        """A fault of the whole folder where most masks mark most of their image, as inverted ones do."""
        areas = [
            (facts.area_px / (facts.size[0] * facts.size[1]), examined.item.id)
            for examined in self.good
            if examined.item.masks and all(mask.value is None for mask in examined.item.masks)
            for _, facts, _ in examined.files[1:2]
        ]
        wide = [(area, id_) for area, id_ in areas if area > _MOST_MARKED]
        if len(wide) < 2 or len(wide) <= len(areas) / 2:
            return []
        reason = (
            f"{len(wide)} of {len(areas)} masks mark more than half of their image, such as that of "
            f"{wide[0][1]} ({wide[0][0]:.0%}): is the defect black on white? Invert the masks, or tolerate "
            "this item with --allow-bad 1 where defects are so large"
        )
        return [Rejection("./", reason)]

    def _empty_masks(self) -> list[Rejection]:
        """Defective sheets whose mask files mark nothing: a note, since their class is used all the same."""
        empty = [
            examined.item.id
            for examined in self.good
            if examined.item.types
            and len(examined.files) > 1
            and not any(facts.area_px for _, facts, _ in examined.files[1:])
        ]
        if not empty:
            return []
        what = (
            f"{len(empty)} defective sheet(s) with an empty mask, such as {empty[0]}: only the class is used"
        )
        return [Rejection("./", what)]


def check_images(
    sheets: SheetSet,
    *,
    spec: InputSpec | None = None,
    workers: int = 2,
    report: Report | None = None,
) -> SheetSet:
    """Decode every image and compare it with its masks; unusable sheets move to the rejections."""
    return SheetCollector(examine_all(sheets.items, spec or InputSpec(), None, {}, workers, report)).apply(
        sheets
    )


def examine_all(
    items: Sequence[SheetItem],
    spec: InputSpec,
    index: FileIndex | None,
    rows: Rows,
    workers: int,
    report: Report | None,
) -> Iterator[ExaminedSheet]:
    """Every sheet in order, a few ahead of the reader so that decoded pixels do not pile up."""
    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="decode") as pool:
        ahead = 32 * max(1, workers)
        waiting = deque(pool.submit(_examine, item, spec, index, rows) for item in items[:ahead])
        for position in range(len(items)):
            yield waiting.popleft().result()
            if position + ahead < len(items):
                waiting.append(pool.submit(_examine, items[position + ahead], spec, index, rows))
            if report is not None:
                report(position + 1, len(items))


def _examine(item: SheetItem, spec: InputSpec, index: FileIndex | None, rows: Rows) -> ExaminedSheet:
    facts, stamp, row = _examine_image(item.path, spec, index, rows)
    files = [(item.path, facts, stamp)]
    for source in item.masks:
        if source.path is not None:
            files.append((source.path, *_examine_mask(source.path, index)))
    return ExaminedSheet(item, tuple(files), row)


def _examine_image(
    path: Path, spec: InputSpec, index: FileIndex | None, rows: Rows
) -> tuple[FileFacts, str, GrayImage | None]:
    known = index.known(path) if index else None
    stamp = index.stamp(path) if index else ""
    if known and (known.error or known.content in rows):
        return known, stamp, rows.get(known.content)
    content = ""
    try:
        read = read_bytes(path)
        content = hash_bytes(read)
        size = read_size(read)
        row = rows.get(content)
        return FileFacts(content, size), stamp, read_sheet(read, spec) if row is None else row
    except BadImage as error:
        return _unusable(error, content, path), stamp, None


def _examine_mask(path: Path, index: FileIndex | None) -> tuple[FileFacts, str]:
    known = index.known(path) if index else None
    stamp = index.stamp(path) if index else ""
    if known:
        return known, stamp
    content = ""
    try:
        content = hash_bytes(read_bytes(path))
        facts = mask_facts(path)
        return FileFacts(content, facts.size, area_px=facts.area_px), stamp
    except BadImage as error:
        return _unusable(error, content, path), stamp


def remember_all(sheets: SheetSet, index: FileIndex) -> list[ExaminedSheet] | None:
    """Every sheet from the index alone, or None when a file is new or may have changed."""
    remembered = []
    for item in sheets.items:
        files = []
        for path in (item.path, *(source.path for source in item.masks if source.path is not None)):
            facts = index.known(path)
            if facts is None:
                return None
            files.append((path, facts, ""))
        remembered.append(ExaminedSheet(item, tuple(files), None))
    return remembered


def _unusable(error: BadImage, content: str, path: Path) -> FileFacts:
    """The reason; without content, so that it is not remembered, where it is no property of the file."""
    return FileFacts("" if error.kind == "out_of_memory" else content, error=_reason(error, path))


def _reason(error: BadImage, path: Path) -> str:
    return str(error).removeprefix(f"{path.name}: ").removeprefix("image: ")


@dataclass(frozen=True)
class ReasonGroup:
    """Items that are set aside for one reason."""

    first: str  # id of the first
    reason: str  # of the first; numbers before the advice may differ among the others
    count: int

    def __str__(self) -> str:
        return f"{self.first}: {self.reason}" + f" (and {self.count - 1} more like it)" * (self.count > 1)


def group_reasons(rejections: Sequence[Rejection]) -> list[ReasonGroup]:
    """Group what is set aside by reason, in the order of the first of each.

    Reasons are equal where they differ only in the item's own name, and in numbers before the advice that
    follows the first semicolon: other advice is another reason.
    """
    groups: dict[tuple[str, str], list[Rejection]] = {}
    for each in rejections:
        name = each.id.rpartition("/")[2] or each.id
        what, _, advice = each.reason.replace(each.id, "").replace(name, "").partition(";")
        groups.setdefault((_NUMBER.sub("#", what), advice), []).append(each)
    return [ReasonGroup(same[0].id, same[0].reason, len(same)) for same in groups.values()]
