"""Which sheets show the same piece of steel twice: near-duplicates by a hash of their grain.

The hash follows the surface, not the scene. Vertical differences remove rolling streaks, sheet ends and
exposure, which many sheets share; what is left is grain and texture, which only the same piece of steel
shares. A count sketch (Charikar, Chen, Farach-Colton 2002) keeps 256 numbers a sheet whose dot product
estimates the correlation of the grain to ±.06. Every pair of sketches is compared, in blocks: 12,000 sheets
take seconds. Pieces that are shifted, mirrored or cut differently are not found. Pictures of one fixture or
background share its grain too; where that joins most of them, near-duplicates cannot be told apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from steelsight.errors import SharedBackground
from steelsight.types import GrayBatch

__all__ = [
    "MIN_CORRELATION",
    "Sketches",
    "distinguishing_pairs",
    "duplicate_groups",
    "first_copies",
    "pixel_hashes",
    "resembling",
    "similar_pairs",
    "sketch_sheets",
]

Grain = Float32[np.ndarray, "n p"]
Positions = Int[np.ndarray, "m"]
Sketches = Float32[np.ndarray, "m k"]

MIN_CORRELATION: Final = 0.45  # different strip stays below .15, different polished tiles below .4

FEWEST_JOINED: Final = 10  # different sheets that a chain must join before it can be a common background
MOST_JOINED: Final = 0.5  # share of the different sheets in one chain from which it is one
MOST_PAIRS: Final = 50  # pairs a sheet from which they are one

_MOST_ALIKE: Final = 1 - 1e-6  # of sheets that differ, such as a brightened copy; 1 = equal pixels
_WIDTH: Final = 256
_CLIP: Final = 16  # gray levels: edges must not outweigh grain
_BLOCK: Final = 512  # sheets at a time


def duplicate_groups(images: GrayBatch, *, min_correlation: float = MIN_CORRELATION) -> list[str]:
    """Group near-duplicates: copies saved again, brightened, or another exposure of the same place.

    images           (n, h, w) uint8, one size
    min_correlation  of the grain of two sheets, -1..1
    returns          one name a sheet, "" for a sheet that resembles no other; chains join
    raises           SharedBackground as `distinguishing_pairs`
    """
    found = distinguishing_pairs(images, min_correlation=min_correlation)
    pairs = [(left, right) for left, right, _ in found]
    component = _components(len(images), pairs)
    if not component.size:
        return []
    first, sizes = np.unique(component, return_index=True, return_counts=True)[1:]
    return [f"duplicate/{first[c]}" if sizes[c] > 1 else "" for c in component.tolist()]


def distinguishing_pairs(
    images: GrayBatch, *, min_correlation: float = MIN_CORRELATION
) -> list[tuple[int, int, float]]:
    """All of `similar_pairs`, unless a common fixture or background makes most sheets alike.

    raises  SharedBackground where a chain of pairs joins more than MOST_JOINED of the sheets that differ byte
            for byte, and at least FEWEST_JOINED of them; or for more than MOST_PAIRS pairs a sheet
    """
    pairs: list[tuple[int, int, float]] = []
    for pair in similar_pairs(images, min_correlation=min_correlation):
        pairs.append(pair)
        if len(pairs) > MOST_PAIRS * len(images):
            raise SharedBackground(_refusal(f"more than {MOST_PAIRS} pairs for each of {len(images)} sheets"))
    different = np.unique(first_copies(images))
    component = _components(len(images), [(left, right) for left, right, _ in pairs])
    largest = int(np.bincount(component[different]).max()) if different.size else 0
    if largest >= FEWEST_JOINED and largest > MOST_JOINED * different.size:
        raise SharedBackground(_refusal(f"one chain of them joins {largest} of {different.size} sheets"))
    return pairs


def _refusal(found: str) -> str:
    return (
        f"near-duplicates: {found}: the pictures share a fixture or background; near-duplicates cannot be "
        "told apart; group by column:NAME, file:PATH:COLUMN or frames instead"
    )


def _components(count: int, pairs: Sequence[tuple[int, int]]) -> Positions:
    """A number for each sheet, equal for sheets that pairs join, directly or over others."""
    if not pairs:
        return np.arange(count)
    left, right = np.array(pairs).T
    graph = coo_array((np.ones(left.size), (left, right)), shape=(count, count))
    component: Positions = connected_components(graph, directed=False)[1].astype(np.int64)
    return component


def pixel_hashes(images: GrayBatch) -> list[str]:
    """One short hash a sheet, of its gray bytes at model size."""
    return [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16] for image in images]


def first_copies(images: GrayBatch) -> Positions:
    """For each sheet the position of the first that equals it byte for byte."""
    first: dict[bytes, int] = {}
    hashes = (hashlib.blake2b(image.tobytes()).digest() for image in images)
    return np.fromiter(
        (first.setdefault(digest, position) for position, digest in enumerate(hashes)), dtype=np.int64
    )


def similar_pairs(
    images: GrayBatch, *, min_correlation: float = MIN_CORRELATION
) -> Iterator[tuple[int, int, float]]:
    """Pairs of positions (ascending) whose grain correlates, with the correlation.

    A sheet equal to an earlier one, byte for byte, is paired with the first such sheet alone.
    """
    first = first_copies(images)
    for position, earlier in enumerate(first.tolist()):
        if earlier != position:
            yield earlier, position, 1.0
    different = np.unique(first)
    sketches = sketch_sheets(images, different)
    margin = 4 / np.sqrt(_WIDTH)  # 4 standard deviations of the estimate
    for start in range(0, different.size, _BLOCK):
        estimate = sketches[start : start + _BLOCK] @ sketches[start:].T
        near = np.argwhere(np.triu(estimate >= min_correlation - margin, k=1)) + start
        for left, right in different[near].tolist():
            correlation = _correlation(images[left : left + 1], images[right : right + 1])
            if correlation >= min_correlation:
                yield left, right, min(correlation, _MOST_ALIKE)


def _correlation(left: GrayBatch, right: GrayBatch) -> float:
    return float(_grain(left)[0] @ _grain(right)[0])


def _grain(images: GrayBatch) -> Grain:
    """Vertical differences of each sheet as a unit vector; without grain, a zero vector."""
    steps = np.diff(images.astype(np.int16), axis=1)
    flat = np.clip(steps, -_CLIP, _CLIP).reshape(len(images), -1).astype(np.float32)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: Grain = flat / np.maximum(norm, 1)
    return unit


def resembling(sketches: Sketches, others: Float32[np.ndarray, "p k"]) -> Bool[np.ndarray, " m"]:
    """Which of some sheets are near-duplicates of any of others, by their sketches alone.

    The correlation is estimated, to ±.06; sheets that differ stay three deviations below MIN_CORRELATION.
    """
    alike = np.zeros(len(sketches), dtype=bool)
    for start in range(0, len(sketches) if len(others) else 0, _BLOCK):
        estimate = sketches[start : start + _BLOCK] @ others.T
        alike[start : start + _BLOCK] = estimate.max(axis=1) >= MIN_CORRELATION
    return alike


def sketch_sheets(images: GrayBatch, positions: Positions) -> Sketches:
    """Sketches of some sheets: random signs of their grain, summed over a random partition of the pixels.

    positions  in `images`
    returns    (m, 256) float32, or fewer numbers for smaller images; dot products estimate correlations
    """
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
