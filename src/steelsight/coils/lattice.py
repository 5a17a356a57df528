"""Fit equally spaced marks to points of one lateral place, and bound how likely chance does as well.

The test asks in how many turns of a roll a defect lies at one angle. Under the null hypothesis the pattern of
each turn lies at an angle of its own, drawn evenly: random defects do so, and a scratch or a cluster has many
defects in one turn and counts once in it. A turn is then hit with a probability equal to the share of its
angles that lie within the tolerance of one of its defects. The number of turns that are hit is a sum of
independent trials, bounded by Chernoff.
source  Hoeffding 1963, theorem 1
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from steelsight.coils.points import Floats

__all__ = ["Lattice", "Span", "cells", "fit", "log_p", "snapped"]

HARMONICS: Final = 4  # of the period that are summed: a mark is short, so its harmonics are strong
STEPS: Final = 41  # frequencies that are tried around a first guess
TIGHTER: Final = (0.12, 0.06, 0.03)  # tolerances of the first fits, as shares of the period
DENSE: Final = 0.1  # of a period: the width in which points are counted for a first place of the marks
FEWEST: Final = 4  # marks that a fit takes


@dataclass(frozen=True)
class Lattice:
    """Marks at `mark_m + k * period_m`, k an integer."""

    period_m: float
    mark_m: float  # one of the marks
    error_m: float = math.inf  # standard error of the period

    def turns(self, along: Floats) -> npt.NDArray[np.int64]:
        """The number k of the mark that each point is nearest to."""
        found: npt.NDArray[np.int64] = np.floor((along - self.mark_m) / self.period_m + 0.5).astype(np.int64)
        return found

    def residuals(self, along: Floats, turns: npt.NDArray[np.int64]) -> Floats:
        """How far each point lies behind the mark of its turn, in metres."""
        values: Floats = along - self.mark_m - turns * self.period_m
        return values

    def hits(self, along: Floats, tolerance_m: float) -> npt.NDArray[np.int64]:
        """Which points are marks: of each turn the one nearest to its mark, within the tolerance."""
        turns = self.turns(along)
        distance = np.abs(self.residuals(along, turns))
        near = np.flatnonzero(distance <= tolerance_m)
        near = near[np.lexsort((distance[near], turns[near]))]
        found: npt.NDArray[np.int64] = np.sort(near[_first_of_each(turns[near])])
        return found


def _first_of_each(turns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Where a new turn begins."""
    first = np.ones(turns.size, dtype=bool)
    np.not_equal(turns[1:], turns[:-1], out=first[1:])
    return first


@dataclass(frozen=True)
class Span:
    """A part of the coil that is searched by itself."""

    start_m: float
    end_m: float

    @property
    def length_m(self) -> float:
        """Its length."""
        return self.end_m - self.start_m


def fit(along: Floats, weights: Floats, period_m: float, spread: float, tolerance_m: float) -> Lattice | None:
    """The lattice with about this period that most points lie on; None where fewer than four marks do.

    along    (n,) metres, sorted
    weights  (n,) of the points in the first guess
    spread   how far the frequency may lie from 1 / period_m, in 1/m
    """
    first = _strongest(along, weights, period_m, spread)
    found = first
    for tolerance in (*(share * first.period_m for share in TIGHTER), tolerance_m, tolerance_m):
        better = _least_squares(along, found, max(tolerance, tolerance_m))
        if better is None:
            return None
        found = better
    return found


def _strongest(along: Floats, weights: Floats, period_m: float, spread: float) -> Lattice:
    """The frequency near 1 / period_m with the largest sum of powers of its harmonics."""
    centre = float(along.mean())
    frequencies = 1 / period_m + np.linspace(-spread, spread, STEPS)
    frequencies = frequencies[frequencies > 0]
    turns = np.exp(2j * np.pi * frequencies[:, None] * (along - centre))
    power, raised = np.abs(turns @ weights) ** 2, turns
    for _ in range(HARMONICS - 1):
        raised = raised * turns
        power = power + np.abs(raised @ weights) ** 2
    period = 1 / float(frequencies[int(np.argmax(power))])
    return Lattice(period, centre + _densest(along - centre, weights, period))


