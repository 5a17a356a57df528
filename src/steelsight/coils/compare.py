"""Compare two coils: defects by type in each band of metres."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.exact import clopper_pearson
from steelsight.ledger.coils.defects import MergedDefect

__all__ = ["Band", "CoilComparison", "compare_coils"]

MOST_BANDS: Final = 10_000
BANDS_M: Final = (0.1, 10_000.0)
LEVEL: Final = 0.95


@dataclass(frozen=True)
class Band:
    """Defects whose middle lies in a part of the coils."""

    start_m: float
    end_m: float
    counts: dict[str, tuple[int, int]]  # by type, on the first and the second coil


@dataclass(frozen=True)
class CoilComparison:
    """Two coils beside each other; metres are counted from the first image of each."""

    coils: tuple[str, str]
    lengths_m: tuple[float, float]  # inspected, from the first image to the end of the last
    totals: dict[str, tuple[int, int]]  # by type
    # For each type: how many times as many a metre the second coil has, with 95 % bounds; None = not defined.
    ratios: dict[str, tuple[float | None, float, float | None]]
    bands: tuple[Band, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "bands": [vars(band) for band in self.bands]}


def compare_coils(
    coils: tuple[str, str],
    defects: tuple[Sequence[MergedDefect], Sequence[MergedDefect]],
    extents: tuple[tuple[float, float], tuple[float, float]],
    band_m: float = 10.0,
) -> CoilComparison:
    """Counts by type in bands of metres, and the ratio of the coils' rates for each type.

    extents  of each coil: metre of its first image, and of the end of its last
    band_m   width of a band
    raises   BadInput for a width out of range, and where it makes more than 10,000 bands
    """
    least, most = BANDS_M
    if not least <= band_m <= most:
        raise BadInput(f"band: expected {least:g} to {most:g} m, got {band_m}")
    lengths = tuple(max(0.0, end - start) for start, end in extents)
    number = max(1, math.ceil(max(lengths) / band_m))
    if number > MOST_BANDS:
        raise BadInput(
            f"band: {band_m:g} m make {number} bands, and {MOST_BANDS} are possible; choose wider ones"
        )
    counts: Counter[tuple[int, str, int]] = Counter()
    for which, (found, (start, _end)) in enumerate(zip(defects, extents, strict=True)):
        for each in found:
            middle = (each.place.start_m + each.place.end_m) / 2 - start
            counts[min(max(int(middle // band_m), 0), number - 1), each.label, which] += 1
    labels = sorted({label for _band, label, _which in counts})
    bands = tuple(
        Band(band * band_m, (band + 1) * band_m, {name: _pair(counts, band, name) for name in labels})
        for band in range(number)
    )
    totals = {name: _sum([band.counts[name] for band in bands]) for name in labels}
    return CoilComparison(
        coils,
        (lengths[0], lengths[1]),
        totals,
        {name: _ratio(totals[name], (lengths[0], lengths[1])) for name in labels},
        bands,
    )


def _pair(counts: Counter[tuple[int, str, int]], band: int, label: str) -> tuple[int, int]:
    return counts[band, label, 0], counts[band, label, 1]


def _sum(pairs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sum(one for one, _ in pairs), sum(other for _, other in pairs)


def _ratio(
    counts: tuple[int, int], lengths_m: tuple[float, float]
) -> tuple[float | None, float, float | None]:
    """Ratio of two Poisson rates with exact bounds; None where the first coil has none, or no length.

    Given their sum, the second count is binomial (Clopper and Pearson 1934).
    """
    one, other = counts
    if not one + other or not all(lengths_m):
        return None, 0.0, None
    scale = lengths_m[0] / lengths_m[1]
    low, high = clopper_pearson(other, one + other, level=LEVEL)
    upper = high / (1 - high) * scale if high < 1 else None
    return (other / one * scale if one else None), low / (1 - low) * scale, upper
