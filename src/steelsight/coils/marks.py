"""A roll mark as it is reported, and the parts of one mark joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

__all__ = ["Repeat", "join_repeats", "main_label"]

SAME_PERIOD: Final = 0.003  # relative: parts of a coil with periods this close may show one roll mark
SAME_PLACE_MM: Final = 25.0  # across
SAME_ANGLE: Final = 0.05  # of a turn


@dataclass(frozen=True)
class Repeat:
    """Defects that return with one period at one place across."""

    period_m: float
    error_m: float  # standard error of the period
    phase_m: float  # of the first mark at or after metre 0: from 0 to the period
    across_mm: float  # median of the marks
    side: str | None
    label: str  # of most marks
    labels: dict[str, int]  # marks by type
    count: int  # marks found
    turns: int  # from the first to the last of them
    first_m: float
    last_m: float
    p_value: float  # upper bound of the probability that a coil without roll marks shows such a candidate
    members: tuple[int, ...]  # numbers of the points, along the coil

    @property
    def missing(self) -> float:
        """Share of the turns from the first mark to the last that show none."""
        return 1 - self.count / self.turns

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "missing": self.missing, "members": list(self.members)}


def join_repeats(repeats: Sequence[Repeat]) -> list[Repeat]:
    """The same with parts of one roll mark as one: found in two parts of the coil, or across two strips."""
    joined: list[Repeat] = []
    for each in repeats:
        for number, other in enumerate(joined):
            if _same_mark(each, other):
                joined[number] = _union(other, each)
                break
        else:
            joined.append(each)
    return joined


def _same_mark(one: Repeat, other: Repeat) -> bool:
    """Whether two candidates are one mark: one behind the other, or at one angle of the roll."""
    near = abs(one.across_mm - other.across_mm) <= SAME_PLACE_MM and one.side == other.side
    if not near or abs(one.period_m / other.period_m - 1) > SAME_PERIOD:
        return False
    first, second = sorted((one, other), key=lambda each: each.first_m)
    if second.first_m >= first.last_m - 2 * first.period_m:
        return True
    offset = (second.first_m - first.first_m) / first.period_m
    return abs(offset - round(offset)) <= SAME_ANGLE


def _union(one: Repeat, other: Repeat) -> Repeat:
    """Two parts of one roll mark as one."""
    larger = max(one, other, key=lambda each: each.count)
    members = sorted({*one.members, *other.members})
    first, last = min(one.first_m, other.first_m), max(one.last_m, other.last_m)
    labels = Counter(one.labels) + Counter(other.labels)
    count = len(members)
    return replace(
        larger,
        across_mm=(one.across_mm * one.count + other.across_mm * other.count) / (one.count + other.count),
        label=main_label(labels),
        labels=dict(sorted(labels.items())),
        count=count,
        turns=max(count, round((last - first) / larger.period_m) + 1),
        first_m=first,
        last_m=last,
        p_value=min(one.p_value, other.p_value),
        members=tuple(members),
    )


def main_label(labels: dict[str, int]) -> str:
    """The type of most marks; of several the first by name."""
    return min(labels, key=lambda each: (-labels[each], each))
