"""Turn a class's signed map on the network's last grid into regions of the original image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Int

from steelsight.sheets.images.placement import Placement
from steelsight.types import Region

__all__ = ["find_regions", "label_components", "upsample"]

FINER: Final = 4  # regions are found on a grid this many times finer, by linear interpolation
FINE: Final = 1000  # cells from which on a grid is fine already; it is made half as much finer
LEAST: Final = 0.5  # share of the map's peak from which a cell belongs to a region
MOST: Final = 8  # regions of one sheet

Map = Float32[np.ndarray, "gh gw"]


def find_regions(maps: Sequence[Map], placement: Placement, size: tuple[int, int]) -> tuple[Region, ...]:
    """The regions with evidence for the label's classes, strongest first, at most MOST.

    maps       one signed map for each class named in the label; no map gives no region
    placement  where the image lies in the model's input
    size       (height, width) of the model's input, which the grid spans
    """
    regions = [region for grid in maps for region in _regions(grid, placement, size)]
    return tuple(sorted(regions, key=lambda region: -region.score)[:MOST])


def upsample(grid: Map, size: tuple[int, int]) -> Float32[np.ndarray, "h w"]:
    """Interpolate a grid bilinearly to the image it spans, as torch does with half-pixel centres."""
    rows, columns = _interpolation(grid.shape[0], size[0]), _interpolation(grid.shape[1], size[1])
    large: Float32[np.ndarray, "h w"] = rows @ grid @ columns.T
    return large


def label_components(inside: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Number the 4-connected components 1, 2, ... in reading order; 0 outside.

    Runs of a row are joined with those they touch in the row above. For small grids with few components this
    is faster than a general labelling, and the plant does without SciPy.
    """
    framed = np.zeros((inside.shape[0], inside.shape[1] + 2), dtype=np.int8)
    framed[:, 1:-1] = inside
    steps = framed[:, 1:] - framed[:, :-1]
    rows, starts = (axis.tolist() for axis in np.nonzero(steps == 1))
    ends = np.nonzero(steps == -1)[1].tolist()
    first = list(range(len(rows)))  # an earlier run of the same component, or itself

    def find(run: int) -> int:
        while first[run] != run:
            run = first[run]
        return run

    above = 0
    for run, row in enumerate(rows):
        while rows[above] < row - 1 or (rows[above] == row - 1 and ends[above] <= starts[run]):
            above += 1
        touching = above
        while rows[touching] == row - 1 and starts[touching] < ends[run]:
            one, other = sorted((find(run), find(touching)))
            first[other] = one
            touching += 1
    numbered = np.zeros(inside.shape, dtype=np.intp)
    numbers: dict[int, int] = {}
    for run, row in enumerate(rows):
        numbered[row, starts[run] : ends[run]] = numbers.setdefault(find(run), len(numbers) + 1)
    return numbered


def _regions(grid: Map, placement: Placement, size: tuple[int, int]) -> list[Region]:
    finer = FINER if grid.size < FINE else FINER // 2
    fine_size = (grid.shape[0] * finer, grid.shape[1] * finer)
    fine = upsample(grid, fine_size)
    peak = float(fine.max())
    if not peak > 0:
        return []
    numbered = label_components(fine >= LEAST * peak)
    step_y, step_x = size[0] / fine_size[0], size[1] / fine_size[1]
    regions = []
    for number in range(1, int(numbered.max()) + 1):
        below, across = np.nonzero(numbered == number)
        rows, columns = (slice(int(axis.min()), int(axis.max()) + 1) for axis in (below, across))
        inside = numbered[rows, columns] == number
        box = placement.to_original(
            (columns.start * step_x, rows.start * step_y, columns.stop * step_x, rows.stop * step_y)
        )
        left, top, right, bottom = np.floor(box[0]), np.floor(box[1]), np.ceil(box[2]), np.ceil(box[3])
        if right <= left or bottom <= top:  # inside the letterbox's border
            continue
        share = float(inside.sum()) / inside.size
        area = max(1, round(share * (box[2] - box[0]) * (box[3] - box[1])))
        strongest = float(fine[rows, columns][inside].max()) / peak
        regions.append(Region((int(left), int(top), int(right), int(bottom)), area, strongest))
    return regions


@lru_cache(maxsize=64)
def _interpolation(cells: int, pixels: int) -> Float32[np.ndarray, "pixels cells"]:
    """Row i holds the weight of each cell in pixel i."""
    centres = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    weights: Float32[np.ndarray, "pixels cells"] = np.clip(
        1 - np.abs(centres[:, None] - np.arange(cells)[None]), 0, None
    ).astype(np.float32)
    return weights
