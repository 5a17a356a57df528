"""Which of very many names may be masks or images of masks, found in sorted order with little memory.

`find_masks` keeps every name in memory. Names that no rule of it pairs do not change its answer, so that it
needs only those that this file chooses: files of one name, names that continue another name, and what lies in
folders that are named as masks, with the images of those names. Folders that merely look like masks are not
chosen, because `find_masks` tells of them and pairs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from steelsight.sheets.formats.mask_folders import MASK_WORDS, words_of
from steelsight.sheets.formats.mask_pairs import AFFIX_WORDS, may_be_affix

__all__ = ["choose_candidates"]

_SEPARATOR: Final = re.compile(r"[ _.\-]")
_HEAD: Final = re.compile(r"([A-Za-z]+)[ _.\-]")


def choose_candidates(iterate_ids: Callable[[], Iterable[str]]) -> list[str]:
    """The ids that `find_masks` may pair, in their order.

    iterate_ids   all ids, sorted by code point; it is called up to twice
    """
    first = _FirstPass()
    for id_ in iterate_ids():
        first.add(id_)
    if first.wanted:
        return [id_ for id_ in iterate_ids() if id_ in first.chosen or first.wanted.names(id_)]
    return sorted(first.chosen)


@dataclass
class _Wanted:
    """Names by which further ids are candidates; these may lie before the ids that want them."""

    stems: set[tuple[str, str]] = field(default_factory=set)  # folder, stem
    bases: set[tuple[str, str]] = field(default_factory=set)  # folder, stem that other names continue
    anywhere: set[str] = field(default_factory=set)  # stems in any folder, case folded

    def __bool__(self) -> bool:
        return bool(self.stems or self.bases or self.anywhere)

    def names(self, id_: str) -> bool:
        """Whether an id has such a name."""
        folder, stem = _split(id_)
        if (folder, stem) in self.stems or (folder, stem) in self.bases or stem.casefold() in self.anywhere:
            return True
        return any((folder, stem[: match.start()]) in self.bases for match in _SEPARATOR.finditer(stem))


@dataclass
class _FirstPass:
    """What sorted ids say of each other: names that begin alike follow each other."""

    chosen: set[str] = field(default_factory=set)
    wanted: _Wanted = field(default_factory=_Wanted)
    _before: list[tuple[str, str, str]] = field(
        default_factory=list
    )  # folder, stem, id that the next continue
    _last: str = ""
    _named: tuple[str, bool] = ("", False)  # the last folder, and whether it is named as masks

    def add(self, id_: str) -> None:
        """Look at the next id."""
        folder, stem = _split(id_)
        while self._before and not id_.startswith(_joined(*self._before[-1][:2])):
            self._before.pop()
        self._choose_by_beginnings(id_, folder, stem)
        if self._last.startswith(_joined(folder, stem)) and _split(self._last) != (folder, stem):
            self.wanted.bases.add((folder, stem))  # `a-mask.png` comes before `a.jpg`
        self._choose_by_words(id_, folder, stem)
        self._before.append((folder, stem, id_))
        self._last = id_

    def _choose_by_beginnings(self, id_: str, folder: str, stem: str) -> None:
        """Ids of the same folder whose stem this one has, or continues by what may be an affix."""
        beside = [each for each in self._before if each[0] == folder and stem.startswith(each[1])]
        if any(base == stem or may_be_affix(stem[len(base) :]) for _, base, _ in beside):
            self.chosen.update(other for _, _, other in beside)
            self.chosen.add(id_)

    def _choose_by_words(self, id_: str, folder: str, stem: str) -> None:
        head = _HEAD.match(stem)
        if head and head[1].casefold() in AFFIX_WORDS:
            self.chosen.add(id_)
            self.wanted.stems.add((folder, stem[head.end() :]))
        if folder != self._named[0]:
            self._named = (folder, not MASK_WORDS.isdisjoint(words_of(folder)))
        if self._named[1]:
            self.chosen.add(id_)
            self.wanted.anywhere |= _partner_stems(stem.casefold())


def _split(id_: str) -> tuple[str, str]:
    """Folder and stem."""
    folder, _, name = id_.rpartition("/")
    return folder, name.rpartition(".")[0]


def _joined(folder: str, stem: str) -> str:
    return f"{folder}/{stem}" if folder else stem


def _partner_stems(stem: str) -> set[str]:
    """The stems of images that a mask of this stem may belong to."""
    found = {stem, *(stem[: match.start()] for match in _SEPARATOR.finditer(stem))}
    head = _HEAD.match(stem)
    if head:
        found.add(stem[head.end() :])
    return found
