"""Whether a node of a cluster does a piece of work as the driver would: equal facts, files and folders.

The one rule for parts of a scan and for tasks. What is done with a node that is refused is in `refusals`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from steelsight.names import shown_name

__all__ = [
    "Expected",
    "Mark",
    "NodeReport",
    "SeenFile",
    "not_installed",
    "see_files",
    "see_folder",
    "why_refused",
]

_OF_MACHINE: Final = ("machine", "processor", "accelerator", "engine")  # facts that no installation changes
_OF_FOLDER: Final = -1  # in place of a size
_SAMPLED: Final = 8  # files of a folder that are compared


@dataclass(frozen=True)
class SeenFile:
    """A file or folder that every node must see as the driver does."""

    path: str
    size: int  # bytes; -1 = a folder


@dataclass(frozen=True)
class Mark:
    """A file that the driver has written into a folder, by which nodes recognise the folder."""

    path: str
    content: str


@dataclass(frozen=True)
class Expected:
    """What every node must have."""

    facts: Mapping[str, str]  # what results depend on beside their inputs: versions, processor, ...
    files: tuple[SeenFile, ...] = ()
    marks: tuple[Mark, ...] = ()  # in folders that the node writes into
    advice: str = "leave the node out"  # where the machine itself is another one
    mixed: bool = False  # whether another machine is allowed


@dataclass(frozen=True)
class NodeReport:
    """What a node is, and why it cannot be used; None = it can."""

    node: str  # id of Ray
    host: str
    refusal: str | None


def why_refused(expected: Expected, facts: Mapping[str, str]) -> str | None:
    """Why this node, with its own facts, must not be used; None = it may."""
    differs = {
        name: f"expected {name} {wanted} as where the command runs, got {facts.get(name, 'none')}"
        for name, wanted in expected.facts.items()
        if facts.get(name) != wanted
    }
    of_software = [words for name, words in differs.items() if name not in _OF_MACHINE]
    if of_software:
        return f"{'; '.join(of_software)}; install the same versions on all nodes"
    if differs and not expected.mixed:
        return (
            "results are equal to the bit on equal machines only: "
            f"{'; '.join(differs.values())}; {expected.advice}"
        )
    found = (*map(_why_unseen, expected.files), *map(_why_unmarked, expected.marks))
    return next(filter(None, found), None)


def not_installed(error: ModuleNotFoundError) -> str:
    """Why a node is refused where a module is missing."""
    return f"{error.name} is not installed there; install the same packages on all nodes"


def see_folder(folder: Path) -> Iterator[SeenFile]:
    """A folder and some of its files, or a file alone; nothing hidden, such as marks of other commands."""
    yield from see_files([str(folder)])
    if folder.is_dir():
        shown = (str(path) for path in folder.iterdir() if not path.name.startswith("."))
        yield from see_files(islice(shown, _SAMPLED))


def see_files(paths: Iterable[str]) -> Iterator[SeenFile]:
    """Those of some files and folders that this process sees."""
    for path in paths:
        try:
            yield SeenFile(path, _size(path))
        except OSError:  # whoever reads it says so
            continue


def _size(path: str) -> int:
    is_folder = os.path.isdir(path)  # noqa: PTH112  # bytes that are not text
    return _OF_FOLDER if is_folder else os.stat(path).st_size  # noqa: PTH116


def _why_unseen(file: SeenFile) -> str | None:
    try:
        size = _size(file.path)
    except OSError as error:
        came = error.strerror or type(error).__name__
    else:
        came = "" if size == file.size else f"{_described(size)} instead of {_described(file.size)}"
    if not came:
        return None
    return (
        f"{shown_name(file.path)}: not seen there as by the driver ({came}); mount the folder under the same "
        "path on all nodes"
    )


def _described(size: int) -> str:
    return "a folder" if size == _OF_FOLDER else f"a file of {size} bytes"


def _why_unmarked(mark: Mark) -> str | None:
    folder = Path(mark.path).parent
    try:
        seen = Path(mark.path).read_text() == mark.content
    except (OSError, UnicodeDecodeError):
        seen = False
    if not seen:
        return (
            f"{shown_name(str(folder))}: expected the folder that the command writes into, got another or "
            "none; --out must lie on a folder that all nodes see under one path"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{shown_name(str(folder))}: permission denied there; let the user of Ray write into --out"
    return None
