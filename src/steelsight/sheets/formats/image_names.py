"""Which image a name in a table means: by path, with either slash, with or without suffix and letter case.

A name means an image where its path ends with the image's, or the image's path ends with it. A name that
fits several images means none of them; a name in another case counts only where the exact one does not exist.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from steelsight.sheets.formats.tables import CsvTable
from steelsight.sheets.images.image_file import IMAGE_SUFFIXES

__all__ = ["NAME_COLUMNS", "ImageNames", "name_column"]

NAME_COLUMNS: Final = (
    "ImageId",
    "image",
    "image_id",
    "imageid",
    "image_name",
    "image_path",
    "img",
    "file",
    "filename",
    "file_name",
    "filepath",
    "file_path",
    "path",
    "name",
    "id",
    "sheet",
)


@dataclass(frozen=True)
class _Spellings:
    """Images by every way of writing their names, for one treatment of case and suffix."""

    whole: dict[str, tuple[str, ...]]
    ends: dict[str, tuple[str, ...]]


class ImageNames:
    """Finds the images that names of a table mean."""

    def __init__(self, ids: Iterable[str]) -> None:
        """Know some images by their ids: POSIX paths relative to the image root."""
        self._ids = frozenset(ids)
        self._exact = _spell(self._ids, _tidy)
        self._loose = _spell(self._ids, lambda text: _tidy(text).casefold())

    def find(self, name: str) -> tuple[str, ...]:
        """The images a name fits: one, none, or several, which makes it ambiguous.

        >>> ImageNames(["crack/01.jpg", "good/01.jpg"]).find("D:\\\\data\\\\crack\\\\01.JPG")
        ('crack/01.jpg',)
        >>> ImageNames(["crack/01.jpg", "good/01.jpg"]).find("01")
        ('crack/01.jpg', 'good/01.jpg')
        """
        if name in self._ids:
            return (name,)
        text = _tidy(name)
        return _lookup(self._exact, text) or _lookup(self._loose, text.casefold())

    def near(self, name: str) -> tuple[str, ...]:
        """The images that a name may mean: those it fits, else those of another suffix.

        >>> ImageNames(["good/01.jpg"]).find("01.png"), ImageNames(["good/01.jpg"]).near("01.png")
        ((), ('good/01.jpg',))
        """
        return self.find(name) or self.find(_without_suffix(_tidy(name)))

    def one(self, name: str) -> str | None:
        """The image a name means, or None."""
        found = self.find(name)
        return found[0] if len(found) == 1 else None


def _tidy(name: str) -> str:
    text = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
    while text.startswith("./"):
        text = text[2:]
    return text.strip("/")


def _without_suffix(path: str) -> str:
    pure = PurePosixPath(path)
    return str(pure.with_suffix("")) if pure.suffix.lower() in IMAGE_SUFFIXES else path


def _spell(ids: Iterable[str], form: Callable[[str], str]) -> _Spellings:
    whole: dict[str, list[str]] = defaultdict(list)
    ends: dict[str, list[str]] = defaultdict(list)
    for id_ in sorted(ids):
        text = form(id_)
        for spelling in {text, _without_suffix(text)}:
            whole[spelling].append(id_)
            parts = spelling.split("/")
            for start in range(1, len(parts)):
                ends["/".join(parts[start:])].append(id_)
    return _Spellings(
        {text: tuple(found) for text, found in whole.items()},
        {text: tuple(found) for text, found in ends.items()},
    )


def _lookup(known: _Spellings, text: str) -> tuple[str, ...]:
    """The name whole; else an image whose path the name ends with; else images whose paths end with it."""
    if not text:
        return ()
    parts = text.split("/")
    for start in range(len(parts)):
        found = known.whole.get("/".join(parts[start:]))
        if found:
            return found
    return known.ends.get(text, ())


def name_column(table: CsvTable, names: ImageNames, *, apart: str = "") -> str | None:
    """The column of a table that names images: by its title, else the one with most names of images.

    apart  a column that is something else
    """
    by_case = {column.casefold(): column for column in reversed(table.columns) if column != apart}
    titled = [by_case[title.casefold()] for title in NAME_COLUMNS if title.casefold() in by_case]
    columns = list(dict.fromkeys([*titled, *(column for column in table.columns if column != apart)]))
    if not columns:
        return None
    if titled and titled[0] == "ImageId":
        return titled[0]
    counts = [sum(bool(names.find(row.cells[column])) for row in table.rows[:200]) for column in columns]
    best = max(range(len(columns)), key=lambda i: counts[i])  # the first of equals
    return columns[best] if counts[best] or titled else None
