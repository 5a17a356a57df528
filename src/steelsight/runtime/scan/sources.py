"""List the images of files, folders, patterns and archives in a stable order.

Images are not read, except small parts of possible masks, whose values decide.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from steelsight.errors import BadSource
from steelsight.names import shown_name
from steelsight.runtime.engine.reading import ImageRefused, read_file
from steelsight.runtime.scan.archives.listing import ArchiveRefused, archive_kind, iterate_archive
from steelsight.runtime.scan.archives.members import Entry, Member
from steelsight.runtime.scan.archives.reader import ArchiveReader
from steelsight.runtime.scan.patterns import expand_pattern
from steelsight.sheets.formats.listing import list_images
from steelsight.sheets.formats.mask_pairs import LookAt, MaskPairs, find_masks, look_in
from steelsight.sheets.images.image_file import IMAGE_SUFFIXES, unreadable
from steelsight.sheets.mask_values import MaskLook, look_at
from steelsight.sheets.own_folders import OwnFolders
from steelsight.types import Reason, Rejection

__all__ = [
    "PlannedSheet",
    "SourceListing",
    "SourceReader",
    "absolute",
    "list_sources",
    "without_masks",
]

WANTED: Final = "an image, a folder, a pattern, or a tar or zip archive"


@dataclass(frozen=True, slots=True)
class PlannedSheet:
    """One sheet to scan."""

    index: int  # its place in the scan
    name: str  # in rows and messages, as `shown_name` writes it: the source as given, and the path from there
    path: str  # absolute, of the image or of its archive
    member: Member | None = None
    reason: Reason | None = None  # why it is not read; `detail` says it in words
    detail: str = ""


@dataclass(frozen=True)
class SourceListing:
    """All sheets of some sources, each file once, and what was left out."""

    sheets: tuple[PlannedSheet, ...]
    passed_over: tuple[Rejection, ...]


class SourceReader:
    """Reads the files of planned sheets, each in one state."""

    def __init__(self) -> None:
        self._archives = ArchiveReader()

    def read(self, sheet: PlannedSheet) -> bytes:
        """The bytes of a sheet's file; raises ImageRefused."""
        if sheet.reason is not None:
            raise ImageRefused(sheet.reason, f"{sheet.name}: {sheet.detail}")
        if sheet.member is None:
            return read_file(Path(sheet.path))
        return self._archives.read(sheet.path, sheet.member, sheet.name)

    def close(self) -> None:
        """Close open archives."""
        self._archives.close()


def list_sources(sources: Sequence[str | Path]) -> SourceListing:
    """The sheets of SOURCES in the order of the sources; sorted in folders and patterns, else as packed.

    A file named by several sources is listed once. A mask of another image, as names propose and values
    confirm, is not a sheet, unless it is itself a source; masks are counted in what is left out.
    raises  BadSource for a source that does not exist or cannot be scanned, and where there is no sheet
    """
    passed_over: list[Rejection] = []
    seen: set[str] = set()
    own = OwnFolders(WANTED, BadSource)
    sheets: list[PlannedSheet] = []
    for source in sources:
        for name, path, entry in _list_source(str(source), passed_over, own):
            if entry is None and path in seen:
                continue
            seen.add(path)
            sheet = PlannedSheet(len(sheets), shown_name(name), path)
            if entry is not None:
                sheet = replace(
                    sheet, member=entry.member, reason=entry.reason, detail=shown_name(entry.detail)
                )
            sheets.append(sheet)
    if all(sheet.reason is not None for sheet in sheets):
        names = ", ".join(str(source) for source in sources) or "no source"
        why = next((f"; {each.id}: {each.reason}" for each in passed_over), "")
        why = next((f"; {each.name}: {each.detail}" for each in sheets), why)
        raise BadSource(f"{names:.200}: expected at least one image to scan, found none{why}; check the path")
    shown = (Rejection(shown_name(each.id), shown_name(each.reason)) for each in passed_over)
    return SourceListing(tuple(sheets), tuple(shown))


_Listed = tuple[str, str, Entry | None]  # name, absolute path, entry of an archive


def _list_source(source: str, passed_over: list[Rejection], own: OwnFolders) -> Iterator[_Listed]:
    path = Path(source)
    try:
        exists = path.exists()
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise BadSource(f"{source!r:.200}: expected {WANTED}, got a name no file can have") from error
    if exists:
        own.refuse(path)
    if is_folder:
        yield from _list_folder(path, passed_over)
    elif exists:
        yield from _list_file(path, passed_over)
    elif glob.has_magic(source):
        yield from _list_pattern(source, passed_over)
    elif path.is_symlink():
        raise BadSource(unreadable(path, FileNotFoundError()))
    else:
        raise BadSource(f"{source:.200}: expected {WANTED}, found none; check the path")


