"""Decoded sheets of a DATA folder, kept between runs so that every image is decoded once per input spec."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import PIL

from steelsight.errors import BadData
from steelsight.reading import inside
from steelsight.sheets.examine import ExaminedSheet, Report, SheetCollector, examine_all, remember_all
from steelsight.sheets.images.file_index import FileIndex, hash_bytes
from steelsight.sheets.images.pixel_file import PixelFile, PixelWriter, open_pixels
from steelsight.sheets.images.pixels import DECODER
from steelsight.types import GrayBatch, GrayImage, InputSpec, SheetSet

__all__ = ["PixelCache", "default_cache_dir", "load_pixels"]

_KEPT_FILES = 3  # per folder and spec: subsets and the state before a change, without growing for ever


@dataclass(frozen=True)
class PixelCache:
    """The usable sheets of a DATA folder with their pixels."""

    sheets: SheetSet  # usable sheets only; the others are among its rejections
    spec: InputSpec
    images: GrayBatch  # (n, spec.height, spec.width), row i is sheets.items[i]; read-only, mapped
    data_hash: str  # of ids, image files, types and masks; the same wherever the folder lies
    sizes: tuple[tuple[int, int], ...] = ()  # (height, width) of each image file, as `sheets.items`


def default_cache_dir() -> Path:
    """`STEELSIGHT_CACHE`, or the platform's folder for caches."""
    if named := os.environ.get("STEELSIGHT_CACHE"):
        return Path(named)
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "steelsight" / "cache"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "steelsight"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "steelsight"


def load_pixels(
    sheets: SheetSet,
    spec: InputSpec,
    *,
    cache_dir: Path | None = None,
    workers: int = 2,
    report: Report | None = None,
) -> PixelCache:
    """The pixels of all usable sheets, decoded now or read from the cache.

    cache_dir  None = `default_cache_dir()`
    workers    decoding threads; Pillow decodes without holding Python's lock
    report     called with (done, total) while images are examined
    raises     BadData when no sheet is usable, or the cache cannot be written
    """
    folder = cache_dir or default_cache_dir()
    _make(folder)
    source = {"root": str(sheets.root.resolve()), "pillow": PIL.__version__, "here": DECODER, **asdict(spec)}
    index = FileIndex(folder / f"{hash_bytes(source)}.json")
    remembered = remember_all(sheets, index)
    if remembered is not None:
        verdicts = SheetCollector(remembered)
        stored = _stored(folder, verdicts, spec)
        if stored is not None:
            return _finished(sheets, spec, verdicts, stored)
    verdicts, name = _build(sheets, spec, folder, index, workers, report)
    _forget_old(folder, index, name)
    index.save()
    stored = _stored(folder, verdicts, spec)
    if stored is None:
        raise BadData(
            f"{folder / name}: the cache cannot be read back; check the disk or set STEELSIGHT_CACHE"
        )
    return _finished(sheets, spec, verdicts, stored)


def _build(
    sheets: SheetSet,
    spec: InputSpec,
    folder: Path,
    index: FileIndex,
    workers: int,
    report: Report | None,
) -> tuple[SheetCollector, str]:
    """Examine every sheet and write a new pixel file, copying rows of older ones where contents agree."""
    rows: dict[str, GrayImage] = {}
    for name in reversed(index.recent):
        older = open_pixels(inside(folder, name))
        if older is not None and older.holds(older.hashes, (spec.height, spec.width)):
            rows.update(zip(older.hashes, older.images, strict=True))
    verdicts = SheetCollector()
    with PixelWriter(folder, (spec.height, spec.width)) as writer:
        for examined in examine_all(sheets.items, spec, index, rows, workers, report):
            for path, facts, stamp in examined.files:
                index.learn(path, facts, stamp)
            if verdicts.add(examined) and examined.row is not None:
                writer.add(examined.row, examined.content)
        if not verdicts.good:
            raise BadData(_nothing_usable(verdicts.apply(sheets)))
        name = _name(verdicts.good, spec)
        writer.finish(name)
    return verdicts, name


def _stored(folder: Path, verdicts: SheetCollector, spec: InputSpec) -> PixelFile | None:
    """The pixel file of these sheets; None where there is none, or it holds other sheets."""
    stored = open_pixels(folder / _name(verdicts.good, spec))
    if stored is None:
        return None
    contents = tuple(examined.content for examined in verdicts.good)
    return stored if stored.holds(contents, (spec.height, spec.width)) else None


def _finished(sheets: SheetSet, spec: InputSpec, verdicts: SheetCollector, stored: PixelFile) -> PixelCache:
    good = verdicts.good
    sizes = tuple(examined.files[0][1].size for examined in good)
    return PixelCache(verdicts.apply(sheets), spec, stored.images, _data_hash(good), sizes)


def _data_hash(good: Sequence[ExaminedSheet]) -> str:
    parts = []
    for examined in good:
        item, contents = examined.item, {path: facts.content for path, facts, _ in examined.files}
        masks = [
            f"{mask.defect_type}:{contents[mask.path] if mask.path else mask.runs}"
            + (f":{mask.value}" if mask.value is not None else "")
            for mask in item.masks
        ]
        parts += [item.id, examined.content, f"{item.types}", item.evidence, *masks]
    return hash_bytes(*parts)


def _name(good: Sequence[ExaminedSheet], spec: InputSpec) -> str:
    contents = [examined.content for examined in good]
    return f"{hash_bytes(PIL.__version__, DECODER, asdict(spec), *contents)}.pixels"


def _forget_old(folder: Path, index: FileIndex, name: str) -> None:
    recent = [name, *(other for other in index.recent if other != name)]
    index.recent = recent[:_KEPT_FILES]
    for old in recent[_KEPT_FILES:]:
        with suppress(OSError):  # another process may have it mapped (Windows) or removed it already
            inside(folder, old).unlink()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadData(
            f"{folder}: cannot make the cache folder ({error.strerror}); set STEELSIGHT_CACHE"
        ) from error


def _nothing_usable(sheets: SheetSet) -> str:
    first = next((f"; the first: {bad.id}: {bad.reason}" for bad in sheets.rejections), "")
    return f"{sheets.root}: no usable sheet, {len(sheets.rejections)} set aside{first}"
