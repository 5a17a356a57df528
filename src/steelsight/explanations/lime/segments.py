"""Superpixels of strip images, which LIME masks and shows.

SLIC and quickshift are scikit-image's. Strips and grid are rectangles of equal size: rolling marks run along
a sheet, so a column of pixels often belongs together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float, Int
from skimage.segmentation import quickshift, slic

from steelsight.errors import BadInput

__all__ = ["SEGMENTERS", "check_segments", "segment_sheet"]

Segments = Int[np.ndarray, "h w"]

CELL_PX = 24  # side of a superpixel aimed at: about fifty on a 64x400 sheet


def _slic(gray: Float[np.ndarray, "h w"], cells: int) -> Segments:
    labels: Segments = slic(
        gray, n_segments=cells, compactness=0.3, sigma=1.0, channel_axis=None, start_label=0
    )
    return labels


def _quickshift(gray: Float[np.ndarray, "h w"], cells: int) -> Segments:
    """Quickshift takes no count: its kernel grows until segments are under 1.5 times the cells."""
    colour = np.repeat(gray[..., None], 3, axis=2)
    labels: Segments = np.zeros(gray.shape, dtype=np.int64)
    for kernel in (3, 5, 8, 12, 18):
        labels = quickshift(  # type: ignore[no-untyped-call]
            colour, kernel_size=kernel, max_dist=3 * kernel, ratio=0.5, rng=0
        )
        if labels.max() < 1.5 * cells:
            break
    return labels


def _grid(gray: Float[np.ndarray, "h w"], cells: int, *, rows: int | None = None) -> Segments:
    height, width = gray.shape
    down = rows or max(1, round((cells * height / width) ** 0.5))
    across = max(1, round(cells / down))
    y = np.minimum(np.arange(height) * down // height, down - 1)
    x = np.minimum(np.arange(width) * across // width, across - 1)
    labels: Segments = (y[:, None] * across + x[None]).astype(np.int64)
    return labels


SEGMENTERS: dict[str, Callable[[Float[np.ndarray, "h w"], int], Segments]] = {
    "slic": _slic,
    "quickshift": _quickshift,
    "strips": partial(_grid, rows=1),
    "grid": _grid,
}


def segment_sheet(
    gray: Float[np.ndarray, "h w"], kind: str = "slic", *, cells: int | None = None
) -> Segments:
    """Superpixels numbered from 0 without gaps.

    gray    any range; scaled to 0..1 by its own extremes, so that brightness does not change their number
    kind    a key of SEGMENTERS
    cells   number aimed at; None = one for every 24x24 pixels, at least 8
    raises  BadInput for another kind
    """
    if kind not in SEGMENTERS:
        raise BadInput(f"segments: expected one of {', '.join(SEGMENTERS)}, got {kind!r}")
    wanted = cells or max(8, round(gray.size / CELL_PX**2))
    low, high = float(gray.min()), float(gray.max())
    scaled = (gray - low) / max(high - low, 1e-6)
    return _renumber(SEGMENTERS[kind](scaled.astype(np.float64), wanted))


def check_segments(segments: Segments, size: tuple[int, int]) -> Segments:
    """The same, numbered without gaps; raises BadInput for another shape or a single superpixel."""
    if segments.shape != size:
        raise BadInput(f"segments: expected shape {size}, one number a pixel, got {segments.shape}")
    numbered = _renumber(segments)
    if numbered.max() == 0:
        raise BadInput("segments: expected at least two superpixels, got one; ask for more cells")
    return numbered


def _renumber(segments: Segments) -> Segments:
    flat: Segments = np.unique(segments, return_inverse=True)[1].reshape(segments.shape).astype(np.int64)
    return flat