def _list_folder(folder: Path, passed_over: list[Rejection]) -> Iterator[_Listed]:
    listing = list_images(folder)
    passed_over += [Rejection(_joined(folder, each.id), each.reason) for each in listing.rejections]
    passed_over += [Rejection(_joined(folder, each.id), each.reason) for each in listing.passed_over]
    pairs = find_masks(listing.images, look_in(folder))
    passed_over += _masks_of(folder.as_posix(), pairs)
    for id_ in pairs.sheets(listing.images):
        yield _joined(folder, id_), str(absolute(folder / id_)), None


def _list_file(path: Path, passed_over: list[Rejection]) -> Iterator[_Listed]:
    if not path.is_file():
        raise BadSource(f"{path}: expected {WANTED}, got a device or a pipe")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        yield path.as_posix(), str(absolute(path)), None
        return
    try:
        kind = archive_kind(path)
    except ArchiveRefused as error:
        yield _refused(path, error)
        return
    if not kind:
        raise BadSource(
            f"{path}: expected {WANTED}, got a file with {path.suffix or 'no suffix'} that is not an archive"
        )
    yield from _list_archive(path, kind, passed_over)


def _list_pattern(pattern: str, passed_over: list[Rejection]) -> Iterator[_Listed]:
    matches = expand_pattern(pattern, passed_over)
    if not matches:
        raise BadSource(
            f"{pattern}: expected a pattern of image files, but it matches nothing; quote it and check it"
        )
    images = [path.as_posix() for path in matches if path.suffix.lower() in IMAGE_SUFFIXES]
    pairs = find_masks(images, look_in(Path()))
    passed_over += _masks_of(pattern, pairs)
    masks = set(images) - set(pairs.sheets(images))
    for path in matches:
        if path.is_dir():
            yield from _list_folder(path, passed_over)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            if path.as_posix() not in masks:
                yield path.as_posix(), str(absolute(path)), None
        elif path.is_file():
            yield from _list_matched_file(path, passed_over)
        else:
            passed_over.append(Rejection(path.as_posix(), "neither an image format nor an archive"))


def _list_matched_file(path: Path, passed_over: list[Rejection]) -> Iterator[_Listed]:
    """A file without an image's suffix that a pattern matches."""
    try:
        kind = archive_kind(path)
    except ArchiveRefused as error:
        yield _refused(path, error)
        return
    if kind:
        yield from _list_archive(path, kind, passed_over)
    else:
        passed_over.append(Rejection(path.as_posix(), "neither an image format nor an archive"))


def _list_archive(path: Path, kind: str, passed_over: list[Rejection]) -> Iterator[_Listed]:
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
        Rejection(path.as_posix(), f"{count} file(s) ending in {suffix or 'no suffix'}: not an image format")
        for suffix, count in sorted(strays.items())
    ]
    if hidden:
        passed_over.append(Rejection(path.as_posix(), f"{hidden} file(s) passed over: hidden"))
    named = [entry.name for entry in entries if entry.name]
    with closing(ArchiveReader()) as reader:
        pairs = find_masks(named, _look_in_archive(reader, path, entries))
    passed_over += _masks_of(path.as_posix(), pairs)
    wanted = set(pairs.sheets(named))
    for entry in entries:
        if not entry.name or entry.name in wanted:
            yield f"{path.as_posix()}:{entry.name}", str(absolute(path)), entry


def _refused(path: Path, error: ArchiveRefused) -> _Listed:
    """One row for an archive that is not scanned; the other sources are."""
    return path.as_posix(), str(absolute(path)), Entry("", None, error.reason, error.detail)


def _is_hidden(name: str) -> bool:
    """Hidden files that a system or an editor adds to archives: `__MACOSX/._a.jpg`."""
    return any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in name.split("/"))


def without_masks(folder: Path, ids: Sequence[str]) -> list[str]:
    """The images of a folder that are not masks of others."""
    return find_masks(ids, look_in(folder)).sheets(ids)


def _masks_of(source: str, pairs: MaskPairs) -> list[Rejection]:
    masks = [*pairs.masks.values(), *pairs.orphans]
    if not masks:
        return []
    return [
        Rejection(
            source, f"{len(masks)} mask(s) of images, such as {masks[0]}; a mask named as a source is scanned"
        )
    ]


def _look_in_archive(reader: ArchiveReader, path: Path, entries: Sequence[Entry]) -> LookAt:
    members = {entry.name: entry.member for entry in entries if entry.member and entry.reason is None}
    looks: dict[str, MaskLook] = {}

    def look(name: str) -> MaskLook:
        if name not in looks:
            try:
                content = reader.read(str(absolute(path)), members[name], name)
            except (KeyError, ImageRefused):
                content = b""
            looks[name] = look_at(content)
        return looks[name]

    return look


def _joined(folder: Path, id_: str) -> str:
    return id_ if str(folder) == "." else f"{folder.as_posix().rstrip('/')}/{id_}"


def absolute(path: Path) -> Path:
    """The path from the root on; links are kept."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.resolve would follow links
