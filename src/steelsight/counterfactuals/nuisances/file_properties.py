"""Properties of a sheet's file besides its pixels: folder, JPEG quality, sizes, numbers and dates.

A model never receives any of them. A margin that is associated with one shows that the pixels differ too:
another camera, another shift, another export.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Int
from PIL import Image

from steelsight.counterfactuals.nuisances.properties import Property
from steelsight.errors import BadImage
from steelsight.sheets.images.image_file import open_image
from steelsight.types import SheetItem

__all__ = ["jpeg_quality", "measure_files"]

MOST_FOLDERS = 8  # the largest folders; smaller ones would be candidates with few sheets
WHEN = re.compile(
    r"(20\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?([0-2]\d|3[01])(?:[-_.T ]?([01]\d|2[0-3])[-_.:]?([0-5]\d))?"
)

NOTES = {
    "file_size": "a detailed picture makes a large file, and a defect adds detail",
    "changed": "copying a file may set it to the time of the copy, not of the picture",
}


def measure_files(items: Sequence[SheetItem]) -> list[Property]:
    """Measure every file property that is known for all sheets and not constant.

    returns  one property each, values (n,); files that cannot be read have none
    """
    facts = [_file_facts(item.path) for item in items]
    ids = [item.id for item in items]
    columns: dict[str, tuple[str, list[float]]] = {
        "jpeg_quality": ("JPEG quality: from the quantisation tables", [fact[0] for fact in facts]),
        "file_size": ("size of the file", [fact[1] for fact in facts]),
        "image_height": ("height of the image file", [fact[2] for fact in facts]),
        "image_width": ("width of the image file", [fact[3] for fact in facts]),
        "changed": ("modification time of this copy: of the file on this disk", [fact[4] for fact in facts]),
        "name_number": ("number in the file name: the last one", [_number(name) for name in ids]),
        "name_time": ("date in the file name: with the time, if given", [_time(name) for name in ids]),
    }
    properties = [
        Property(key, title, np.array(values), presence=False, note=NOTES.get(key, ""))
        for key, (title, values) in columns.items()
        if np.isfinite(values).all() and len(set(values)) > 1
    ]
    return properties + _folders(ids)


def jpeg_quality(table: Sequence[int]) -> int:
    """Estimate the JPEG quality, 1..100: the one whose libjpeg luminance table is nearest to this table.

    table    64 quantisation steps, in any order
    returns  1..100
    source   Annex K of ITU-T T.81, scaled as libjpeg does

    >>> jpeg_quality([1] * 64)
    100
    """
    steps = np.sort(np.asarray(table, dtype=np.int64))
    return int(np.abs(_tables() - steps).sum(1).argmin()) + 1


@cache
def _tables() -> Int[np.ndarray, "100 64"]:
    """Sorted luminance tables of qualities 1 to 100, as the installed library writes them."""
    rows = []
    for quality in range(1, 101):
        buffer = io.BytesIO()
        Image.new("L", (8, 8)).save(buffer, "JPEG", quality=quality)
        with open_image(buffer.getvalue()) as image:
            rows.append(sorted(image.quantization[0]))  # type: ignore[attr-defined]
    return np.array(rows, dtype=np.int64)


def _file_facts(path: Path) -> tuple[float, float, float, float, float]:
    """JPEG quality, bytes, height, width, modification time; NaN where unknown."""
    try:
        status = path.stat()
        with open_image(path) as image:
            tables = getattr(image, "quantization", None)
            quality = float(jpeg_quality(tables[0])) if tables else float("nan")
            width, height = image.size
    except (OSError, BadImage):
        return (float("nan"),) * 5
    return quality, float(status.st_size), float(height), float(width), status.st_mtime


def _number(name: str) -> float:
    numbers = re.findall(r"\d+", Path(name).stem)
    return float(numbers[-1]) if numbers and len(numbers[-1]) <= 15 else float("nan")


def _time(name: str) -> float:
    match = WHEN.search(Path(name).stem)
    if match is None:
        return float("nan")
    year, month, day, hour, minute = (int(part) if part else 0 for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute).timestamp()
    except ValueError:
        return float("nan")


def _folders(ids: Sequence[str]) -> list[Property]:
    """One property per folder: 1 for sheets in it, else 0."""
    folders = [str(Path(name).parent) for name in ids]
    names, counts = np.unique(folders, return_counts=True)
    if names.size < 2:
        return []
    largest = names[np.argsort(-counts, kind="stable")][:MOST_FOLDERS]
    return [
        Property(
            f"folder:{name}",
            f"in folder {name}",
            np.array([folder == name for folder in folders], dtype=np.float64),
            presence=False,
        )
        for name in largest.tolist()
    ]
