"""Do synthetic annotations look like real ones? Counts, areas and positions of both, and their distance."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage, stats

from steelsight.errors import BadAnnotation
from steelsight.sheets.rle import decode_runs
from steelsight.sheets.synthetic.statistics import REFERENCE_SIZE
from steelsight.types import Mask

__all__ = ["MEASURES", "SMALLEST_PX", "Measures", "distances", "measure_masks"]

MEASURES = ("components", "area_px", "height_px", "width_px", "across", "down")
SMALLEST_PX = 30  # smaller regions are slips of the annotator's pen, a pixel or two beside the real one

Measures = dict[int, dict[str, np.ndarray]]
_COLUMNS = ("ImageId", "ClassId", "EncodedPixels")


def measure_masks(table: Path, *, size: tuple[int, int] = REFERENCE_SIZE) -> Measures:
    """Measures of every connected region in a table of masks.

    table   CSV with ImageId,ClassId,EncodedPixels; rows without pixels are skipped
    size    (height, width) of its images
    returns by defect type, by name in MEASURES: `components` one value a sheet, the others one a region;
            `across` and `down` are centres as shares of width and height; pixels as on a sheet of 256x1600
    raises  BadAnnotation if a column is missing or a row cannot be read
    """
    found: dict[int, dict[str, list[float]]] = {}
    with table.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise BadAnnotation(
                f"{table}: expected columns {', '.join(_COLUMNS)}; {', '.join(missing)} not found"
            )
        for row in reader:
            if row["EncodedPixels"]:
                where = f"{table.name} row {reader.line_num} ({row['ImageId']})"
                mask = decode_runs(row["EncodedPixels"], size, where=where)
                measures = found.setdefault(_type(row["ClassId"], where), {name: [] for name in MEASURES})
                _measure(mask, measures)
    return {
        defect_type: {name: np.array(values) for name, values in measures.items()}
        for defect_type, measures in sorted(found.items())
    }


def _type(text: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise BadAnnotation(f"{where}: expected a whole number as ClassId, found {text!r}; check ClassId")
    return int(text)


def _measure(mask: Mask, into: dict[str, list[float]]) -> None:
    first, last = np.flatnonzero(mask.any(axis=0))[[0, -1]]  # labelling is quicker without the empty columns
    regions, _ = ndimage.label(mask[:, first : last + 1])
    areas = np.bincount(regions.ravel())[1:]
    down, across = REFERENCE_SIZE[0] / mask.shape[0], REFERENCE_SIZE[1] / mask.shape[1]
    count = 0
    for area, (rows, columns) in zip(areas, ndimage.find_objects(regions), strict=True):
        if area * down * across < SMALLEST_PX:
            continue
        count += 1
        into["area_px"].append(float(area) * down * across)
        into["height_px"].append((rows.stop - rows.start) * down)
        into["width_px"].append((columns.stop - columns.start) * across)
        into["across"].append((first + (columns.start + columns.stop) / 2) / mask.shape[1])
        into["down"].append((rows.start + rows.stop) / 2 / mask.shape[0])
    if count:
        into["components"].append(float(count))


def distances(
    real: Mapping[int, Mapping[str, np.ndarray]], synthetic: Mapping[int, Mapping[str, np.ndarray]]
) -> dict[int, dict[str, float]]:
    """Kolmogorov-Smirnov distance (0 = alike, 1 = apart) of every measure, for the types both sides have."""
    return {
        defect_type: {
            name: float(stats.ks_2samp(real[defect_type][name], synthetic[defect_type][name]).statistic)
            for name in MEASURES
        }
        for defect_type in real
        if defect_type in synthetic
    }
