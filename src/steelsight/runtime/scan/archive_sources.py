"""List the images of one archive, masks left out, as the plan of a scan holds them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from steelsight.errors import BadSource
from steelsight.runtime.engine.reading import ImageRefused
from steelsight.runtime.scan.archives.listing import (
    ArchivePath,
    ArchiveRefused,
    archive_kind,
    iterate_archive,
)
from steelsight.runtime.scan.archives.members import Entry
from steelsight.runtime.scan.archives.reader import ArchiveReader
from steelsight.runtime.scan.objects.address import is_address
from steelsight.sheets.formats.mask_pairs import LookAt, MaskPairs, find_masks
from steelsight.sheets.images.image_file import IMAGE_SUFFIXES
from steelsight.sheets.mask_values import MaskLook, look_at
from steelsight.types import Reason, Rejection

__all__ = ["Listed", "absolute", "list_if_archive", "masks_of"]

Listed: TypeAlias = tuple[str, str, Entry | None]  # name, path in the plan, entry of an archive


def list_if_archive(path: ArchivePath, passed_over: list[Rejection]) -> Iterator[Listed] | None:
    """The images of an archive, or one row where it is not scanned; None for a file that is no archive.

    passed_over   gets what is left out
    """
    try:
        kind = archive_kind(path)
    except ArchiveRefused as error:
        return iter((_refused(path, error),))
    return _list_archive(path, kind, passed_over) if kind else None


def _list_archive(path: ArchivePath, kind: str, passed_over: list[Rejection]) -> Iterator[Listed]:
    shown, planned = _shown(path), _planned(path)
    strays: Counter[str] = Counter()
    entries, hidden = [], 0
    try:
        for entry in iterate_archive(path, kind):
            suffix = PurePosixPath(entry.name).suffix.lower()
            if _is_hidden(entry.name):
                hidden += 1
            elif not entry.name or suffix in IMAGE_SUFFIXES:
                entries.append(entry)
            else:
                strays[suffix] += 1
    except ArchiveRefused as error:
        yield _refused(path, error)
        return
    passed_over += [
        Rejection(shown, f"{count} file(s) ending in {suffix or 'no suffix'}: not an image format")
        for suffix, count in sorted(strays.items())
    ]
    if hidden:
        passed_over.append(Rejection(shown, f"{hidden} file(s) passed over: hidden"))
    named = [entry.name for entry in entries if entry.name]
    with closing(ArchiveReader(lambda _: path.open("rb"))) as reader:
        pairs = find_masks(named, _look_in_archive(reader, planned, entries))
    passed_over += masks_of(shown, pairs)
    wanted = set(pairs.sheets(named))
    for entry in entries:
        if not entry.name or entry.name in wanted:
            yield f"{shown}:{entry.name}", planned, entry


def _refused(path: ArchivePath, error: ArchiveRefused) -> Listed:
    """One row for an archive that is not scanned; the other sources are."""
    return _shown(path), _planned(path), Entry("", None, error.reason, error.detail)


def _is_hidden(name: str) -> bool:
    """Hidden files that a system or an editor adds to archives: `__MACOSX/._a.jpg`."""
    return any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in name.split("/"))


def masks_of(source: str, pairs: MaskPairs) -> list[Rejection]:
    """What is told of masks that are left out: nothing, or one reason for all of them."""
    masks = [*pairs.masks.values(), *pairs.orphans]
    if not masks:
        return []
    return [
        Rejection(
            source, f"{len(masks)} mask(s) of images, such as {masks[0]}; a mask named as a source is scanned"
        )
    ]


def _look_in_archive(reader: ArchiveReader, path: str, entries: Sequence[Entry]) -> LookAt:
    members = {entry.name: entry.member for entry in entries if entry.member and entry.reason is None}
    looks: dict[str, MaskLook] = {}

    def look(name: str) -> MaskLook:
        if name not in looks:
            try:
                content = reader.read(path, members[name], name)
            except ImageRefused as error:
                # What is a mask would depend on a store that is away for a moment.
                if error.reason is Reason.MISSING and is_address(path):
                    raise BadSource(str(error)) from error
                content = b""
            except KeyError:
                content = b""
            looks[name] = look_at(content)
        return looks[name]

    return look


def _shown(path: ArchivePath) -> str:
    return path.as_posix() if isinstance(path, Path) else str(path)


def _planned(path: ArchivePath) -> str:
    return str(absolute(path)) if isinstance(path, Path) else str(path)


def absolute(path: Path) -> Path:
    """The path from the root on; links are kept."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.resolve would follow links
