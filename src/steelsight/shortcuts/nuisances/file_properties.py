"""What a sheet's file tells besides its picture: folder, format, JPEG quality, sizes, and when it was made.

A model never sees any of it. Where a margin goes with it, the picture differs with it too: another camera,
another shift, another export.
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

from steelsight.errors import BadImage
from steelsight.sheets.images.image_file import open_image
from steelsight.shortcuts.nuisances.properties import Property
from steelsight.types import SheetItem

__all__ = ["jpeg_quality", "measure_files"]

MOST_FOLDERS = 8  # the largest; more would be candidates of few sheets each
WHEN = re.compile(
    r"(20\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?([0-2]\d|3[01])(?:[-_.T ]?([01]\d|2[0-3])[-_.:]?([0-5]\d))?"
)


def measure_files(items: Sequence[SheetItem]) -> list[Property]:
    """Every property of the files that is known of all sheets and differs between some."""
    known = [_file_facts(item.path) for item in items]
    ids = [item.id for item in items]
    columns: dict[str, tuple[str, list[float]]] = {
        "jpeg_quality": ("JPEG quality: from the quantisation tables", [fact[0] for fact in known]),
        "file_size": ("size of the file", [fact[1] for fact in known]),
        "image_height": ("height of the image file", [fact[2] for fact in known]),
        "image_width": ("width of the image file", [fact[3] for fact in known]),
        "changed": ("lateness of the file: when it was last changed", [fact[4] for fact in known]),
        "name_number": ("number in the name: the last one", [_number(name) for name in ids]),
        "name_time": ("lateness by the name: the date in it", [_time(name) for name in ids]),
    }
    found = [
        Property(key, title, np.array(values), presence=False, visible=False, note=NOTES.get(key, ""))
        for key, (title, values) in columns.items()
        if np.isfinite(values).all() and len(set(values)) > 1
    ]
    return found + _folders(ids)


NOTES = {"file_size": "a busy picture makes a large file, and a defect makes it busy"}


def jpeg_quality(table: Sequence[int]) -> int:
    """The quality 1..100 at which libjpeg's own luminance table comes nearest to this one.

    table    64 steps, in any order
    source   Annex K of ITU-T T.81, scaled as libjpeg does

    >>> jpeg_quality([1] * 64)
    100
    """
    steps = np.sort(np.asarray(table, dtype=np.int64))
    return int(np.abs(_tables() - steps).sum(1).argmin()) + 1


@cache
def _tables() -> Int[np.ndarray, "100 64"]:
    """Sorted luminance tables of qualities 1 to 100, as the library at hand writes them."""
    rows = []
    for quality in range(1, 101):
        buffer = io.BytesIO()
        Image.new("L", (8, 8)).save(buffer, "JPEG", quality=quality)
        with open_image(buffer.getvalue()) as image:
            rows.append(sorted(image.quantization[0]))  # type: ignore[attr-defined]
    return np.array(rows, dtype=np.int64)


def _file_facts(path: Path) -> tuple[float, float, float, float, float]:
    """JPEG quality, bytes, height, width, time of change; NaN where there is none."""
    try:
        found = path.stat()
        with open_image(path) as image:
            tables = getattr(image, "quantization", None)
            quality = float(jpeg_quality(tables[0])) if tables else float("nan")
            width, height = image.size
    except (OSError, BadImage):
        return (float("nan"),) * 5
    return quality, float(found.st_size), float(height), float(width), found.st_mtime


def _number(name: str) -> float:
    numbers = re.findall(r"\d+", Path(name).stem)
    return float(numbers[-1]) if numbers and len(numbers[-1]) <= 15 else float("nan")


def _time(name: str) -> float:
    found = WHEN.search(Path(name).stem)
    if found is None:
        return float("nan")
    year, month, day, hour, minute = (int(part) if part else 0 for part in found.groups())
    try:
        return datetime(year, month, day, hour, minute).timestamp()
    except ValueError:
        return float("nan")


def _folders(ids: Sequence[str]) -> list[Property]:
    """One property a folder: in it, or not."""
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
            visible=False,
        )
        for name in largest.tolist()
    ]
