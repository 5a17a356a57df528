"""Which image files a folder holds. Nothing is opened; what is passed over is named with its reason."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from steelsight.sheets.images.image_file import IMAGE_SUFFIXES, unreadable
from steelsight.types import Rejection

__all__ = ["Listing", "list_images"]

_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx", "lost+found"})


@dataclass(frozen=True)
class Listing:
    """The images under a folder, as sorted POSIX paths relative to it, and what was passed over."""

    images: tuple[str, ...]
    rejections: tuple[Rejection, ...]


def list_images(root: Path) -> Listing:
    """All images under `root`, at any depth.

    Links to folders are followed unless they lead back to a folder above them. Hidden and system files are
    skipped; other files are counted per folder and suffix among the rejections, so that no image of an
    unknown format goes missing unnoticed.
    """
    images: list[str] = []
    rejections: list[Rejection] = []
    strays: Counter[tuple[str, str]] = Counter()
    for entry in _walk(root, "", (), rejections):
        folder, _, name = entry.rpartition("/")
        suffix = Path(name).suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            images.append(entry)
        else:
            strays[folder, suffix] += 1
    for (folder, suffix), count in sorted(strays.items()):
        kind = f"ending in {suffix}" if suffix else "without a suffix"
        reason = f"{count} file(s) {kind}: not an image format; expected {', '.join(sorted(IMAGE_SUFFIXES))}"
        rejections.append(Rejection(f"{folder or '.'}/", reason))
    return Listing(tuple(sorted(images)), tuple(rejections))


def _walk(
    folder: Path, prefix: str, above: tuple[tuple[int, int], ...], rejections: list[Rejection]
) -> Iterator[str]:
    try:
        found = folder.stat()
        here = (found.st_dev, found.st_ino)
        if here in above:
            reason = "a symbolic link that leads back to a folder above it; remove it"
            rejections.append(Rejection(prefix, reason))
            return
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        rejections.append(Rejection(prefix or "./", unreadable(folder, error)))
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in _SYSTEM_FILES:
            continue
        if _is_folder(entry):
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", (*above, here), rejections)
        else:
            yield f"{prefix}{entry.name}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: listed as a file, so that reading it gives the reason
        return False
