"""Periods that points of one lateral place may have, from the powers of their frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from steelsight.coils.lattice import HARMONICS, Span
from steelsight.coils.points import Floats
from steelsight.coils.screen import BinnedPoints, FrequencyBand, Numbers, strong_numbers

__all__ = ["find_band", "frequency_spacing", "in_bins", "likely_periods", "turn_weights"]

BIN_M: Final = 0.02  # points are counted in bins: a twelfth of the shortest harmonic of half a metre's period
PADDED: Final = 8  # frequencies a frequency that the span's length resolves
PEAKS: Final = 4  # periods that are looked at
LEAST_POWER: Final = 20.0  # sum over the harmonics; chance alone has 4 on average
DENSE: Final = 2000  # points of a part for which a transform is faster than the screen


def turn_weights(along: Floats, shortest_m: float) -> Floats:
    """Weights that give many defects in one place together about the weight of one.

    along  (n,) metres, sorted
    """
    near = np.searchsorted(along, along + shortest_m / 2, "right") - np.searchsorted(
        along, along - shortest_m / 2, "left"
    )
    return 1 / near


def frequency_spacing(span: Span) -> float:
    """Distance of the frequencies that are looked at, in 1/m."""
    return 1 / (_size(span) * BIN_M)


def find_band(span: Span, shortest_m: float, longest_m: float) -> FrequencyBand | None:
    """The frequencies that are looked at; None where there are too few."""
    size = _size(span)
    low = max(1, math.floor(size * BIN_M / longest_m))
    high = min(math.ceil(size * BIN_M / shortest_m) + 1, size // 2 // HARMONICS)
    return FrequencyBand(low, high, size) if high > low + 2 else None


def in_bins(along: Floats, weights: Floats, span: Span, band: FrequencyBand) -> BinnedPoints:
    """Points of a span, counted from its start.

    along  (n,) metres
    """
    bins = np.clip(((along - span.start_m) / BIN_M).astype(np.int64), 0, band.size - 1)
    return BinnedPoints(bins, weights)


def likely_periods(parts: Sequence[BinnedPoints], band: FrequencyBand) -> list[list[float]]:
    """Of each part the periods with most power in metres, the strongest first; none where none stands out."""
    sparse = [each for each in parts if each.bins.size <= DENSE]
    strong = iter(strong_numbers(sparse, band, HARMONICS, LEAST_POWER) if sparse else [])
    return [_peaks(each, band, next(strong) if each.bins.size <= DENSE else None) for each in parts]


def _peaks(part: BinnedPoints, band: FrequencyBand, strong: Numbers | None) -> list[float]:
    """The strongest peaks; `strong` holds all numbers that may reach the least power, None = any may."""
    if strong is not None and not strong.size:
        return []
    total = _total_power(part, band, strong)
    peaks = np.flatnonzero((total >= np.r_[0, total[:-1]]) & (total > np.r_[total[1:], 0]))
    peaks = peaks[total[peaks] >= LEAST_POWER]
    strongest = peaks[np.argsort(-total[peaks], kind="stable")][:PEAKS]
    return [band.size * BIN_M / float(band.low + peak) for peak in strongest]


def _total_power(part: BinnedPoints, band: FrequencyBand, strong: Numbers | None) -> Floats:
    """(high - low,) power of each frequency with its harmonics, 0 where it and its neighbours are weak."""
    raised = np.arange(1, HARMONICS + 1)
    if strong is None or 3 * HARMONICS * strong.size * part.bins.size > band.size:
        spectrum = np.fft.rfft(np.bincount(part.bins, part.weights, band.size))
        power = np.abs(spectrum) ** 2 / part.squares
        total: Floats = power[np.arange(band.low, band.high)[:, None] * raised].sum(axis=1)
        return total
    around = np.unique(strong[:, None] + np.arange(-1, 2))
    around = around[(around >= band.low) & (around < band.high)]
    turns = (around[:, None] * raised)[:, :, None] * part.bins % band.size  # (frequencies, harmonics, n)
    sums = np.exp(-2j * np.pi / band.size * turns) @ part.weights
    total = np.zeros(band.high - band.low)
    total[around - band.low] = (np.abs(sums) ** 2 / part.squares).sum(axis=1)
    return total


def _size(span: Span) -> int:
    wanted = PADDED * max(int(span.length_m / BIN_M), 64)
    return 1 << (wanted - 1).bit_length()
