"""From a class's signed map on the last grid to places on the original image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Int

from steelsight.runtime.verdict import Region
from steelsight.sheets.images.placement import Placement

__all__ = ["find_regions", "number_places", "upsample"]

FINER: Final = 4  # places are looked for on a grid so many times finer, by linear interpolation
LEAST: Final = 0.5  # of the map's peak: what belongs to a region
MOST: Final = 8  # regions told of one sheet

Map = Float32[np.ndarray, "gh gw"]


def find_regions(maps: Sequence[Map], placement: Placement, size: tuple[int, int]) -> tuple[Region, ...]:
    """Where the evidence of the label's classes lies, strongest first, at most MOST.

    maps       one signed map a class the label names; none gives no region
    placement  where the image lies in the model's input
    size       (height, width) of the model's input, which the grid spans
    """
    found = [region for each in maps for region in _regions(each, placement, size)]
    return tuple(sorted(found, key=lambda region: -region.score)[:MOST])


def upsample(grid: Map, size: tuple[int, int]) -> Float32[np.ndarray, "h w"]:
    """Bilinear from the grid to the image it spans, as torch's with half-pixel centres."""
    rows, columns = _spread(grid.shape[0], size[0]), _spread(grid.shape[1], size[1])
    large: Float32[np.ndarray, "h w"] = rows @ grid @ columns.T
    return large


def number_places(inside: Bool[np.ndarray, "h w"]) -> Int[np.ndarray, "h w"]:
    """Number the places whose pixels touch side by side, 1, 2, ... in reading order; 0 outside.

    Runs of a row are joined with those they touch in the row above: grids are small and places few, so this
    is quicker than a general labelling, and the plant needs no SciPy.
    """
    framed = np.zeros((inside.shape[0], inside.shape[1] + 2), dtype=np.int8)
    framed[:, 1:-1] = inside
    steps = framed[:, 1:] - framed[:, :-1]
    rows, starts = (each.tolist() for each in np.nonzero(steps == 1))
    ends = np.nonzero(steps == -1)[1].tolist()
    first = list(range(len(rows)))  # of the runs it belongs with, by way of others

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
    fine_size = (grid.shape[0] * FINER, grid.shape[1] * FINER)
    fine = upsample(grid, fine_size)
    peak = float(fine.max())
    if not peak > 0:
        return []
    numbered = number_places(fine >= LEAST * peak)
    step_y, step_x = size[0] / fine_size[0], size[1] / fine_size[1]
    regions = []
    for number in range(1, int(numbered.max()) + 1):
        below, across = np.nonzero(numbered == number)
        rows, columns = (slice(int(each.min()), int(each.max()) + 1) for each in (below, across))
        inside = numbered[rows, columns] == number
        box = placement.to_original(
            (columns.start * step_x, rows.start * step_y, columns.stop * step_x, rows.stop * step_y)
        )
        left, top, right, bottom = np.floor(box[0]), np.floor(box[1]), np.ceil(box[2]), np.ceil(box[3])
        if right <= left or bottom <= top:  # in the letterbox's black
            continue
        share = float(inside.sum()) / inside.size
        area = max(1, round(share * (box[2] - box[0]) * (box[3] - box[1])))
        strongest = float(fine[rows, columns][inside].max()) / peak
        regions.append(Region((int(left), int(top), int(right), int(bottom)), area, strongest))
    return regions


@lru_cache(maxsize=64)
def _spread(cells: int, pixels: int) -> Float32[np.ndarray, "pixels cells"]:
    """Row i holds what each cell gives to pixel i."""
    centres = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    weights: Float32[np.ndarray, "pixels cells"] = np.clip(
        1 - np.abs(centres[:, None] - np.arange(cells)[None]), 0, None
    ).astype(np.float32)
    return weights
