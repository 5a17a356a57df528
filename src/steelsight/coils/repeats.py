"""Find roll marks: defects that return with the circumference of a roll, at one place across the strip.

The coil is searched in strips across it, for each side, type and all types together, over the whole length
and parts of it. In each, the periods with most power are fitted, and the best is tested (`coils.lattice`). A
candidate is reported where the bound of its probability, times the number of all lattices, strips and parts
that could have been found, is at most the allowed rate of false alarms for the coil. So the rate holds
whatever is searched, for random defects, scratches and clusters alike. A period is told from its multiples
and parts by the same bound: the true one explains the marks with the least chance.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from steelsight.coils.lattice import Span
from steelsight.coils.marks import Repeat, join_repeats, main_label
from steelsight.coils.points import StripPoints
from steelsight.coils.search import FEWEST, FoundLattice, LatticeSearch
from steelsight.coils.settings import RepeatSettings

__all__ = ["Repeats", "find_repeats"]

MOST: Final = 20  # candidates
WINDOW: Final = 2  # width of a strip across, in cells of two tolerances; strips lie one cell apart
ANY: Final = None  # all types together

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Repeats:
    """What a coil shows."""

    candidates: tuple[Repeat, ...]  # the least probable by chance first
    # Regular marks whose period lies outside the range: no roll mark, unless the range is chosen too narrow.
    outside: tuple[Repeat, ...]
    defects: int  # that were searched


@dataclass(frozen=True)
class _Strip:
    """A part across of one side and type."""

    rows: Rows  # of the points, sorted along
    side: str | None


def find_repeats(points: StripPoints, settings: RepeatSettings = RepeatSettings()) -> Repeats:
    """The repeat distances on a coil.

    settings  ranges, tolerances and the allowed rate of false alarms
    """
    strips = list(_strips(points, settings.lateral_mm))
    extent = Span(float(points.along_m.min()), float(points.along_m.max())) if len(points) else Span(0.0, 0.0)
    search = LatticeSearch(settings, extent, math.log(max(len(strips), _strip_count(points, settings))))
    alive = np.ones(len(points), dtype=bool)
    best = [search.best(points.along_m[strip.rows]) for strip in strips]
    reported: list[tuple[bool, Repeat]] = []
    while len(reported) < MOST and best:
        number = min(range(len(best)), key=lambda each: _log_p(best[each]))
        found = best[number]
        if found is None or found.log_p > math.log(settings.false_alarms):
            break
        repeat = _repeat(points, strips[number], found, alive, settings)
        reported.append((_inside(found.lattice.period_m, settings), repeat))
        gone = np.array(repeat.members)
        alive[gone] = False
        for each, strip in enumerate(strips):
            if np.isin(strip.rows, gone, assume_unique=True).any():
                best[each] = search.best(points.along_m[strip.rows[alive[strip.rows]]])
    inside, outside = ([each for good, each in reported if good is wanted] for wanted in (True, False))
    return Repeats(tuple(join_repeats(inside)), tuple(join_repeats(outside)), len(points))


def _log_p(found: FoundLattice | None) -> float:
    return math.inf if found is None else found.log_p


def _inside(period_m: float, settings: RepeatSettings) -> bool:
    return settings.shortest_m <= period_m <= settings.longest_m


def _strips(points: StripPoints, lateral_mm: float) -> Iterator[_Strip]:
    """Strips with enough defects: marks that lie within twice the tolerance lie in one of them."""
    along = np.argsort(points.along_m, kind="stable")
    labels = np.array(points.labels, dtype=object)
    sides = np.array([str(each) for each in points.sides], dtype=object)
    first = np.floor(points.across_mm / (2 * lateral_mm)).astype(np.int64)
    for side in sorted(set(points.sides), key=str):
        here = along[sides[along] == str(side)]
        kinds = sorted(set(labels[here]))
        for kind in kinds if len(kinds) == 1 else [ANY, *kinds]:
            rows = here if kind is ANY else here[labels[here] == kind]
            yield from (_Strip(part, side) for part in _windows(rows, first[rows]))


def _windows(rows: Rows, place: Rows) -> Iterator[Rows]:
    """Rows of each two neighbouring cells across, without those that the window before holds too."""
    order = np.argsort(place, kind="stable")
    starts = np.unique(place[:, None] - np.arange(WINDOW)) if place.size else np.zeros(0, dtype=np.int64)
    lows = np.searchsorted(place[order], starts, "left")
    highs = np.searchsorted(place[order], starts + WINDOW - 1, "right")
    before = (-1, -1)
    for low, high in zip(lows.tolist(), highs.tolist(), strict=True):
        if high - low >= FEWEST and not (before[0] <= low and high <= before[1]):
            yield rows[np.sort(order[low:high])]
            before = (low, high)


def _strip_count(points: StripPoints, settings: RepeatSettings) -> int:
    """How many strips there could be: by the width, the sides and the types."""
    if not len(points):
        return 1
    width = float(np.ptp(points.across_mm)) / (2 * settings.lateral_mm) + WINDOW
    groups = {(side, label) for side, label in zip(points.sides, points.labels, strict=True)}
    return math.ceil(width) * (len(groups) + len(set(points.sides)))


def _repeat(
    points: StripPoints,
    strip: _Strip,
    found: FoundLattice,
    alive: npt.NDArray[np.bool_],
    settings: RepeatSettings,
) -> Repeat:
    """The marks of a strip that lie on a lattice."""
    rows = strip.rows[alive[strip.rows]]
    inside = (points.along_m[rows] >= found.span.start_m) & (points.along_m[rows] <= found.span.end_m)
    rows = rows[inside]
    marks = rows[found.lattice.hits(points.along_m[rows], settings.tolerance_m)]
    along, lattice = points.along_m[marks], found.lattice
    labels = Counter(points.labels[mark] for mark in marks)
    turns = lattice.turns(along)
    return Repeat(
        period_m=lattice.period_m,
        error_m=lattice.error_m,
        phase_m=lattice.mark_m % lattice.period_m,
        across_mm=float(np.median(points.across_mm[marks])),
        side=strip.side,
        label=main_label(labels),
        labels=dict(sorted(labels.items())),
        count=marks.size,
        turns=int(turns[-1] - turns[0]) + 1,
        first_m=float(along[0]),
        last_m=float(along[-1]),
        p_value=min(1.0, math.exp(found.log_p)),
        members=tuple(marks.tolist()),
    )
