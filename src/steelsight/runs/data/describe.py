"""Reads and describes a DATA folder: classes, sizes, near-duplicates, and what cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steelsight.errors import BadData, SharedBackground
from steelsight.files import EarlierResult
from steelsight.runs.data.report import FIGURES, write_report
from steelsight.runs.settings import result_settings
from steelsight.sheets.cache import PixelCache
from steelsight.sheets.catalog import check_images, group_sheets, load_pixels, open_data
from steelsight.sheets.defect_sizes import measure_defects
from steelsight.sheets.describe import (
    DataDescription,
    describe_sheets,
    find_contradictions,
    find_copies,
    find_duplicates,
)
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.types import InputSpec, SheetSet

__all__ = ["PAGE", "FolderReport", "describe_folder"]

PAGE = "data.html"


@dataclass(frozen=True)
class FolderReport:
    """What a DATA folder holds."""

    sheets: SheetSet
    description: DataDescription
    numbers: dict[str, Any]


def describe_folder(
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    workers: int = 2,
    out: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> FolderReport:
    """Read every sheet of a folder and describe them.

    options  groups, and what the caller says of the folder where its structure leaves a choice
    workers  threads that decode
    out      folder for page, JSON and figures; None = nothing is written
    raises   BadData where the folder cannot be opened
    """
    sheets, cache = _read(open_data(data, options=options), options, workers, progress)
    description = replace(_describe(sheets, cache), defects=measure_defects(sheets.items, InputSpec()))
    numbers: dict[str, Any] = {
        "data": str(data),
        "data_hash": cache.data_hash if cache else None,
        "group_rule": options.groups,
        **description.as_dict(),
    }
    if out is not None:
        settings = result_settings(
            "data", options, data_hash=numbers["data_hash"], folder=str(data.resolve())
        )
        earlier = EarlierResult(out, "data.json", settings)
        earlier.keep(PAGE, *(f"{name}.png" for name in FIGURES))
        numbers |= earlier.facts([PAGE])
        numbers["files"] = write_report(out, sheets, description, numbers, bits=options.bits)
    return FolderReport(sheets, description, numbers)


def _read(
    sheets: SheetSet, options: DataOptions, workers: int, progress: Callable[[int, int], None]
) -> tuple[SheetSet, PixelCache | None]:
    """The sheets with their pixels; no pixels where no sheet is usable."""
    total, spec = len(sheets.items), options.input_spec()
    try:
        cache = load_pixels(sheets, spec, workers=workers, report=lambda done, _: progress(done, total))
    except BadData:
        checked = check_images(sheets, spec=spec, workers=workers)
        if checked.items:  # the cache failed, not the data
            raise
        return checked, None
    grouped = group_sheets(cache.sheets, options.groups, spec) if options.groups else cache.sheets
    return grouped, cache


def _describe(sheets: SheetSet, cache: PixelCache | None) -> DataDescription:
    if cache is None:
        return describe_sheets(sheets, (), ())
    try:
        twins = find_duplicates(sheets.items, cache.images)
    except SharedBackground as error:
        copies = find_contradictions(sheets, find_copies(sheets.items, cache.images))
        return replace(
            describe_sheets(sheets, cache.sizes, ()), unknown_twins=str(error), contradictions=copies
        )
    return describe_sheets(sheets, cache.sizes, twins)
