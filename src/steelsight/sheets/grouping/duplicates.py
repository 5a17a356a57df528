"""Which sheets show the same piece of steel twice: near-duplicates by a hash of their grain.

The hash follows the surface, not the scene. Vertical differences remove rolling streaks, sheet ends and
exposure, which many sheets share; what is left is grain and texture, which only the same piece of steel
shares. A count sketch (Charikar, Chen, Farach-Colton 2002) keeps 256 numbers a sheet whose dot product
estimates the correlation of the grain to ±.06. Every pair of sketches is compared, in blocks: 12,000 sheets
take seconds. Pieces that are shifted, mirrored or cut differently are not found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Float32, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from steelsight.types import GrayBatch

__all__ = ["MIN_CORRELATION", "duplicate_groups", "similar_pairs"]

Grain = Float32[np.ndarray, "n p"]
Positions = Int[np.ndarray, "m"]
Sketches = Float32[np.ndarray, "m k"]

MIN_CORRELATION: Final = 0.45  # different strip stays below .15, different polished tiles below .4

_WIDTH: Final = 256
_CLIP: Final = 16  # gray levels: edges must not outweigh grain
_BLOCK: Final = 512  # sheets at a time


def duplicate_groups(images: GrayBatch, *, min_correlation: float = MIN_CORRELATION) -> list[str]:
    """Group near-duplicates: copies saved again, brightened, or another exposure of the same place.

    images           (n, h, w) uint8, one size
    min_correlation  of the grain of two sheets, -1..1
    returns          one name a sheet, "" for a sheet that resembles no other; chains join
    """
    pairs = [(left, right) for left, right, _ in similar_pairs(images, min_correlation=min_correlation)]
    if not pairs:
        return [""] * len(images)
    left, right = np.array(pairs).T
    graph = coo_array((np.ones(left.size), (left, right)), shape=(len(images), len(images)))
    _, component = connected_components(graph, directed=False)
    first, sizes = np.unique(component, return_index=True, return_counts=True)[1:]
    return [f"duplicate/{first[c]}" if sizes[c] > 1 else "" for c in component.tolist()]


def similar_pairs(
    images: GrayBatch, *, min_correlation: float = MIN_CORRELATION
) -> Iterator[tuple[int, int, float]]:
    """Pairs of positions (ascending) whose grain correlates, with the correlation.

    A sheet equal to an earlier one, byte for byte, is paired with the first such sheet alone.
    """
    first: dict[bytes, int] = {}
    for position, image in enumerate(images):
        earlier = first.setdefault(hashlib.blake2b(image.tobytes()).digest(), position)
        if earlier != position:
            yield earlier, position, 1.0
    different = np.fromiter(first.values(), dtype=np.int64)
    sketches = _sketch(images, different)
    margin = 4 / np.sqrt(_WIDTH)  # 4 standard deviations of the estimate
    for start in range(0, different.size, _BLOCK):
        estimate = sketches[start : start + _BLOCK] @ sketches[start:].T
        near = np.argwhere(np.triu(estimate >= min_correlation - margin, k=1)) + start
        for left, right in different[near].tolist():
            correlation = _correlation(images[left : left + 1], images[right : right + 1])
            if correlation >= min_correlation:
                yield left, right, correlation


def _correlation(left: GrayBatch, right: GrayBatch) -> float:
    return float(_grain(left)[0] @ _grain(right)[0])


def _grain(images: GrayBatch) -> Grain:
    """Vertical differences of each sheet as a unit vector; without grain, a zero vector."""
    steps = np.diff(images.astype(np.int16), axis=1)
    flat = np.clip(steps, -_CLIP, _CLIP).reshape(len(images), -1).astype(np.float32)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: Grain = flat / np.maximum(norm, 1)
    return unit


def _sketch(images: GrayBatch, positions: Positions) -> Sketches:
    """Random signs, then sums over a random partition of the pixels."""
    pixels = (images.shape[1] - 1) * images.shape[2]
    rng = np.random.default_rng(0)  # part of the hash's definition, not of anybody's experiment
    signs = rng.choice(np.array([-1, 1], dtype=np.float32), pixels)
    order = rng.permutation(pixels)
    starts = np.linspace(0, pixels, min(_WIDTH, pixels), endpoint=False).astype(np.int64)
    sketches = np.zeros((positions.size, max(1, starts.size)), dtype=np.float32)
    for start in range(0, positions.size if pixels else 0, _BLOCK):
        mixed = (_grain(images[positions[start : start + _BLOCK]]) * signs)[:, order]
        sketches[start : start + _BLOCK] = np.add.reduceat(mixed, starts, axis=1)
    return sketches
