"""The best lattice of the points of one strip, over the coil and its parts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Final

from steelsight.coils.lattice import Lattice, Span, cells, fit, log_p, snapped
from steelsight.coils.periods import frequency_spacing, likely_periods, turn_weights
from steelsight.coils.points import Floats
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
        for span in spans:
            inside = along[(along >= span.start_m) & (along <= span.end_m)]
            found = self._in_span(inside, span)
            if found is not None and (least is None or found.log_p < least.log_p):
                least = found
            if least is not None and least.log_p < DECIDED:
                break
        if least is None:
            return None
        trials = self.log_strips + math.log(len(spans))
        return FoundLattice(least.lattice, least.span, least.log_p + trials)

    def _in_span(self, along: Floats, span: Span) -> FoundLattice | None:
        if along.size < FEWEST or span.length_m < 2 * self.settings.shortest_m:
            return None
        settings = self.settings
        limits = (settings.shortest_m, min(settings.longest_m, span.length_m))
        weights = turn_weights(along, limits[0])
        try_period = partial(self._fit, along, weights, span)
        periods = likely_periods(along, weights, span, *limits)
        best = min(filter(None, map(try_period, periods)), key=_rank, default=None)
        if best is None:
            return None
        for _ in range(CHAIN):  # a peak may be a harmonic of the period, or the reverse
            near = [best[1].period_m * times for times in MULTIPLES]
            better = min(filter(None, map(try_period, near)), key=_rank, default=best)
            if _rank(better) >= _rank(best):
                break
            best = better
        on_grid = snapped(best[1], span, settings.tolerance_m)
        trials = math.log(cells(span, *limits, settings.tolerance_m))
        return FoundLattice(best[1], span, log_p(along, on_grid, 2 * settings.tolerance_m) + trials)

    def _fit(
        self, along: Floats, weights: Floats, span: Span, period_m: float
    ) -> tuple[float, Lattice] | None:
        """The lattice near a period and the logarithm of its own bound, which does not count the search."""
        tolerance = self.settings.tolerance_m
        lattice = fit(along, weights, period_m, 2 * frequency_spacing(span), tolerance)
        if lattice is None or not 4 * tolerance < lattice.period_m < span.length_m / 2:
            return None
        return log_p(along, lattice, tolerance), lattice


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
