"""Reads and describes a DATA folder: classes, sizes, near-duplicates, and what cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelsight.errors import BadData
from steelsight.runs.data.report import write_report
from steelsight.sheets.cache import PixelCache
from steelsight.sheets.catalog import check_images, group_sheets, load_pixels, open_data
from steelsight.sheets.describe import DataDescription, describe_sheets, find_duplicates
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
    *,
    groups: str | None = None,
    workers: int = 2,
    out: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> FolderReport:
    """Read every sheet of a folder and describe them.

    groups   rule that keeps sheets together; None = as the folder has them
    workers  threads that decode
    out      folder for page, JSON and figures; None = nothing is written
    raises   BadData where the folder cannot be opened
    """
    sheets, cache = _read(data, groups, workers, progress)
    description = _describe(sheets, cache)
    numbers: dict[str, Any] = {
        "data": str(data),
        "data_hash": cache.data_hash if cache else None,
        "group_rule": groups,
        **description.as_dict(),
    }
    if out is not None:
        numbers["files"] = write_report(out, sheets, description, numbers)
    return FolderReport(sheets, description, numbers)


def _read(
    root: Path, groups: str | None, workers: int, progress: Callable[[int, int], None]
) -> tuple[SheetSet, PixelCache | None]:
    """The sheets with their pixels; no pixels where no sheet is usable."""
    sheets = open_data(root)
    total = len(sheets.items)
    try:
        cache = load_pixels(
            sheets, InputSpec(), workers=workers, report=lambda done, _: progress(done, total)
        )
    except BadData:
        checked = check_images(sheets, workers=workers)
        if checked.items:  # the cache failed, not the data
            raise
        return checked, None
    return group_sheets(cache.sheets, groups) if groups else cache.sheets, cache


def _describe(sheets: SheetSet, cache: PixelCache | None) -> DataDescription:
    if cache is None:
        return describe_sheets(sheets, (), ())
    return describe_sheets(sheets, cache.sizes, find_duplicates(sheets.items, cache.images))
