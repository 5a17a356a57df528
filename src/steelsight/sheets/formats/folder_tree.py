"""What the folders above each image say: its class, and its part of the data set's own split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from steelsight.errors import BadData
from steelsight.sheets.formats.class_names import is_defect_free
from steelsight.sheets.formats.mask_folders import IMAGE_WORDS, words_of
from steelsight.types import Part

__all__ = ["PARTS", "FolderTree", "part_of", "plan_tree"]

PARTS: Final[dict[str, Part]] = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "tst": "test",
    "holdout": "test",
}


@dataclass(frozen=True)
class FolderTree:
    """Class and part of every image of a listing."""

    classes: dict[str, str]  # by id; "" = in no class folder
    parts: dict[str, Part]  # by id; empty without a split


def part_of(name: str) -> Part:
    """The part a folder's name stands for: `train`, `Train_images`; "" for any other name.

    >>> part_of("valid"), part_of("train_images"), part_of("crack")
    ('validation', 'train', '')
    """
    words = [word for word in words_of(name) if word not in IMAGE_WORDS]
    return PARTS.get(words[0], "") if len(words) == 1 else ""


def plan_tree(ids: Sequence[str], *, split: bool | None = None) -> FolderTree:
    """Read classes and parts from paths.

    split   whether the first folders are parts of a split; None = recognised, False = they are classes
    raises  BadData where the folders can be read in several ways
    """
    if split is False:
        return FolderTree({id_: id_.partition("/")[0] if "/" in id_ else "" for id_ in ids}, {})
    ways = _telling_folders(ids)
    level = _split_level(ways, sure=split is True)
    parts: dict[str, Part] = {}
    classes = {}
    for id_, folders in ways.items():
        if level is not None:
            parts[id_] = part_of(folders[level])
            folders = [*folders[:level], *folders[level + 1 :]]
        classes[id_] = folders
    if level is None:
        _refuse_wrapper(ways.values())
    _refuse_collection(classes, level)
    return FolderTree({id_: folders[0] if folders else "" for id_, folders in classes.items()}, parts)


def _telling_folders(ids: Sequence[str]) -> dict[str, list[str]]:
    """The folders of each path that can name a class or part: not those that only say "images".

    Where that would leave some images without a class and others with one, "images" is itself a class.
    """
    folders = {id_: id_.split("/")[:-1] for id_ in ids}
    kept = {
        id_: [name for name in names if not set(words_of(name)) <= IMAGE_WORDS]
        for id_, names in folders.items()
    }
    emptied = sum(bool(folders[id_]) and not names for id_, names in kept.items())
    return folders if emptied and any(kept.values()) else kept


def _split_level(ways: Mapping[str, Sequence[str]], *, sure: bool) -> int | None:
    """Which level of folders names the parts: the first, or the second below classes; None = none."""
    firsts = Counter(folders[0] for folders in ways.values() if folders)
    parts = {name for name in firsts if part_of(name)}
    others = sorted(set(firsts) - parts)
    if parts and (not others or sure):
        if sure and others:
            found = ", ".join(others)
            raise BadData(f"--layout split: expected only folders such as train, val and test, found {found}")
        return 0
    deeper = [folders for folders in ways.values() if len(folders) > 1]
    if parts and any(part_of(folders[0]) for folders in deeper):
        raise BadData(
            f"the folders {', '.join(sorted(parts))} look like parts of a split, {', '.join(others)} do not; "
            "move these out, or say with --layout folder that all are classes"
        )
    seconds = {folders[1] for folders in deeper}
    if deeper and len(deeper) == len(ways) and len(seconds) > 1 and all(map(part_of, seconds)):
        return 1
    if sure:
        raise BadData("--layout split: expected folders such as train, val and test, found none")
    return None


def _refuse_wrapper(ways: Iterable[Sequence[str]]) -> None:
    """One folder around class folders is no class."""
    folders = list(ways)
    firsts = {names[0] if names else "" for names in folders}
    seconds = {names[1] for names in folders if len(names) > 1}
    if len(firsts) == 1 and len(seconds) > 1 and any(map(is_defect_free, seconds)):
        first = next(iter(firsts))
        raise BadData(
            f"one folder {first} holds {', '.join(sorted(seconds))}; name {first} as DATA, "
            f"or say with --layout folder that {first} is a class"
        )


def _refuse_collection(classes: Mapping[str, Sequence[str]], level: int | None) -> None:
    """Folders that each hold a data set of their own: MVTec AD's categories, production lines."""
    inner: dict[str, set[str]] = defaultdict(set)
    for folders in classes.values():
        if len(folders) > 1:
            inner[folders[0]].add(folders[1])
    tops = {folders[0] for folders in classes.values() if folders}
    nested = {top for top, names in inner.items() if any(map(is_defect_free, names))}
    if nested and nested == tops and not any(map(is_defect_free, tops)) and (level is None or level == 1):
        names = ", ".join(sorted(tops)[:5])
        raise BadData(
            f"each of the folders {names} holds defect-free images beside others, as a data set of its own; "
            "name one of them, or say with --layout folder that these are the classes"
        )
