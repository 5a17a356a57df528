"""The best lattice of the points of one strip, over the coil and its parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

import numpy as np

from steelsight.coils.lattice import Lattice, Span, cells, fit, log_p, snapped
from steelsight.coils.periods import find_band, frequency_spacing, in_bins, likely_periods, turn_weights
from steelsight.coils.points import Floats
from steelsight.coils.screen import FrequencyBand
from steelsight.coils.settings import RepeatSettings

__all__ = ["FEWEST", "FoundLattice", "LatticeSearch"]

FEWEST: Final = 6  # defects in a strip across
CHAIN: Final = 4  # times that multiples of a period are tried
MULTIPLES: Final = (2.0, 3.0, 1 / 2, 1 / 3)
DECIDED: Final = -100.0  # logarithm of a probability that needs no search of the coil's parts


@dataclass(frozen=True)
class FoundLattice:
    """A lattice, the part of the coil it was found in, and how probable it is by chance."""

    lattice: Lattice
    span: Span
    log_p: float  # with the number of lattices that could have been found


@dataclass(frozen=True, eq=False)
class _Part:
    """The points of a strip that lie in a part of the coil."""

    along: Floats  # (n,) metres, sorted
    weights: Floats  # (n,)
    span: Span
    periods: tuple[float, ...] = ()  # that stand out, in metres, the strongest first


@dataclass(frozen=True)
class LatticeSearch:
    """Searches strips of one coil."""

    settings: RepeatSettings
    extent: Span
    log_strips: float  # logarithm of the number of strips that could be searched

    def best(self, along: Floats) -> FoundLattice | None:
        """The least probable one; None where nothing stands out.

        along  (n,) metres of a strip's points, sorted
        """
        spans = _spans(self.extent)
        least: FoundLattice | None = None
        for part in self._parts(along, spans):
            found = self._in_part(part)
            if found is not None and (least is None or found.log_p < least.log_p):
                least = found
            if least is not None and least.log_p < DECIDED:
                break
        if least is None:
            return None
        trials = self.log_strips + math.log(len(spans))
        return FoundLattice(least.lattice, least.span, least.log_p + trials)

    def _parts(self, along: Floats, spans: Sequence[Span]) -> Iterator[_Part]:
        """Those in which a period stands out; spans of equal length are looked at together."""
        for band, alike in groupby(spans, self._band):
            if band is None:
                continue
            parts = [each for each in (self._cut(along, span) for span in alike) if each.along.size >= FEWEST]
            binned = [in_bins(each.along, each.weights, each.span, band) for each in parts]
            for part, periods in zip(parts, likely_periods(binned, band), strict=True):
                if periods:
                    yield replace(part, periods=tuple(periods))

    def _band(self, span: Span) -> FrequencyBand | None:
        """The frequencies that are looked at; None for a span that is too short."""
        too_short = span.length_m < 2 * self.settings.shortest_m
        return None if too_short else find_band(span, *self._limits(span))

    def _limits(self, span: Span) -> tuple[float, float]:
        return self.settings.shortest_m, min(self.settings.longest_m, span.length_m)

    def _cut(self, along: Floats, span: Span) -> _Part:
        first, last = (
            np.searchsorted(along, span.start_m, "left"),
            np.searchsorted(along, span.end_m, "right"),
        )
        inside = along[first:last]
        return _Part(inside, turn_weights(inside, self.settings.shortest_m), span)

    def _in_part(self, part: _Part) -> FoundLattice | None:
        """The best lattice near the likely periods and their multiples."""
        best = self._least(part, part.periods)
        if best is None:
            return None
        for _ in range(CHAIN):  # a peak may be a harmonic of the period, or the reverse
            better = self._least(part, [best[1].period_m * times for times in MULTIPLES])
            if better is None or _rank(better) >= _rank(best):
                break
            best = better
        tolerance, span = self.settings.tolerance_m, part.span
        on_grid = snapped(best[1], span, tolerance)
        trials = math.log(cells(span, *self._limits(span), tolerance))
        return FoundLattice(best[1], span, log_p(part.along, on_grid, 2 * tolerance) + trials)

    def _least(self, part: _Part, periods: Sequence[float]) -> tuple[float, Lattice] | None:
        """The least probable lattice near one of the periods."""
        fitted = (self._fit(part, each) for each in periods)
        return min((each for each in fitted if each is not None), key=_rank, default=None)

    def _fit(self, part: _Part, period_m: float) -> tuple[float, Lattice] | None:
        """The lattice near a period and the logarithm of its own bound, which does not count the search."""
        tolerance, span = self.settings.tolerance_m, part.span
        lattice = fit(part.along, part.weights, period_m, 2 * frequency_spacing(span), tolerance)
        if lattice is None or not 4 * tolerance < lattice.period_m < span.length_m / 2:
            return None
        return log_p(part.along, lattice, tolerance), lattice


def _rank(found: tuple[float, Lattice]) -> tuple[float, float]:
    return found[0], found[1].period_m


def _spans(extent: Span) -> list[Span]:
    """The whole, its halves and quarters, each with those that lie between two: a mark may begin anywhere."""
    return [
        Span(extent.start_m + step * length / 2, extent.start_m + step * length / 2 + length)
        for parts in (1, 2, 4)
        for length in [extent.length_m / parts]
        for step in range(2 * parts - 1)
    ]
