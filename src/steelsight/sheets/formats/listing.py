"""Which files a folder holds. Nothing is decoded; what is passed over is named with its reason."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from steelsight.sheets.images.image_file import IMAGE_SUFFIXES, unreadable
from steelsight.sheets.own_folders import folder_kind
from steelsight.types import Rejection

__all__ = [
    "MAX_DEPTH",
    "MAX_LINKED",
    "TOO_MANY_LINKS",
    "Listing",
    "UnusedFiles",
    "is_image_name",
    "list_images",
    "system_reason",
    "unused_files",
]

MAX_DEPTH: Final = 100  # folders within folders
MAX_LINKED: Final = 10_000  # folders reached through links: links to folders of links multiply without end
TOO_DEEP: Final = f"more than {MAX_DEPTH} folders deep; what is below is not read: move it up"
TOO_MANY_LINKS: Final = (
    f"after {MAX_LINKED} folders that are links or below links, no more are read; remove such links"
)
_SYSTEM: Final = {
    "thumbs.db": "thumbnails of Windows",
    "desktop.ini": "folder settings of Windows",
    "ehthumbs.db": "thumbnails of Windows",
    "system volume information": "system folder of Windows",
    "$recycle.bin": "recycle bin",
    "recycler": "recycle bin",
    "@recycle": "recycle bin",
    "#recycle": "recycle bin",
    "lost+found": "recovered fragments of the file system",
    "@eadir": "thumbnails of a network store",
    "@recently-snapshot": "snapshots of a network store",
    "#snapshot": "snapshots of a network store",
    "__macosx": "resource forks of macOS",
    "__pycache__": "compiled Python",
}
_DOCUMENTS: Final = re.compile(r"(readme|licen[cs]e|copying|changelog|citation|notice)(\W.*)?", re.IGNORECASE)
_NOTES: Final = frozenset({".md", ".rst", ".pdf", ".html", ".htm"})


@dataclass(frozen=True)
class Listing:
    """The files under a folder, as sorted POSIX paths relative to it, and what was passed over."""

    images: tuple[str, ...]
    rejections: tuple[Rejection, ...]  # folders that cannot be read, and files of other kinds
    passed_over: tuple[Rejection, ...] = ()  # system files, hidden files, folders of ours
    others: tuple[str, ...] = ()  # files that are no images
    unreadable: tuple[Rejection, ...] = ()  # of the rejections, those that are no counts of files
    used: tuple[str, ...] = ()  # files that are no images and have a use beside every layout

    def without(self, used: Collection[str]) -> Listing:
        """The same listing where some files that are no images have a use, so that none of them is stray."""
        if not used:
            return self
        others = tuple(name for name in self.others if name not in used)
        strays = unused_files(others)[0]
        return replace(self, others=others, used=tuple(used), rejections=(*self.unreadable, *strays))


@dataclass
class _Walk:
    """What a walk has found so far."""

    unreadable: list[Rejection] = field(default_factory=list)
    passed_over: list[Rejection] = field(default_factory=list)
    hidden: Counter[tuple[str, str]] = field(default_factory=Counter)  # folder, reason
    linked: int = 0  # folders entered through a link, or below one


def list_images(root: Path) -> Listing:
    """All images under `root`, at any depth.

    Links to folders are followed unless they lead back to a folder above them, MAX_LINKED folders behind
    links at most, and MAX_DEPTH folders deep. Hidden and system files and
    folders that Steelsight wrote are passed over; other files are counted per folder and suffix among the
    rejections, so that no image of an unknown format goes missing unnoticed.
    """
    images: list[str] = []
    others: list[str] = []
    walk = _Walk()
    for entry in _walk(root, "", (), walk):
        (images if _suffix(entry) in IMAGE_SUFFIXES else others).append(entry)
    passed_over = [
        Rejection(f"{folder or '.'}/", f"{count} file(s) passed over: {reason}")
        for (folder, reason), count in sorted(walk.hidden.items())
    ]
    strays, documents = unused_files(others)
    return Listing(
        tuple(sorted(images)),
        (*walk.unreadable, *strays),
        (*walk.passed_over, *passed_over, *documents),
        tuple(sorted(others)),
        tuple(walk.unreadable),
    )


def unused_files(
    others: Collection[str], used: Collection[str] = ()
) -> tuple[list[Rejection], list[Rejection]]:
    """Files that are no images and that nothing read: faults, and what is passed over as documentation.

    used  files that were read as annotations
    """
    unused = UnusedFiles()
    for entry in sorted(set(others) - set(used)):
        unused.add(entry)
    return unused.faults(), unused.documents


class UnusedFiles:
    """Counts files that are no images per folder and suffix, and names what is documentation."""

    def __init__(self) -> None:
        self.documents: list[Rejection] = []
        self._strays: Counter[tuple[str, str]] = Counter()

    def add(self, entry: str) -> None:
        """Count a file by its path below the root."""
        folder, _, name = entry.rpartition("/")
        suffix = PurePosixPath(name).suffix.lower()
        if _DOCUMENTS.fullmatch(name) or suffix in _NOTES:
            self.documents.append(Rejection(entry, "documentation"))
        elif not folder and suffix in {".csv", ".tsv"}:
            words = "a table; --groups column:NAME or file:PATH:COLUMN uses one"
            self.documents.append(Rejection(entry, words))
        else:
            self._strays[folder, suffix] += 1

    def faults(self) -> list[Rejection]:
        """One for each folder and suffix of files that nothing reads."""
        faults = []
        for (folder, suffix), count in sorted(self._strays.items()):
            kind = f"ending in {suffix}" if suffix else "without a suffix"
            reason = (
                f"{count} file(s) {kind}: not an image format; expected {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
            faults.append(Rejection(f"{folder or '.'}/", reason))
        return faults


def _walk(
    folder: Path, prefix: str, above: tuple[tuple[int, int], ...], walk: _Walk, linked: bool = False
) -> Iterator[str]:
    walk.linked += linked
    if walk.linked > MAX_LINKED:
        if walk.linked == MAX_LINKED + 1:  # told once
            walk.unreadable.append(Rejection(prefix, TOO_MANY_LINKS))
        return
    if len(above) > MAX_DEPTH:
        walk.unreadable.append(Rejection(prefix, TOO_DEEP))
        return
    try:
        found = folder.stat()
        here = (found.st_dev, found.st_ino)
        if here in above:
            reason = "a symbolic link that leads back to a folder above it; remove it"
            walk.unreadable.append(Rejection(prefix, reason))
            return
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        walk.unreadable.append(Rejection(prefix or "./", unreadable(folder, error)))
        return
    names = {entry.name for entry in entries if not entry.name.startswith(".")}
    own = folder_kind(names) if prefix else ""
    if own:
        walk.passed_over.append(Rejection(prefix, own))
        return
    for entry in entries:
        is_folder = _is_folder(entry)
        reason = system_reason(entry.name)
        if reason and is_folder:
            walk.passed_over.append(Rejection(f"{prefix}{entry.name}/", reason))
        elif reason:
            walk.hidden[prefix.rstrip("/"), reason] += 1
        elif is_folder:
            behind = linked or entry.is_symlink()
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", (*above, here), walk, behind)
        else:
            yield f"{prefix}{entry.name}"


def _suffix(entry: str) -> str:
    """As `Path.suffix`, in lower case; making a Path of every file takes longer than the rest of the walk."""
    name = entry.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix}".lower() if dot and stem and suffix else ""


def is_image_name(name: str) -> bool:
    """Whether `list_images` lists a file of this name."""
    return _suffix(name) in IMAGE_SUFFIXES and not system_reason(name)


def system_reason(name: str) -> str:
    """Why a file or folder of this name is passed over; "" where it is not."""
    lower = name.lower()
    if lower.startswith((".trash", ".recycle")):
        return "recycle bin"
    return _SYSTEM.get(lower, "hidden" if name.startswith(".") else "")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: listed as a file, so that reading it gives the reason
        return False
