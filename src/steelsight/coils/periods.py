"""Periods that points of one lateral place may have, from the powers of their frequencies."""

from __future__ import annotations

from typing import Final

import numpy as np

from steelsight.coils.lattice import HARMONICS, Span
from steelsight.coils.points import Floats

__all__ = ["frequency_spacing", "likely_periods", "turn_weights"]

BIN_M: Final = 0.02  # points are counted in bins: a twelfth of the shortest harmonic of half a metre's period
PADDED: Final = 8  # frequencies a frequency that the span's length resolves
PEAKS: Final = 4  # periods that are looked at
LEAST_POWER: Final = 20.0  # sum over the harmonics; chance alone has 4 on average


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


def likely_periods(
    along: Floats, weights: Floats, span: Span, shortest_m: float, longest_m: float
) -> list[float]:
    """Periods with the largest power, in metres, the strongest first; empty where none stands out.

    along  (n,) metres
    """
    size = _size(span)
    bins = np.clip(((along - span.start_m) / BIN_M).astype(np.int64), 0, size - 1)
    spectrum = np.fft.rfft(np.bincount(bins, weights, size))
    power = np.abs(spectrum) ** 2 / float(weights @ weights)
    low = max(1, int(np.floor(size * BIN_M / longest_m)))
    high = min(int(np.ceil(size * BIN_M / shortest_m)) + 1, (power.size - 1) // HARMONICS)
    if high <= low + 2:
        return []
    numbers = np.arange(low, high)
    total = power[numbers[:, None] * np.arange(1, HARMONICS + 1)].sum(axis=1)
    peaks = np.flatnonzero((total >= np.r_[0, total[:-1]]) & (total > np.r_[total[1:], 0]))
    peaks = peaks[total[peaks] >= LEAST_POWER]
    strongest = peaks[np.argsort(-total[peaks], kind="stable")][:PEAKS]
    return [size * BIN_M / float(numbers[peak]) for peak in strongest]


def _size(span: Span) -> int:
    wanted = PADDED * max(int(span.length_m / BIN_M), 64)
    return 1 << (wanted - 1).bit_length()
