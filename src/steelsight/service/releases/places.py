"""Where bundles lie: among the candidates, those kept of promotions, in the settings, in the package.

Only cards are read here; a bundle is opened and checked whole before anything runs it.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final

from steelsight.errors import BadBundle
from steelsight.names import on_one_line, shown_name
from steelsight.reading import read_regular
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.bundle.default import BUNDLES, named_bundle
from steelsight.runtime.bundle.open import CARD_FILE, MAX_CARD_BYTES, Bundle, open_bundle
from steelsight.runtime.bundle.seal import parse_card
from steelsight.runtime.bundle.writer import copy_bundle
from steelsight.service.context import Service

__all__ = [
    "KEPT",
    "BundlePlace",
    "Unusable",
    "candidates",
    "find_bundle",
    "judging_folder",
    "keep_bundle",
    "kept_folder",
    "known_places",
    "read_place",
]

KEPT: Final = ".kept"  # folder in that of the candidates: bundles that were promoted, by their ids
MOST: Final = 200  # folders that are looked at
Unusable = tuple[str, str]  # name of a folder, and why it is no bundle


@dataclass(frozen=True, eq=False)
class BundlePlace:
    """A folder with the card that lies there now."""

    name: str
    folder: Path
    card: BundleCard
    text: bytes  # of the card

    @property
    def model(self) -> str:
        """The bundle's id."""
        return self.card.model_id

    def as_bundle(self) -> Bundle:
        """A bundle with nothing but its card, for checks of the card."""
        return Bundle(self.folder, self.card, {}, None, self.text)


def read_place(folder: Path, name: str | None = None) -> BundlePlace:
    """The card that lies in a folder; raises BadBundle."""
    folder = named_bundle(folder)
    path = folder / CARD_FILE
    try:
        status = path.lstat()
        mark = (status.st_ino, status.st_mtime_ns, status.st_size)
        text, card = _read_card(path, mark)
    except OSError as error:
        raise BadBundle(f"{path}: cannot be read ({error.strerror or error})") from error
    return BundlePlace(name or folder.resolve().name, folder, card, text)


@lru_cache(maxsize=2 * MOST)
def _read_card(path: Path, _mark: tuple[int, int, int]) -> tuple[bytes, BundleCard]:
    """A card, read again only where its file was replaced or written to."""
    text = read_regular(path, most_bytes=MAX_CARD_BYTES)
    return text, parse_card(text, str(path))


def candidates(folder: Path | None) -> tuple[list[BundlePlace], list[Unusable]]:
    """The bundles in a folder, by name, and what lies there and cannot be used.

    folder  None or missing = no bundle. Names that begin with a dot and links are not looked at
    """
    found: list[BundlePlace] = []
    unusable: list[Unusable] = []
    for each in _folders(folder):
        try:
            found.append(read_place(each))
        except BadBundle as error:
            unusable.append((each.name, on_one_line(shown_name(str(error)))[:300]))
    return found, unusable


def _folders(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        return
    try:
        names = [each for each in islice(folder.iterdir(), 10 * MOST) if not each.name.startswith(".")]
    except OSError:  # not made yet, or not readable: then there are none
        return
    yield from islice((each for each in sorted(names) if _is_folder(each)), MOST)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:  # removed meanwhile
        return False


def known_places(service: Service) -> list[BundlePlace]:
    """Every place where a bundle lies that this service may open; several may hold the same bundle.

    Opened bundles come first, with the card that lies in their folder now where it is still theirs.
    """
    places = [_place_of(name, each.bundle) for name, each in service.bundles]
    if service.settings.shadow is not None:
        places += _there(service.settings.shadow)
    places += candidates(service.settings.candidates)[0]
    if service.settings.candidates is not None:
        places += [place for each in _kept(service.settings.candidates) for place in _there(each)]
    return places


def _place_of(name: str, bundle: Bundle) -> BundlePlace:
    """An opened bundle; a gate may have written into its card since."""
    try:
        found = read_place(bundle.folder, name)
    except BadBundle:
        found = None
    if found is not None and found.model == bundle.card.model_id:
        return found
    return BundlePlace(name, bundle.folder, bundle.card, bundle.card_text)


def _there(folder: Path) -> list[BundlePlace]:
    try:
        return [read_place(folder)]
    except BadBundle:
        return []


def _kept(folder: Path) -> list[Path]:
    kept = folder / KEPT
    try:
        return [each for each in islice(sorted(kept.iterdir()), MOST) if _is_folder(each)]
    except OSError:  # nothing was promoted yet
        return []


def find_bundle(service: Service, model: str) -> Bundle | None:
    """A bundle by its id, opened and checked from wherever it lies; None = not at hand."""
    inspector = service.bundles.by_id(model)
    if inspector is not None:
        return inspector.bundle
    packaged = [place for each in BUNDLES.values() for place in _there(each)]
    for place in (*known_places(service), *packaged):
        if place.model != model:
            continue
        try:
            bundle = open_bundle(place.folder)
        except BadBundle:  # damaged there; another copy may be whole
            continue
        if bundle.card.model_id == model:
            return bundle
    return None


def keep_bundle(service: Service, bundle: Bundle) -> Path:
    """Copy a bundle into a folder named by its id; returns that, or its own folder where none is set.

    raises  BadOutput where it cannot be written
    """
    folder = service.settings.candidates
    if folder is None:
        return bundle.folder
    out = folder / KEPT / bundle.card.model_id
    if bundle.folder.resolve() != out.resolve():
        copy_bundle(out, bundle, bundle.card_text)
    return out


def kept_folder(service: Service, model: str) -> Path | None:
    """The copy of a bundle that nobody replaces; None = there is none."""
    folder = service.settings.candidates
    found = [] if folder is None else _there(folder / KEPT / model)
    return found[0].folder if found and found[0].model == model else None


def judging_folder(service: Service) -> Path:
    """Where the default bundle lies, for a station: the copy that nobody replaces, where there is one."""
    bundle = service.bundles.default.bundle
    return kept_folder(service, bundle.card.model_id) or bundle.folder
