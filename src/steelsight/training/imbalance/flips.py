"""Random flips of copies: how likely they differ, how they are drawn, and the share of duplicates.

A flip is a code: 0 none, 1 left-right, 2 top-bottom, 3 both.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadRecipe
from steelsight.types import GrayBatch

__all__ = ["BEST_CHANCE", "draw_flips", "duplicate_share", "enumerate_flips", "flip", "two_copies_differ"]

BEST_CHANCE: Final = 1 / math.sqrt(2)  # the maximum of two_copies_differ
KINDS: Final = 3  # codes that change a sheet

Codes = Int[np.ndarray, "n copies"]


def two_copies_differ(chance: float) -> float:
    """Probability that a sheet and two flipped copies are three different images.

        f(p) = 2 p² (1-p)² + 4 p³ (1-p) = 2 p² - 2 p⁴

    chance  p, of each of the two flips, from 0 to 1
    raises  BadRecipe outside
    source  the study, slide 32; at p = 1/2 it is 3/8, at its maximum, p = 1/sqrt(2), 1/2

    >>> two_copies_differ(0.5)
    0.375
    """
    _check_chance(chance)
    rest = 1 - chance
    return 2 * chance**2 * rest**2 + 4 * chance**3 * rest


def draw_flips(sheets: int, copies: int, chance: float, rng: np.random.Generator) -> Codes:
    """A code for each copy, each flip drawn independently, as in the study.

    returns  (sheets, copies); a copy may equal its sheet (0) or another copy
    raises   BadRecipe for a chance outside 0 to 1
    """
    _check_chance(chance)
    left_right, top_bottom = rng.random((2, sheets, copies)) < chance
    codes: Codes = left_right.astype(np.int64) + 2 * top_bottom
    return codes


def enumerate_flips(sheets: int, copies: int, rng: np.random.Generator) -> Codes:
    """A code for each copy: all three flips once before any repeats, in a random order for each sheet.

    returns  (sheets, copies), never 0
    """
    rounds = -(-copies // KINDS)
    order = rng.permuted(np.tile(np.arange(1, KINDS + 1), (sheets, 1)), axis=1)
    codes: Codes = np.tile(order, (1, rounds))[:, :copies]
    return codes


def duplicate_share(codes: Codes) -> float:
    """Share of the copies that equal their sheet or an earlier copy of it; 0 without copies.

    >>> duplicate_share(np.array([[1, 1, 0, 2]]))
    0.5
    """
    if not codes.size:
        return 0.0
    shown = sum(len(set(row) - {0}) for row in codes.tolist())
    return 1 - shown / codes.size


def flip(images: GrayBatch, codes: Int[np.ndarray, " n"]) -> GrayBatch:
    """Each sheet flipped by its code, as a new array (n, h, w)."""
    flipped = np.empty_like(images)
    for image, code, out in zip(images, codes.tolist(), flipped, strict=True):
        out[:] = image[:: -1 if code & 2 else 1, :: -1 if code & 1 else 1]
    return flipped


def _check_chance(chance: float) -> None:
    if not 0 <= chance <= 1:
        raise BadRecipe(f"flips.chance: expected from 0 to 1, got {chance}")
