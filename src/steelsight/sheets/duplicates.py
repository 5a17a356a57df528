"""Which sheets show the same piece of steel twice: near-duplicates by a hash of their grain.

The hash follows the surface, not the scene. Vertical differences remove rolling streaks, sheet ends and
exposure, which many sheets share; what is left is grain and texture, which only the same piece of steel
shares. Its signs under 256 fixed random projections make the hash (Charikar 2002): each bit differs with
chance angle / π. Hashes are compared only where one of 21 bands of 12 bits agrees, not pair by pair.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Float32, Int, UInt8

from steelsight.types import GrayBatch

__all__ = ["duplicate_groups", "grain_hashes"]

Hashes = UInt8[np.ndarray, "n 256"]
Signs = Float32[np.ndarray, "p"]
Positions = Int[np.ndarray, "_"]
Pairs = Int[np.ndarray, "m 2"]

_BITS: Final = 256
_BAND_BITS: Final = 12
_CLIP: Final = 16  # gray levels: edges must not outweigh grain
_BLOCK: Final = 128  # sheets at a time


def duplicate_groups(images: GrayBatch, *, min_correlation: float = 0.7) -> list[str]:
    """Group near-duplicates: copies saved again, brightened, or cut from the same exposure.

    images           (n, h, w) uint8, one size
    min_correlation  of the grain of two sheets, -1..1; different steel stays near 0
    returns          one name a sheet, "" for a sheet that resembles no other; chains join
    """
    parent = list(range(len(images)))

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    for left, right in _alike(images, min_correlation):
        parent[max(root(left), root(right))] = min(root(left), root(right))
    roots = [root(position) for position in range(len(images))]
    sizes = np.bincount(roots, minlength=len(images))
    return [f"duplicate/{first}" if sizes[first] > 1 else "" for first in roots]


def grain_hashes(images: GrayBatch) -> Hashes:
    """256 bits a sheet, one a byte."""
    signs, order, starts = _projection(max(0, images.shape[1] - 1) * images.shape[2])
    hashes = np.empty((len(images), _BITS), dtype=np.uint8)
    for start in range(0, len(images), _BLOCK):
        mixed = (_grain(images[start : start + _BLOCK]) * signs)[:, order]
        hashes[start : start + _BLOCK] = np.add.reduceat(mixed, starts, axis=1) > 0
    return hashes


def _alike(images: GrayBatch, min_correlation: float) -> Iterator[tuple[int, int]]:
    yield from _identical(images)
    if images[:1].size <= 2 * _BITS:
        return  # too few pixels to carry a hash
    hashes = grain_hashes(images)
    # The expected distance plus 4 standard deviations of a bit count: the hash loses next to nothing.
    chance = np.arccos(min_correlation) / np.pi
    most = _BITS * chance + 4 * np.sqrt(_BITS * chance * (1 - chance))
    for pairs in _banded_pairs(hashes):
        near = (hashes[pairs[:, 0]] != hashes[pairs[:, 1]]).sum(axis=1) <= most
        for left, right in pairs[near].tolist():
            if _correlation(images[left], images[right]) >= min_correlation:
                yield left, right


def _identical(images: GrayBatch) -> Iterator[tuple[int, int]]:
    first: dict[bytes, int] = {}
    for position, image in enumerate(images):
        yield first.setdefault(image.tobytes(), position), position


def _banded_pairs(hashes: Hashes) -> Iterator[Pairs]:
    """Pairs that agree in a band, each pair possibly in several bands."""
    weights = 1 << np.arange(_BAND_BITS)
    for start in range(0, _BITS - _BAND_BITS + 1, _BAND_BITS):
        keys = hashes[:, start : start + _BAND_BITS] @ weights
        buckets: dict[int, list[int]] = defaultdict(list)
        for position, key in enumerate(keys.tolist()):
            buckets[key].append(position)
        for members in buckets.values():
            if len(members) > 1:
                left, right = np.triu_indices(len(members), k=1)
                yield np.array(members)[np.stack([left, right], axis=1)]


def _grain(images: GrayBatch) -> Float32[np.ndarray, "n p"]:
    steps = np.diff(images.astype(np.int16), axis=1)
    return np.clip(steps, -_CLIP, _CLIP).reshape(len(images), -1).astype(np.float32)


def _correlation(left: UInt8[np.ndarray, "h w"], right: UInt8[np.ndarray, "h w"]) -> float:
    a, b = _grain(np.stack([left, right]))
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm else 0.0


def _projection(length: int) -> tuple[Signs, Positions, Positions]:
    """Random signs, and a random partition of the pixels into one bucket a bit (a count sketch)."""
    rng = np.random.default_rng(0)  # part of the hash's definition, not of anybody's experiment
    signs = rng.choice(np.array([-1, 1], dtype=np.float32), length)
    starts = np.linspace(0, length, _BITS, endpoint=False).astype(np.int64)
    return signs, rng.permutation(length), starts
