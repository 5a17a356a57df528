"""Which image files are masks of which others: by their names, confirmed by their values.

Three ways of naming are known: the same name with another suffix (`a.jpg`, `a.png`), a name with an affix
(`a_label.bmp`), and a folder of masks. A way of naming is looked at on a sample of its pairs. Where all pairs
of the sample agree it holds for all; else all are looked at, and most of them or each
decides. Values decide, names only propose.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from steelsight.errors import BadData
from steelsight.sheets.formats.mask_folders import MASK_WORDS, find_mask_folders, match_folder, words_of
from steelsight.sheets.mask_values import MaskLook, look_at

__all__ = [
    "AFFIX_WORDS",
    "LookAt",
    "MaskPairs",
    "NamesApart",
    "find_masks",
    "look_in",
    "may_be_affix",
    "pair_masks",
]

LookAt = Callable[[str], MaskLook]  # from an id to what its values say
Side = Literal["first", "second", "neither", "unclear"]

MOST: Final = 0.8  # of the pairs of one way of naming: the others are then faults, told when masks are read
SAMPLE: Final = 12  # pairs of one way of naming, or files of one folder
_AFFIX: Final = re.compile(r"[ _.\-][\w.\-]{1,24}")
AFFIX_WORDS: Final = MASK_WORDS | {"anno", "annot", "seg", "labelids", "labelmap", "bw", "binary"}
_SEPARATOR: Final = re.compile(r"[ _.\-]")


@dataclass(frozen=True)
class MaskPairs:
    """The masks of a listing."""

    masks: dict[str, str]  # image id to mask id
    orphans: tuple[str, ...] = ()  # masks without an image
    folders: tuple[str, ...] = ()  # folders of masks
    unclear: tuple[str, ...] = ()  # messages: what names and values do not settle

    def sheets(self, ids: Iterable[str]) -> list[str]:
        """The ids that are no masks."""
        masks = {*self.masks.values(), *self.orphans}
        return [id_ for id_ in ids if id_ not in masks]


@dataclass
class _Search:
    """The state of one search."""

    look: LookAt
    masks: dict[str, str] = field(default_factory=dict)
    orphans: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


def look_in(root: Path) -> LookAt:
    """Looks at the files of a folder, each once as long as it stays as it is."""

    def look(id_: str) -> MaskLook:
        path = root / id_
        try:
            found = path.stat()
        except OSError:
            return MaskLook("unreadable")
        return _remembered(path, found.st_size, found.st_mtime_ns)

    return look


@lru_cache(maxsize=20_000)
def _remembered(path: Path, _size: int, _changed_ns: int) -> MaskLook:
    return look_at(path)


def pair_masks(root: Path, ids: Sequence[str], rule: str | None = None) -> MaskPairs:
    """The masks among the images of a folder; raises BadData where names and values do not settle it.

    rule  `none`: no file is a mask; `.png`: files of this suffix are; `_label`: names with this affix are;
          else the name of a folder of masks; None: recognised
    """
    pairs = find_masks(ids, look_in(root), rule)
    if pairs.unclear:
        raise BadData(f"{root}: {pairs.unclear[0]}")
    return pairs


class NamesApart:
    """Whether names alone say that no file of a growing listing is a mask: then no file is looked at.

    A name stands apart if it holds no word for masks, no other file has its stem, and it does not continue
    another name after a separator. The answer may be no where `find_masks` finds nothing; never the opposite.
    """

    def __init__(self) -> None:
        self.apart = True
        self._ids: set[str] = set()
        self._stems: set[str] = set()
        self._bases: set[str] = set()  # beginnings of stems, up to each separator

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: Iterable[str]) -> bool:
        """Add names that are not there yet; whether all of them stand apart."""
        for id_ in ids:
            if not self.apart:
                break
            if id_ not in self._ids:
                self._ids.add(id_)
                self.apart = self._stands_apart(id_)
        return self.apart

    def _stands_apart(self, id_: str) -> bool:
        if not AFFIX_WORDS.isdisjoint(words_of(id_)):
            return False
        stem = PurePosixPath(id_.casefold()).stem
        bases = {stem[: match.start()] for match in _SEPARATOR.finditer(stem)}
        bases |= {stem.removesuffix(word) for word in AFFIX_WORDS if stem.endswith(word)}
        twice = stem in self._stems or stem in self._bases or not self._stems.isdisjoint(bases)
        self._stems.add(stem)
        self._bases |= bases
        return not twice


def find_masks(ids: Sequence[str], look: LookAt, rule: str | None = None) -> MaskPairs:
    """As `pair_masks`, for any source of images; what stays unclear is told, and taken as sheets."""
    if rule == "none":
        return MaskPairs({})
    search = _Search(look)
    if rule is not None and rule not in {"boxes", "sparse"}:
        _pair_by_rule(search, ids, rule)
    else:
        _pair_twins(search, ids)
        _pair_affixes(search, ids)
        _pair_folders(search, ids)
    return MaskPairs(search.masks, tuple(search.orphans), tuple(search.folders), tuple(search.unclear))


def _pair_by_rule(search: _Search, ids: Sequence[str], rule: str) -> None:
    if re.fullmatch(r"\.\w{1,5}", rule):
        for _, files in _twins(ids).items():
            masks = [id_ for id_ in files if PurePosixPath(id_).suffix.lower() == rule.lower()]
            images = [id_ for id_ in files if id_ not in masks]
            if masks and images:
                search.masks[images[0]] = masks[0]
    else:
        for base, mask, affix in _affixed(ids):
            if affix.casefold() == rule.casefold():
                search.masks[base] = mask
        folders = {folder for folder in _by_folder(ids) if rule.strip("/").casefold() in _names(folder)}
        _match_folders(search, ids, folders)
    if not search.masks:
        raise BadData(
            f"--masks {rule}: no image has a mask so named; expected none, .png, _label or a folder"
        )


def _names(folder: str) -> set[str]:
    return {folder.casefold(), *(part.casefold() for part in folder.split("/"))}


def _twins(ids: Iterable[str]) -> dict[str, list[str]]:
    by_stem: dict[str, list[str]] = defaultdict(list)
    for id_ in ids:
        by_stem[str(PurePosixPath(id_).with_suffix(""))].append(id_)
    return {stem: files for stem, files in by_stem.items() if len(files) > 1}


def _by_folder(ids: Iterable[str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = defaultdict(list)
    for id_ in ids:
        folders[id_.rpartition("/")[0]].append(id_)
    return folders


def _pair_twins(search: _Search, ids: Sequence[str]) -> None:
    """Files of one name and several suffixes."""
    ways: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for files in _twins(ids).values():
        ordered = sorted(files, key=lambda id_: (id_.lower().endswith(".png"), id_))
        for second in ordered[1:]:
            suffixes = tuple(PurePosixPath(id_).suffix.lower() for id_ in (ordered[0], second))
            ways[suffixes].append((ordered[0], second))
    for suffixes, pairs in sorted(ways.items()):
        name = f"files of one name ending in {suffixes[0]} and {suffixes[1]}"
        _settle(search, pairs, name, default="second" if suffixes[1] == ".png" else "unclear")


def _pair_affixes(search: _Search, ids: Sequence[str]) -> None:
    """Names that are another file's name with an affix."""
    taken = {*search.masks, *search.masks.values()}
    ways: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for base, mask, affix in _affixed(id_ for id_ in ids if id_ not in taken):
        ways[affix.casefold()].append((base, mask))
    for affix, pairs in sorted(ways.items()):
        known = bool(set(words_of(affix)) & AFFIX_WORDS)
        fresh = [(base, mask) for base, mask in pairs if base not in search.masks]
        _settle(
            search, fresh, f"names ending in {affix!r}", default="second" if known else "neither", named=known
        )


