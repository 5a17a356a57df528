"""Which frequencies may have much power, by matrix products at single precision.

`coils.periods` looks for frequencies with much power on a fine grid. In most strips of a coil there is none,
so the powers are bounded first. The frequencies lie in blocks around centres; the terms of a frequency are
those of its centre times those of its distance from it, so the sums of a block are a matrix product. A bound
of the rounding is taken off the limit: no frequency that reaches the limit is left out, and those that are
returned have to be computed again. It does not say which frequencies are peaks.
source  Higham 2002, sections 3.1 and 3.5, for the errors of sums and products
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from steelsight.coils.points import Floats

__all__ = ["BinnedPoints", "FrequencyBand", "Numbers", "strong_numbers"]

BLOCK: Final = 1 << 16  # frequencies whose sums are held at once
ROUNDING: Final = 1.8e-7  # relative, of a factor of a term: 4e-8 of its own, sqrt(5) * 6e-8 of the product

Numbers = npt.NDArray[np.int64]
Terms = npt.NDArray[np.complex64]
Single = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FrequencyBand:
    """The frequencies number / size with low <= number < high, in turns a bin."""

    low: int
    high: int
    size: int


@dataclass(frozen=True, eq=False)
class BinnedPoints:
    """Points of a part of the coil in bins along it."""

    bins: Numbers  # (n,) from 0 to the size of the band less 1
    weights: Floats  # (n,)

    @property
    def squares(self) -> float:
        """Sum of the squared weights: the power that random points have on average."""
        return float(self.weights @ self.weights)


def strong_numbers(
    parts: Sequence[BinnedPoints], band: FrequencyBand, harmonics: int, least_power: float
) -> list[Numbers]:
    """For each part the numbers of the frequencies that reach a power and of some that nearly do, ascending.

    least_power  sum of the powers of a frequency and its harmonics, as a multiple of `squares`
    """
    bins, weights = _padded(parts)
    reach = max(1, round(math.sqrt((band.high - band.low) / 2)))  # of a block, to each side of its centre
    width = 2 * reach + 1
    alike = np.ones((len(parts), 1), dtype=np.float32)
    near = _harmonics(_powers(_turned(bins, 1, band.size), reach + 1), alike, harmonics)
    step = _turned(bins, width, band.size)
    most = max(1, min(BLOCK // (width * len(parts)), -(-(band.high - band.low) // width)))  # blocks at once
    products = harmonics * (reach + most + 8)  # of which a term consists, at most
    limits = np.array([_safe_limit(each, harmonics, products, least_power) for each in parts], np.float32)
    found: list[list[Numbers]] = [[] for _ in parts]
    for first in range(band.low + reach, band.high + reach, width * most):
        count = min(most, -(-(band.high + reach - first) // width))
        centres = _turned(bins, first, band.size)[:, None] * _powers(step, count)
        power, half = _block_powers(_harmonics(centres, weights, harmonics), near)
        largest = (power + np.abs(half)).max(axis=(1, 2))
        for part in np.flatnonzero(largest >= limits):
            for side in (1, -1):
                block, away = np.nonzero(power[part] + side * half[part] >= limits[part])
                found[part].append(first + block * width + side * away)
    return [_inside(each, band) for each in found]


def _inside(numbers: list[Numbers], band: FrequencyBand) -> Numbers:
    found = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *numbers]))
    return found[(found >= band.low) & (found < band.high)]


def _padded(parts: Sequence[BinnedPoints]) -> tuple[Numbers, Single]:
    """(p, n) bins and weights, filled up with points of weight 0."""
    most = max(each.bins.size for each in parts)
    bins, weights = np.zeros((len(parts), most), dtype=np.int64), np.zeros((len(parts), most), np.float32)
    for number, each in enumerate(parts):
        bins[number, : each.bins.size] = each.bins
        weights[number, : each.bins.size] = each.weights
    return bins, weights


def _safe_limit(part: BinnedPoints, harmonics: int, products: int, least_power: float) -> float:
    """The power that a frequency has at single precision at least, if its true one reaches the limit."""
    error = 2 * math.sqrt(harmonics) * ROUNDING * (products + part.weights.size) * float(part.weights.sum())
    return max(0.0, math.sqrt(least_power * part.squares) - error) ** 2


def _turned(bins: Numbers, number: int, size: int) -> Terms:
    """(p, n) terms exp(2 pi i number bin / size) of a frequency."""
    angles = 2 * np.pi / size * (bins * number % size)
    found = np.empty(bins.shape, dtype=np.complex64)
    found.real, found.imag = np.cos(angles), np.sin(angles)
    return found


def _powers(base: Terms, count: int) -> Terms:
    """(p, count, n): the powers 0, 1, ... of each term."""
    table = np.empty((len(base), count, base.shape[1]), dtype=np.complex64)
    table[:, 0] = 1
    done, factor = 1, base[:, None]
    while done < count:
        more = min(done, count - done)
        np.multiply(table[:, :more], factor, out=table[:, done : done + more])
        done, factor = done + more, factor * factor
    return table


def _harmonics(terms: Terms, weights: Single, harmonics: int) -> Single:
    """(p, h, 2 m, n) of terms (p, m, n), weighted: all real parts of a harmonic, then the imaginary ones."""
    parts, rows, points = terms.shape
    found = np.empty((parts, harmonics, 2 * rows, points), dtype=np.float32)
    raised = terms * weights[:, None]
    for harmonic in range(harmonics):
        found[:, harmonic, :rows], found[:, harmonic, rows:] = raised.real, raised.imag
        if harmonic + 1 < harmonics:
            raised *= terms
    return found


def _block_powers(centres: Single, near: Single) -> tuple[Single, Single]:
    """Powers summed over the harmonics, of each frequency above a centre and the one as far below it.

    returns  their mean and half their difference, both (p, blocks, reach + 1)
    """
    rows, away = centres.shape[2] // 2, near.shape[2] // 2
    sums = centres @ near.swapaxes(2, 3)  # (p, h, 2 blocks, 2 (reach + 1))
    real, imaginary = sums[:, :, :rows], sums[:, :, rows:]
    squares = (real * real).sum(axis=1) + (imaginary * imaginary).sum(axis=1)
    half = (imaginary[..., :away] * real[..., away:] - real[..., :away] * imaginary[..., away:]).sum(axis=1)
    return squares[..., :away] + squares[..., away:], 2 * half