def _densest(along: Floats, weights: Floats, period_m: float) -> float:
    """The place within a period around which most points lie: the mean could lie between two marks."""
    places = along % period_m
    order = np.argsort(places, kind="stable")
    places, sorted_weights = places[order], weights[order]
    twice = np.concatenate([places, places + period_m])
    sums = np.concatenate([[0.0], np.cumsum(np.concatenate([sorted_weights, sorted_weights]))])
    ends = np.searchsorted(twice, places + DENSE * period_m, "right")
    start = int(np.argmax(sums[ends] - sums[: places.size]))
    return float(np.median(twice[start : ends[start]]))


def _least_squares(along: Floats, near: Lattice, tolerance_m: float) -> Lattice | None:
    """The line through the marks of a lattice, by the number of their turn."""
    chosen = along[near.hits(along, tolerance_m)]
    if chosen.size < FEWEST:
        return None
    turns = near.turns(chosen).astype(np.float64)
    mean_turn, mean = float(turns.mean()), float(chosen.mean())
    centred = turns - mean_turn
    squares = float(centred @ centred)
    period = float(centred @ chosen) / squares
    if period <= 0:
        return None
    rest = chosen - mean - centred * period
    error = math.sqrt(float(rest @ rest) / (chosen.size - 2) / squares)
    return Lattice(period, mean + (round(mean_turn) - mean_turn) * period, error)


def snapped(lattice: Lattice, span: Span, tolerance_m: float) -> Lattice:
    """The nearest lattice of a fixed grid; on the span no mark is farther from its own than the tolerance."""
    step = _step(span, tolerance_m)
    period = math.exp(step * round(math.log(lattice.period_m) / step))
    middle = (span.start_m + span.end_m) / 2
    turn = round((middle - lattice.mark_m) / lattice.period_m)
    offset = lattice.mark_m + turn * lattice.period_m - middle
    return Lattice(period, middle + tolerance_m * round(offset / tolerance_m))


def cells(span: Span, shortest_m: float, longest_m: float, tolerance_m: float) -> float:
    """About how many lattices the grid of `snapped` has: periods times places of the first mark."""
    periods = math.log(longest_m / shortest_m) / _step(span, tolerance_m) + 1
    average = (longest_m - shortest_m) / math.log(longest_m / shortest_m)
    return periods * (average / tolerance_m + 1)


def _step(span: Span, tolerance_m: float) -> float:
    """Ratio of neighbouring periods less 1: half a step moves the marks at the ends by half the tolerance."""
    return 2 * tolerance_m / max(span.length_m, tolerance_m)


def log_p(along: Floats, lattice: Lattice, reach_m: float) -> float:
    """Logarithm of the bound of the probability that chance hits as many turns; 0 = it does.

    along    (n,) metres, sorted
    reach_m  how far from its mark a defect may lie
    """
    turns = lattice.turns(along)
    offsets = lattice.residuals(along, turns)
    starts = np.flatnonzero(_first_of_each(turns))
    hit = np.add.reduceat((np.abs(offsets) <= reach_m).astype(np.int64), starts) > 0
    covered = np.add.reduceat(_gaps(offsets, starts, lattice.period_m).clip(0, 2 * reach_m), starts)
    share, expected = float(hit.mean()), float(np.minimum(covered / lattice.period_m, 1).mean())
    if share <= expected:
        return 0.0
    return -starts.size * _divergence(share, expected)


def _gaps(offsets: Floats, starts: npt.NDArray[np.int64], period_m: float) -> Floats:
    """From each defect to the next one of its turn, around the roll."""
    gaps = np.diff(offsets, append=0.0)
    ends = np.r_[starts[1:], offsets.size] - 1
    gaps[ends] = offsets[starts] + period_m - offsets[ends]
    return gaps


def _divergence(share: float, expected: float) -> float:
    """Kullback and Leibler's divergence of two Bernoulli distributions."""
    first = share * math.log(share / expected)
    return first if share >= 1 else first + (1 - share) * math.log((1 - share) / (1 - expected))
