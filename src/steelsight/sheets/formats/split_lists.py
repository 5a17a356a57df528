"""Lists of images by part of a split: `train.txt`, `val.txt`, `test.txt`, as VOC and YOLO have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from steelsight.reading import read_regular
from steelsight.sheets.formats.folder_tree import part_of
from steelsight.sheets.formats.image_names import ImageNames
from steelsight.types import Part, Rejection, SheetSet

__all__ = ["SplitLine", "apply_split_lists", "find_split_lists"]

SUFFIXES: Final = (".txt", ".lst")
MOST_BYTES: Final = 2**26
UNIONS: Final = frozenset(
    {"trainval", "train_val", "trainvaltest", "all"}
)  # lists of several parts, not used
ENOUGH: Final = 0.5  # share of a file's lines that must name images, for it to be a list of images


@dataclass(frozen=True)
class SplitLine:
    """One line of a list."""

    file: str
    number: int  # from 1
    name: str  # of an image, as written
    part: Part  # "" in a list of several parts

    def __str__(self) -> str:
        return f"{self.file} line {self.number}"


def find_split_lists(
    root: Path, others: Sequence[str], images: Sequence[str]
) -> dict[str, tuple[SplitLine, ...]]:
    """The lines of every list of images among the files of a folder, by file.

    others  files that are no images, by their paths in the folder
    images  those of images
    A list is named after a part of a split, or several, and not after an image; at least half of its lines
    name images.
    """
    wanted = [name for name in others if PurePosixPath(name).suffix.lower() in SUFFIXES and _is_part(name)]
    if not wanted:
        return {}
    names = ImageNames(images)
    found = {name: _lines(root, name) for name in wanted if not names.find(PurePosixPath(name).stem)}
    return {
        name: lines
        for name, lines in found.items()
        if lines and sum(bool(_images(line, names)) for line in lines) >= ENOUGH * len(lines)
    }


def apply_split_lists(sheets: SheetSet, lists: dict[str, tuple[SplitLine, ...]]) -> SheetSet:
    """The same sheets with the parts that lists name, where they have none yet.

    Lines that name no image or several become rejections; an image that stands in two parts, or that such a
    line may mean, is set aside.
    """
    if not lists or any(item.part for item in sheets.items):
        return sheets
    known = {item.id for item in sheets.items}
    names = ImageNames([*known, *(bad.id for bad in sheets.rejections)])
    parts: dict[str, SplitLine] = {}
    doubtful: dict[str, str] = {}
    faults = []
    for line in (line for name in sorted(lists) for line in lists[name] if line.part):
        images = _images(line, names)
        if len(images) != 1:
            what = f"fits {' and '.join(images[:3])}; write the whole path" if images else "is no image here"
            fault = f"{line} ({line.name:.120}): the name {what}"
            faults.append(Rejection(line.name, fault))
            doubtful |= dict.fromkeys(names.near(line.name), f"its part of the split is not known: {fault}")
            continue
        other = parts.setdefault(images[0], line)
        if other.part != line.part:
            doubtful[images[0]] = f"{line}: part {line.part}, {other}: {other.part}; keep one"
    faults += [Rejection(id_, reason) for id_, reason in doubtful.items() if id_ in known]
    items = tuple(
        replace(item, part=parts[item.id].part) if item.id in parts else item
        for item in sheets.items
        if item.id not in doubtful
    )
    return replace(sheets, items=items, rejections=(*sheets.rejections, *faults))


def _part(name: str) -> Part:
    return part_of(PurePosixPath(name).stem)


def _is_part(name: str) -> bool:
    return bool(_part(name)) or PurePosixPath(name).stem.casefold() in UNIONS


def _lines(root: Path, name: str) -> tuple[SplitLine, ...]:
    """The lines of a file that are neither empty nor comments; none of a file that is no text."""
    try:
        text = read_regular(root / name, most_bytes=MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):  # no list; the file is told among those that are no images
        return ()
    rows = ((number, row.strip()) for number, row in enumerate(text.splitlines(), start=1))
    return tuple(
        SplitLine(name, number, row, _part(name)) for number, row in rows if row and not row.startswith("#")
    )


def _images(line: SplitLine, names: ImageNames) -> tuple[str, ...]:
    """The images that a line fits: as a whole, else by its first word (VOC adds 1 or -1)."""
    return names.find(line.name) or names.find(line.name.split()[0])
