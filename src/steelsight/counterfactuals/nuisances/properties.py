"""Properties of a sheet's pixels outside its defect, each as one number per sheet.

Pixels inside an annotated mask are left out, so that the size of a defect is not mistaken for a nuisance.
Sheets without a mask are measured whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from steelsight.counterfactuals.nuisances.sheet_ends import find_end
from steelsight.counterfactuals.nuisances.stains import find_stain
from steelsight.types import GrayBatch, GrayImage, Mask

__all__ = ["PIXEL_PROPERTIES", "Property", "find_dots", "measure_pixels"]

Measure = Callable[[GrayImage, Mask], float]

FEWEST_PX = 64  # of free steel; a sheet with less is not measured
DEEP_SIGMAS, DOT_PX = 5.0, 5  # a dot is this much darker than its surroundings, and narrower than this


@dataclass(frozen=True)
class Property:
    """One property of every sheet."""

    key: str
    title: str  # a short name, then after a colon what is measured
    values: Float[np.ndarray, " n"]
    presence: bool  # True: only more of it can be a shortcut; False: less of it can be one as well
    note: str = ""  # another possible reason for its association with the margin


@dataclass(frozen=True)
class _PixelProperty:
    title: str
    measure: Measure  # takes a sheet and its steel outside the defect
    presence: bool
    everywhere: bool = False  # True: measured on the black beyond an end too


def measure_pixels(images: GrayBatch, defects: Iterable[Mask]) -> list[Property]:
    """Measure every property of PIXEL_PROPERTIES.

    images   (n, h, w) uint8
    defects  one (h, w) mask per sheet; all False where there is none
    returns  values as in each entry's title; a sheet with less than FEWEST_PX of free steel gets the median
             of the others
    """
    measured = []
    for gray, defect in zip(images, defects, strict=True):
        free = ~defect
        steel = free & ~find_end(gray).mask(gray.shape[0])
        measured.append([_measure(each, gray, free, steel) for each in PIXEL_PROPERTIES.values()])
    table = np.array(measured, dtype=np.float64).reshape(len(images), len(PIXEL_PROPERTIES))
    return [
        Property(key, each.title, _fill(table[:, column]), each.presence)
        for column, (key, each) in enumerate(PIXEL_PROPERTIES.items())
    ]


def _measure(each: _PixelProperty, gray: GrayImage, free: Mask, steel: Mask) -> float:
    where = free if each.everywhere else steel
    return each.measure(gray, where) if int(where.sum()) >= FEWEST_PX else float("nan")


def _fill(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    known = values[np.isfinite(values)]
    return np.where(np.isfinite(values), values, np.median(known) if known.size else 0.0)


def _stain(gray: GrayImage, steel: Mask) -> float:
    return float(find_stain(gray, keep_off=~steel).sum()) / float(steel.sum())


def _end(gray: GrayImage, _free: Mask) -> float:
    end = find_end(gray)
    return (end.left_px + end.right_px) / end.width_px


def _exposure(gray: GrayImage, steel: Mask) -> float:
    return float(np.median(gray[steel]))


def _contrast(gray: GrayImage, steel: Mask) -> float:
    low, high = np.percentile(gray[steel], [25, 75])
    return float(high - low)


def _slope(gray: GrayImage, steel: Mask) -> float:
    """Difference in level between the outer thirds of the sheet, relative to their mean."""
    columns = np.flatnonzero(steel.any(0))
    third = max(1, columns.size // 3)
    left, right = columns[:third], columns[-third:]
    levels = [float(np.median(gray[:, side][steel[:, side]])) for side in (left, right)]
    return abs(levels[1] - levels[0]) / max(sum(levels) / 2, 1.0)


def _border(gray: GrayImage, steel: Mask) -> float:
    """Largest difference between the outermost rows and the rows beside them, in gray levels."""
    largest = 0.0
    for rows, beside in ((slice(0, 2), slice(3, 9)), (slice(-2, None), slice(-9, -3))):
        outer, inner = gray[rows][steel[rows]], gray[beside][steel[beside]]
        if outer.size and inner.size:
            largest = max(largest, abs(float(np.median(outer)) - float(np.median(inner))))
    return largest


def _grain(gray: GrayImage, steel: Mask) -> float:
    """Median step from a pixel to the mean of its neighbours, in gray levels."""
    fine = np.abs(ndimage.laplace(gray.astype(np.float32)))
    return float(np.median(fine[steel])) / 4


def _stripes(gray: GrayImage, steel: Mask) -> float:
    """Log ratio of the steps across to the steps down; above 0 for vertical lines."""
    level = gray.astype(np.float32)
    across, down = np.abs(np.diff(level, axis=1)), np.abs(np.diff(level, axis=0))
    inside = [
        float(step[kept].mean()) if kept.any() else 0.0
        for step, kept in ((across, steel[:, 1:] & steel[:, :-1]), (down, steel[1:] & steel[:-1]))
    ]
    return float(np.log((inside[0] + 0.1) / (inside[1] + 0.1)))


def find_dots(gray: GrayImage, steel: Mask) -> Mask:
    """Detect small places much darker than their surroundings.

    steel    (h, w) pixels to search
    returns  (h, w)
    """
    level = gray.astype(np.float32)
    depth = ndimage.grey_closing(level, size=(DOT_PX, DOT_PX)) - level
    spread = 1.4826 * float(np.median(np.abs(depth[steel]))) if steel.any() else 0.0
    dots: Mask = (depth > DEEP_SIGMAS * (spread or 1.0)) & steel
    return dots


def _dots(gray: GrayImage, steel: Mask) -> float:
    """Dots per thousand pixels of steel."""
    return 1000 * float(ndimage.label(find_dots(gray, steel))[1]) / float(steel.sum())


def _checker(gray: GrayImage, steel: Mask) -> float:
    """Share of the off-axis spectral power in its eight strongest coefficients, high for a lattice."""
    level = gray.astype(np.float32)
    flat = np.where(steel, level - np.median(level[steel]), 0)
    power = np.abs(np.fft.rfft2(flat * np.hanning(flat.shape[1])[None])) ** 2
    height = flat.shape[0]
    aslant = power[1 : height // 2, 3:] + power[-1 : -(height // 2) : -1, 3:]
    strongest = np.partition(aslant.ravel(), -8)[-8:] if aslant.size > 8 else aslant.ravel()
    total = float(aslant.sum())
    return float(strongest.sum()) / total if total > 0 else 0.0


PIXEL_PROPERTIES: Final[Mapping[str, _PixelProperty]] = {
    "stain": _PixelProperty("white stain: bright saturated blobs", _stain, presence=True),
    "end": _PixelProperty("sheet end: black beyond the steel", _end, presence=True, everywhere=True),
    "exposure": _PixelProperty("exposure: median gray level", _exposure, presence=False),
    "contrast": _PixelProperty("contrast: interquartile range of the gray levels", _contrast, presence=False),
    "uneven_light": _PixelProperty("uneven light: one end compared with the other", _slope, presence=False),
    "border": _PixelProperty(
        "border: outermost rows compared with the rows beside them", _border, presence=True
    ),
    "grain": _PixelProperty("grain: median step to the neighbours", _grain, presence=False),
    "stripes": _PixelProperty("stripes: vertical compared with horizontal steps", _stripes, presence=False),
    "dots": _PixelProperty("dots: small dark places per area", _dots, presence=True),
    "checker": _PixelProperty("checker pattern", _checker, presence=True),
}
