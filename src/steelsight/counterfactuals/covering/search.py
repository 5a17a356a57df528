"""The smallest set of places whose covering changes a verdict.

Up to MOST_EXACT places every set is tried, by increasing size. Of more places the one that takes most from
the verdict is added until the verdict changes; then places that are not needed for it are left out again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

__all__ = ["MOST_EXACT", "Change", "Effect", "PlaceSet", "SmallestSet", "find_smallest"]

MOST_EXACT: Final = 6  # places; 63 sets

PlaceSet = tuple[int, ...]  # places by their index, ascending


class Change(StrEnum):
    """What covering a set does to the verdict."""

    TURNED = "turned"  # another label, however the places are filled
    KEPT = "kept"
    UNCLEAR = "unclear"  # it depends on the fill, or the covered sheet is no input that the model knows


@dataclass(frozen=True)
class Effect:
    """The effect of covering one set."""

    change: Change
    support: float  # probability that is left for the verdict


@dataclass(frozen=True)
class SmallestSet:
    """What a search has found."""

    places: PlaceSet | None  # None = no set that was tried turns the verdict
    exact: bool  # every smaller set was tried; without `places`: every set at all
    tried: int
    unclear: int  # sets that were tried and are unclear
    untried: int  # sets that were not allowed


Probe = Callable[[Sequence[PlaceSet]], Sequence[Effect]]


@dataclass
class _Tries:
    """Tries sets, each once, and counts them."""

    probe: Probe
    allowed: Callable[[PlaceSet], bool]
    effects: dict[PlaceSet, Effect]
    refused: set[PlaceSet]

    def try_all(self, sets: Sequence[PlaceSet]) -> list[PlaceSet]:
        """Those of the sets that are allowed, which are tried now; that with the least support first."""
        self.refused.update(each for each in sets if not self.allowed(each))
        left = [each for each in sets if each not in self.refused]
        new = [each for each in left if each not in self.effects]
        if new:
            self.effects.update(zip(new, self.probe(new), strict=True))
        return sorted(left, key=lambda each: (self.effects[each].support, each))

    def turned(self, sets: Sequence[PlaceSet]) -> list[PlaceSet]:
        return [each for each in sets if self.effects[each].change is Change.TURNED]

    def result(self, places: PlaceSet | None, *, exact: bool) -> SmallestSet:
        unclear = sum(effect.change is Change.UNCLEAR for effect in self.effects.values())
        return SmallestSet(places, exact, len(self.effects), unclear, len(self.refused))


def find_smallest(
    count: int, probe: Probe, allowed: Callable[[PlaceSet], bool] = lambda _: True
) -> SmallestSet:
    """Find the smallest set of places whose covering turns the verdict.

    count    of places, 0 to `count` - 1
    probe    the effect of covering each of some sets
    allowed  whether a set can be covered at all
    returns  of several of one size the one that leaves the least support. Of more than MOST_EXACT places: a
             set of which no place can be left out, where one was found

    >>> def probe(sets):
    ...     return [Effect(Change.TURNED if {0, 2} <= set(each) else Change.KEPT, 0.5) for each in sets]
    >>> find_smallest(3, probe).places
    (0, 2)
    """
    tries = _Tries(probe, allowed, {}, set())
    return _every_set(tries, count) if count <= MOST_EXACT else _greedy(tries, count)


def _every_set(tries: _Tries, count: int) -> SmallestSet:
    for size in range(1, count + 1):
        smaller_missing = bool(tries.refused)
        turned = tries.turned(tries.try_all(list(combinations(range(count), size))))
        if turned:
            return tries.result(turned[0], exact=not smaller_missing)
    return tries.result(None, exact=not tries.refused)


def _greedy(tries: _Tries, count: int) -> SmallestSet:
    chosen: PlaceSet = ()
    while len(chosen) < count:
        wider = [tuple(sorted({*chosen, each})) for each in range(count) if each not in chosen]
        tried = tries.try_all(wider)
        if not tried:
            break
        turned = tries.turned(tried)
        chosen = (turned or tried)[0]
        if turned:
            singles_tried = not any(len(each) == 1 for each in tries.refused)
            chosen = _without_needless(tries, chosen)
            return tries.result(chosen, exact=len(chosen) == 1 or (len(chosen) == 2 and singles_tried))
    return tries.result(None, exact=False)


def _without_needless(tries: _Tries, chosen: PlaceSet) -> PlaceSet:
    """Leave places out as long as the verdict stays turned."""
    while len(chosen) > 1:
        narrower = [tuple(each for each in chosen if each != out) for out in chosen]
        turned = tries.turned(tries.try_all(narrower))
        if not turned:
            break
        chosen = turned[0]
    return chosen
