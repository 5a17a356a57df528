"""List the images of files, folders, patterns, archives and object stores in a stable order.

Images are not read, except small parts of possible masks, whose values decide.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final

from steelsight.errors import BadSource
from steelsight.names import shown_name
from steelsight.runtime.engine.reading import ImageRefused, read_file
from steelsight.runtime.scan.archive_sources import Listed, absolute, list_if_archive, masks_of
from steelsight.runtime.scan.archives.members import Member
from steelsight.runtime.scan.archives.reader import ArchiveReader
from steelsight.runtime.scan.object_sources import list_objects
from steelsight.runtime.scan.objects.address import is_address, parse_address
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.ranged_file import ObjectFile
from steelsight.runtime.scan.objects.reading import ObjectReader
from steelsight.runtime.scan.objects.store import ObjectStore
from steelsight.runtime.scan.patterns import expand_pattern
from steelsight.sheets.formats.listing import list_images
from steelsight.sheets.formats.mask_pairs import find_masks, look_in
from steelsight.sheets.images.image_file import IMAGE_SUFFIXES, unreadable
from steelsight.sheets.own_folders import OwnFolders
from steelsight.types import Reason, Rejection

__all__ = [
    "PlannedSheet",
    "SourceListing",
    "SourceReader",
    "SourceWalk",
    "absolute",
    "list_sources",
    "source_id",
    "without_masks",
]

WANTED: Final = "an image, a folder, a pattern, or a tar or zip archive"


@dataclass(frozen=True, slots=True)
class PlannedSheet:
    """One sheet to scan."""

    index: int  # its place in the scan
    name: str  # in rows and messages, as `shown_name` writes it: the source as given, and the path from there
    path: str  # of the image or of its archive: absolute, or its address in an object store
    member: Member | None = None
    reason: Reason | None = None  # why it is not read; `detail` says it in words
    detail: str = ""


@dataclass(frozen=True)
class SourceListing:
    """All sheets of some sources, each file once, and what was left out."""

    sheets: tuple[PlannedSheet, ...]
    passed_over: tuple[Rejection, ...]


class SourceReader:
    """Reads the files of planned sheets, each in one state; connects to an object store once it is needed."""

    def __init__(self, store: ObjectStore | None = None) -> None:
        """Nothing is opened yet.

        store  for sheets in object storage; None = by the SDK's usual ways
        """
        self._store = store or ObjectStore()
        self._objects = ObjectReader(self._store)
        self._archives = ArchiveReader(self._open)

    def expect(self, sheets: Iterable[PlannedSheet]) -> None:
        """Tell which sheets will be read, in this order: images in object storage are read ahead."""
        self._objects.expect(
            sheet.path
            for sheet in sheets
            if is_address(sheet.path) and sheet.member is None and sheet.reason is None
        )

    def read(self, sheet: PlannedSheet) -> bytes:
        """The bytes of a sheet's file.

        raises  ImageRefused; BadSource where an object store cannot be used any more
        """
        if sheet.reason is not None:
            raise ImageRefused(sheet.reason, f"{sheet.name}: {sheet.detail}")
        if sheet.member is not None:
            return self._read_member(sheet.path, sheet.member, sheet.name)
        return self._objects.read(sheet.path) if is_address(sheet.path) else read_file(Path(sheet.path))

    def _read_member(self, path: str, member: Member, name: str) -> bytes:
        try:
            content = self._archives.read(path, member, name)
        except ImageRefused as error:
            if is_address(path) and isinstance(error.__cause__, ObjectFault):
                self._objects.count(path, error.__cause__)
            raise
        if is_address(path):
            self._objects.count(path, None)
        return content

    def close(self) -> None:
        """Close open archives and connections."""
        self._archives.close()
        self._objects.close()

    def _open(self, path: str) -> BinaryIO:
        return ObjectFile(self._store, parse_address(path)) if is_address(path) else Path(path).open("rb")


class SourceWalk:
    """The sheets of sources, one after the other; objects are listed while it is iterated, in bounded memory.

    Iterated once. `passed_over` is complete afterwards.
    """

    def __init__(self, sources: Sequence[str | Path], store: ObjectStore | None = None) -> None:
        """Nothing is listed yet.

        store  of sources in object storage; None = by the SDK's usual ways
        """
        self.passed_over: list[Rejection] = []
        self._sources = [str(source) for source in sources]
        self._store = store or ObjectStore()
        self._own = OwnFolders(WANTED, BadSource)

    def __iter__(self) -> Iterator[PlannedSheet]:
        """The sheets, as `list_sources` lists them; raises BadSource."""
        refused: PlannedSheet | None = None
        count = readable = 0
        with closing(self._store):
            for name, path, entry in self._each_once():
                sheet = PlannedSheet(count, shown_name(name), path)
                if entry is not None:
                    detail = shown_name(entry.detail)
                    sheet = replace(sheet, member=entry.member, reason=entry.reason, detail=detail)
                count += 1
                readable += sheet.reason is None
                refused = refused or sheet
                yield sheet
        self.passed_over = [
            Rejection(shown_name(each.id), shown_name(each.reason)) for each in self.passed_over
        ]
        if not readable:
            raise self._nothing_to_scan(refused)

    def _each_once(self) -> Iterator[Listed]:
        """What the sources hold; a file that several of them name comes once."""
        seen: set[bytes] = set()
        for number, source in enumerate(self._sources):
            others = self._sources[:number] + self._sources[number + 1 :]
            alone = is_address(source) and not any(_overlap(source, other) for other in others)
            for name, path, entry in self._list(source):
                if entry is None and not alone:
                    digest = blake2b(os.fsencode(path), digest_size=16).digest()
                    if digest in seen:
                        continue
                    seen.add(digest)
                yield name, path, entry

    def _list(self, source: str) -> Iterator[Listed]:
        if is_address(source):
            return list_objects(source, self._store, self.passed_over)
        return _list_source(source, self.passed_over, self._own)

    def _nothing_to_scan(self, refused: PlannedSheet | None) -> BadSource:
        names = ", ".join(self._sources) or "no source"
        why = next((f"; {each.id}: {each.reason}" for each in self.passed_over), "")
        why = f"; {refused.name}: {refused.detail}" if refused else why
        return BadSource(
            f"{names:.200}: expected at least one image to scan, found none{why}; check the path"
        )


def list_sources(sources: Sequence[str | Path]) -> SourceListing:
    """The sheets of SOURCES in the order of the sources; sorted in folders and patterns, else as packed.

    A file named by several sources is listed once. A mask of another image, as names propose and values
    confirm, is not a sheet, unless it is itself a source; masks are counted in what is left out.
    raises  BadSource for a source that does not exist or cannot be scanned, and where there is no sheet
    """
    walk = SourceWalk(sources)
    sheets = tuple(walk)
    return SourceListing(sheets, tuple(walk.passed_over))


def source_id(source: str | Path) -> str:
    """What a source is known by when a scan goes on: its address, or its absolute path."""
    text = str(source)
    return shown_name(text if is_address(text) else str(absolute(Path(text))))


def _overlap(source: str, other: str) -> bool:
    """Whether two sources may hold the same objects."""
    return is_address(other) and (source.startswith(other) or other.startswith(source))


def _list_source(source: str, passed_over: list[Rejection], own: OwnFolders) -> Iterator[Listed]:
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


def _list_folder(folder: Path, passed_over: list[Rejection]) -> Iterator[Listed]:
    listing = list_images(folder)
    passed_over += [Rejection(_joined(folder, each.id), each.reason) for each in listing.rejections]
    passed_over += [Rejection(_joined(folder, each.id), each.reason) for each in listing.passed_over]
    pairs = find_masks(listing.images, look_in(folder))
    passed_over += masks_of(folder.as_posix(), pairs)
    for id_ in pairs.sheets(listing.images):
        yield _joined(folder, id_), str(absolute(folder / id_)), None


def _list_file(path: Path, passed_over: list[Rejection]) -> Iterator[Listed]:
    if not path.is_file():
        raise BadSource(f"{path}: expected {WANTED}, got a device or a pipe")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        yield path.as_posix(), str(absolute(path)), None
        return
    found = list_if_archive(path, passed_over)
    if found is None:
        raise BadSource(
            f"{path}: expected {WANTED}, got a file with {path.suffix or 'no suffix'} that is not an archive"
        )
    yield from found


def _list_pattern(pattern: str, passed_over: list[Rejection]) -> Iterator[Listed]:
    matches = expand_pattern(pattern, passed_over)
    if not matches:
        raise BadSource(
            f"{pattern}: expected a pattern of image files, but it matches nothing; quote it and check it"
        )
    images = [path.as_posix() for path in matches if path.suffix.lower() in IMAGE_SUFFIXES]
    pairs = find_masks(images, look_in(Path()))
    passed_over += masks_of(pattern, pairs)
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


def _list_matched_file(path: Path, passed_over: list[Rejection]) -> Iterator[Listed]:
    """A file without an image's suffix that a pattern matches."""
    found = list_if_archive(path, passed_over)
    if found is None:
        passed_over.append(Rejection(path.as_posix(), "neither an image format nor an archive"))
    else:
        yield from found


def without_masks(folder: Path, ids: Sequence[str]) -> list[str]:
    """The images of a folder that are not masks of others."""
    return find_masks(ids, look_in(folder)).sheets(ids)


def _joined(folder: Path, id_: str) -> str:
    return id_ if str(folder) == "." else f"{folder.as_posix().rstrip('/')}/{id_}"
