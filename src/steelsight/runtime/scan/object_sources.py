"""List the images of an object store: all below a prefix, one object, or the files of one archive.

A prefix is listed as a folder is: the same names are passed over and the same are masks. Its keys go to a
temporary file, so that memory does not grow with their number; only names that may be those of masks and of
their images are kept.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from steelsight.errors import BadSource
from steelsight.runtime.scan.archive_sources import Listed, list_if_archive, masks_of
from steelsight.runtime.scan.objects.address import ObjectAddress, parse_address
from steelsight.runtime.scan.objects.faults import ObjectFault
from steelsight.runtime.scan.objects.ranged_file import StoredObject
from steelsight.runtime.scan.objects.spool import KeySpool
from steelsight.runtime.scan.objects.store import ObjectStore
from steelsight.sheets.formats.listing import UnusedFiles, is_image_name, system_reason
from steelsight.sheets.formats.mask_candidates import choose_candidates
from steelsight.sheets.formats.mask_pairs import LookAt, MaskPairs, find_masks
from steelsight.sheets.images.image_file import MAX_FILE_BYTES
from steelsight.sheets.mask_values import MaskLook, look_at
from steelsight.sheets.own_folders import folder_kind
from steelsight.types import Rejection

__all__ = ["list_objects"]

WANTED: Final = "s3://BUCKET/PREFIX/, an image, or a tar or zip archive"
PLACES: Final = 10_000  # places of passed-over objects that are named; the others are counted


def list_objects(source: str, store: ObjectStore, passed_over: list[Rejection]) -> Iterator[Listed]:
    """The images that an address names, sorted by key, or as packed in an archive.

    passed_over   gets what is left out
    raises        BadSource where there is nothing, or the store cannot be listed now
    """
    address = parse_address(source)
    try:
        yield from _list(address, store, passed_over)
    except ObjectFault as error:
        raise BadSource(f"{address!s:.200}: {error.strerror}") from error


def _list(address: ObjectAddress, store: ObjectStore, passed_over: list[Rejection]) -> Iterator[Listed]:
    if not address.key or address.key.endswith("/"):
        yield from _list_prefix(address, store, passed_over)
        return
    try:
        store.status(address)
    except ObjectFault as error:
        if error.errno != errno.ENOENT:
            raise
    else:
        yield from _list_object(address, store, passed_over)
        return
    folder = ObjectAddress(address.bucket, f"{address.key}/")
    if not store.holds(folder):  # which names a bucket that is not there
        words = f"expected {WANTED}, found none; check the address, in which * and ? are no patterns"
        raise BadSource(f"{address!s:.200}: {words}")
    yield from _list_prefix(folder, store, passed_over)


def _list_object(
    address: ObjectAddress, store: ObjectStore, passed_over: list[Rejection]
) -> Iterator[Listed]:
    if is_image_name(address.name.lstrip(".")):  # named by itself it is scanned, hidden or not
        yield str(address), str(address), None
        return
    found = list_if_archive(StoredObject(store, address), passed_over)
    if found is None:
        raise BadSource(f"{address!s:.200}: expected {WANTED}, got an object that is none of them")
    yield from found


def _list_prefix(
    address: ObjectAddress, store: ObjectStore, passed_over: list[Rejection]
) -> Iterator[Listed]:
    with closing(KeySpool()) as images:
        others = _Others()
        for key, size in store.iterate_keys(address):
            _sort_in(key.removeprefix(address.key), size, images, others)
        if not images.is_sorted:  # as directory buckets list
            images.sort()
        own = others.own_folders()
        passed_over += _named(address, others.rejections(own))

        def ids() -> Iterator[str]:
            return (id_ for id_ in images if not _lies_in(id_, own))

        pairs = find_masks(choose_candidates(ids), _look_in(store, address))
        passed_over += masks_of(str(address), pairs)
        yield from _without(pairs, ids(), address)


def _without(pairs: MaskPairs, ids: Iterator[str], address: ObjectAddress) -> Iterator[Listed]:
    masks = {*pairs.masks.values(), *pairs.orphans}
    for id_ in ids:
        if id_ not in masks:
            shown = f"{address}{id_}"
            yield shown, shown, None


def _sort_in(id_: str, size: int, images: KeySpool, others: _Others) -> None:
    """Put an object where it belongs, by its key below the prefix."""
    *folders, name = id_.split("/")
    if not name and not size:  # what some tools write in place of a folder
        return
    for depth, folder in enumerate(folders, start=1):
        if folder and (reason := system_reason(folder)):
            others.hidden_folders.setdefault("/".join(folders[:depth]) + "/", reason)
            return
    if reason := system_reason(name):
        others.hidden["/".join(folders), reason] += 1
    elif is_image_name(name):
        images.add(id_)
    else:
        others.unused.add(id_)
        others.markers.add("/".join(folders), name)


@dataclass
class _Markers:
    """Which folders hold files by which a result of Steelsight is known."""

    found: dict[str, set[str]] = field(default_factory=dict)

    def add(self, folder: str, name: str) -> None:
        """Remember a name of a folder if it may be such a file; pages come before their JSON."""
        page = name.endswith(".json") and f"{name[:-5]}.html" in self.found.get(folder, ())
        if page or name.endswith(".html") or name in _RESULT_NAMES:
            self.found.setdefault(folder, set()).add(name)


_RESULT_NAMES: Final = frozenset(
    {"card.json", "model.safetensors", "model.onnx", "recipe.json", "metrics.json", "progress.safetensors"}
    | {"scan.json"}
)


@dataclass
class _Others:
    """What lies below a prefix besides images that are scanned."""

    unused: UnusedFiles = field(default_factory=UnusedFiles)
    hidden: Counter[tuple[str, str]] = field(default_factory=Counter)  # folder, reason
    hidden_folders: dict[str, str] = field(default_factory=dict)  # reason by folder
    markers: _Markers = field(default_factory=_Markers)

    def own_folders(self) -> dict[str, str]:
        """Folders that Steelsight wrote and what each is; not the prefix itself, and none in another."""
        kinds = {f"{folder}/": folder_kind(names) for folder, names in self.markers.found.items() if folder}
        own = {folder: kind for folder, kind in kinds.items() if kind}
        return {folder: kind for folder, kind in own.items() if not _lies_in(folder[:-1], own)}

    def rejections(self, own: dict[str, str]) -> list[Rejection]:
        """One reason a place, the first PLACES of them; of a folder of ours only what it is."""
        hidden = [
            Rejection(f"{folder or '.'}/", f"{count} file(s) passed over: {reason}")
            for (folder, reason), count in sorted(self.hidden.items())
        ]
        folders = [Rejection(folder, reason) for folder, reason in sorted(self.hidden_folders.items())]
        places = [*self.unused.faults(), *folders, *hidden, *self.unused.documents]
        places = [each for each in places if not _lies_in(f"{each.id.rstrip('/')}/", own)]
        places += [Rejection(folder, kind) for folder, kind in sorted(own.items())]
        if len(places) > PLACES:
            places[PLACES:] = [Rejection("./", f"and {len(places) - PLACES} further places")]
        return places


def _named(address: ObjectAddress, places: list[Rejection]) -> list[Rejection]:
    return [Rejection(f"{address}{each.id}", each.reason) for each in places]


def _lies_in(id_: str, folders: dict[str, str]) -> bool:
    """Whether an id lies below one of the folders."""
    if not folders:
        return False
    parts = id_.split("/")
    return any("/".join(parts[:depth]) + "/" in folders for depth in range(1, len(parts)))


def _look_in(store: ObjectStore, address: ObjectAddress) -> LookAt:
    """Looks at the values of objects, each once; a trouble of the store ends the listing."""
    looks: dict[str, MaskLook] = {}

    def look(id_: str) -> MaskLook:
        if id_ not in looks:
            looks[id_] = _look_at(store, ObjectAddress(address.bucket, address.key + id_))
        return looks[id_]

    return look


def _look_at(store: ObjectStore, address: ObjectAddress) -> MaskLook:
    try:
        return look_at(store.read(address, most_bytes=MAX_FILE_BYTES))
    except ObjectFault as error:
        if error.may_pass:  # what is a mask would depend on it
            raise
        return MaskLook("unreadable")