def _affixed(ids: Iterable[str]) -> list[tuple[str, str, str]]:
    """(image, mask, affix) of names in one folder that continue another file's name, or follow a word."""
    found = []
    for files in _by_folder(ids).values():
        stems = {PurePosixPath(id_).stem: id_ for id_ in reversed(files)}
        for stem, id_ in stems.items():
            base = next((stem[:cut] for cut in range(len(stem) - 1, 0, -1) if stem[:cut] in stems), "")
            affix = stem[len(base) :]
            if base and may_be_affix(affix):
                found.append((stems[base], id_, affix))
                continue
            head = re.match(r"[A-Za-z]+[ _.\-]", stem)
            if head and head[0][:-1].casefold() in AFFIX_WORDS and stem[head.end() :] in stems:
                found.append((stems[stem[head.end() :]], id_, head[0]))
    return found


def may_be_affix(affix: str) -> bool:
    """Whether a name that continues another one by this may be its mask, or the other its mask."""
    return affix.casefold() in AFFIX_WORDS or _AFFIX.fullmatch(affix) is not None


def _settle(
    search: _Search, pairs: Sequence[tuple[str, str]], name: str, *, default: Side, named: bool = False
) -> None:
    """Tell which of the two files of each pair is the mask.

    default  what names alone say, where no file can be read
    named    whether the second file's name calls it a mask
    """
    sample = pairs if len(pairs) <= SAMPLE else [pairs[i * len(pairs) // SAMPLE] for i in range(SAMPLE)]
    agreed = _agreed(search.look, sample, 1.0) or _agreed(search.look, pairs, MOST)
    for first, second in pairs:
        side = agreed or _side(search.look(first), search.look(second))
        if side == "unread":
            side = default
        elif side == "unclear" and default == "second":
            side = "second" if _may_mask(search.look(second), named) else "unclear"
        if side == "neither" and named:
            search.unclear.append(
                f"{second} is named as a mask and holds a photograph; remove such files, "
                "or say with --masks none that they are sheets"
            )
        elif side == "unclear":
            search.unclear.append(
                f"{first} and {second} both look like masks ({name}); say with --masks none that all are "
                f"sheets, or with --masks {PurePosixPath(second).suffix} which are masks"
            )
        elif side == "second":
            search.masks.setdefault(first, second)
        elif side == "first":
            search.masks.setdefault(second, first)


def _agreed(look: LookAt, pairs: Sequence[tuple[str, str]], share: float) -> str | None:
    """What the values of so many of the pairs that can be read say."""
    sides = Counter(_side(look(first), look(second)) for first, second in pairs)
    del sides["unread"]
    side, count = next(iter(sides.most_common(1)), ("", 0))
    return side if count and count >= share * sides.total() else None


def _may_mask(look: MaskLook, named: bool) -> bool:
    return named or look.kind in {"flat", "mask"}


def _side(first: MaskLook, second: MaskLook) -> str:
    """Which of two files is the mask of the other, by their values."""
    kinds = (first.kind, second.kind)
    if "unreadable" in kinds:
        return "unread"
    if kinds == ("photograph", "photograph"):
        return "neither"
    if kinds[0] == "photograph":
        return "second"
    return "first" if kinds[1] == "photograph" else "unclear"


def _pair_folders(search: _Search, ids: Sequence[str]) -> None:
    taken = {*search.masks, *search.masks.values()}
    rest = [id_ for id_ in ids if id_ not in taken]
    images = [id_ for id_ in ids if id_ not in set(search.masks.values())]
    folders, unclear = find_mask_folders(_by_folder(rest), images, search.look, SAMPLE)
    search.unclear += unclear
    _match_folders(search, ids, folders)


def _match_folders(search: _Search, ids: Sequence[str], folders: set[str]) -> None:
    if not folders:
        return
    by_folder = _by_folder(ids)
    masks = [id_ for folder in sorted(folders) for id_ in by_folder[folder]]
    known = {*search.masks.values(), *masks}
    matched = match_folder(masks, [id_ for id_ in ids if id_ not in known])
    for image, mask in matched.pairs:
        search.masks.setdefault(image, mask)
    search.orphans += matched.orphans
    search.folders += sorted(folders)
    search.unclear += matched.unclear
