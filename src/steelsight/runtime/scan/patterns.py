"""Expand a pattern of files as a shell does, within bounds.

`*`, `?` and `[...]` match within a name, `**` any folders; hidden names are matched by a pattern that begins
with a dot. Unlike the standard library's, `**` follows a bounded number of links: links to
folders of links multiply without end.
"""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from steelsight.sheets.formats.listing import MAX_DEPTH, MAX_LINKED, TOO_MANY_LINKS
from steelsight.types import Rejection

__all__ = ["expand_pattern"]


@dataclass
class _Search:
    """What one pattern has come across."""

    linked: int = 0  # folders reached through links


def expand_pattern(pattern: str, passed_over: list[Rejection]) -> list[Path]:
    """The files and folders that a pattern matches, sorted, each once.

    passed_over   gets a reason where links were not followed further
    """
    parts = Path(pattern).parts
    kept = [part for i, part in enumerate(parts) if part != "**" or parts[i - 1 : i] != ("**",)]
    search = _Search()
    found = sorted(set(_expand(Path(), kept, False, search)), key=os.fsencode)
    if pattern.endswith(("/", os.sep)):
        found = [path for path in found if path.is_dir()]
    if search.linked > MAX_LINKED:
        passed_over.append(Rejection(pattern, TOO_MANY_LINKS))
    return found


def _expand(base: Path, parts: list[str], linked: bool, search: _Search) -> Iterator[Path]:
    if not parts:
        yield base
        return
    part, *rest = parts
    if part == "**":
        yield from _expand_folders(base, rest, linked, search, ())
    elif glob.has_magic(part):
        for entry in _entries(base):
            matches = fnmatch.fnmatch(entry.name, part)
            if matches and (part.startswith(".") or not entry.name.startswith(".")):
                yield from _enter(base / entry.name, rest, linked or entry.is_symlink(), search)
    else:
        yield from _enter(base / part, rest, linked, search)


def _enter(path: Path, rest: list[str], linked: bool, search: _Search) -> Iterator[Path]:
    if rest and path.is_dir():
        yield from _expand(path, rest, linked, search)
    elif not rest and os.path.lexists(path):
        yield path


def _expand_folders(
    base: Path, rest: list[str], linked: bool, search: _Search, above: tuple[tuple[int, int], ...]
) -> Iterator[Path]:
    """`rest` below this folder and all folders in it, or with nothing left all that is in them."""
    search.linked += linked
    try:
        status = base.stat()
    except OSError:
        return
    here = (status.st_dev, status.st_ino)
    if search.linked > MAX_LINKED or here in above or len(above) > MAX_DEPTH:
        return
    if rest or base != Path():
        yield from _expand(base, rest, linked, search)
    for entry in _entries(base):
        if entry.name.startswith("."):
            continue
        if not rest:
            yield base / entry.name
        if _is_folder(entry):
            below = (*above, here)
            yield from _expand_folders(base / entry.name, rest, linked or entry.is_symlink(), search, below)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []
