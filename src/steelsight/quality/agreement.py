"""Agreement of reviewers beyond chance: kappa with an interval by coils.

Sheets that two people reviewed, neither having seen the verdict, give pairs of labels. Over all pairs of
people the two are interchangeable (each pair counts both ways round), between two named people they are not.
The interval is by the influence of each coil on kappa. Where all agree it has no width; the lower bound is
then that of the share of pairs that agree (Clopper and Pearson).
source  Cohen 1960; Scott 1955 for interchangeable people; Fleiss, Cohen and Everitt 1969 for the variance
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from steelsight.evaluation.intervals.exact import clopper_pearson
from steelsight.quality.records import AuditData
from steelsight.quality.shares import Floats

__all__ = ["Agreement", "Pair", "agreement", "agreements", "pairs_of"]

NORMAL: Final = 1.96
FEWEST: Final = 2  # coils


@dataclass(frozen=True)
class Pair:
    """Two people's labels of one sheet."""

    coil: str  # or the sheet, where the coil is unknown
    people: tuple[str, str]
    labels: tuple[str, str]


@dataclass(frozen=True)
class Agreement:
    """Kappa: 1 = they always agree, 0 = as often as chance."""

    kappa: float | None  # None without pairs, and where all labels are one and the same
    low: float | None  # 95 % bounds; None also where all pairs are of one coil
    high: float | None
    agreed: int
    pairs: int
    note: str = ""  # why kappa or its bounds are missing

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


def pairs_of(data: AuditData) -> tuple[Pair, ...]:
    """All pairs of reviewers of each audited sheet."""
    return tuple(
        Pair(
            f"coil {each.coil}" if each.coil is not None else f"sheet {each.sheet}",
            (one[0], other[0]),
            (one[1], other[1]),
        )
        for each in data.audited
        for one, other in combinations(sorted(each.answers), 2)
    )


def agreements(data: AuditData) -> tuple[Agreement, dict[tuple[str, str], Agreement]]:
    """Over all pairs of people, and of each two of them."""
    pairs = pairs_of(data)
    people = sorted({each.people for each in pairs})
    each_two = {
        names: agreement([pair for pair in pairs if pair.people == names], interchangeable=False)
        for names in people
    }
    return agreement(pairs, interchangeable=True), each_two


def agreement(pairs: Sequence[Pair], *, interchangeable: bool) -> Agreement:
    """Kappa of pairs of labels.

    interchangeable  whether the first and the second of a pair may be anybody
    """
    agreed = sum(one == other for one, other in (pair.labels for pair in pairs))
    if not pairs:
        return Agreement(None, None, None, 0, 0, "no sheet was reviewed by two people")
    labels = sorted({label for pair in pairs for label in pair.labels})
    if len(labels) == 1:
        note = f"all labels are {labels[0]!r:.80}: agreement beyond chance is not defined"
        return Agreement(None, None, None, agreed, len(pairs), note)
    joint = _joint(pairs, labels, both_ways=interchangeable)
    kappa, influence = _kappa(joint)
    coils, coil = np.unique([pair.coil for pair in pairs], return_inverse=True)
    if agreed == len(pairs):
        return Agreement(
            1.0, max(0.0, _kappa_of(joint, clopper_pearson(agreed, len(pairs))[0])), 1.0, agreed, agreed
        )
    if coils.size < FEWEST:
        return Agreement(kappa, None, None, agreed, len(pairs), "all pairs are of one coil")
    sums = np.bincount(coil, influence) / len(pairs)
    error = float(np.sqrt(sums @ sums * coils.size / (coils.size - 1)))
    low, high = max(-1.0, kappa - NORMAL * error), min(1.0, kappa + NORMAL * error)
    return Agreement(kappa, low, high, agreed, len(pairs))


def _joint(pairs: Sequence[Pair], labels: Sequence[str], *, both_ways: bool) -> Floats:
    """(n, k, k) each pair's part of the table of the first by the second person's label."""
    number = {label: place for place, label in enumerate(labels)}
    table = np.zeros((len(pairs), len(labels), len(labels)))
    for row, pair in enumerate(pairs):
        one, other = (number[label] for label in pair.labels)
        table[row, one, other] += 0.5 if both_ways else 1.0
        if both_ways:
            table[row, other, one] += 0.5
    return table


def _kappa(joint: Floats) -> tuple[float, Floats]:
    """Kappa and the influence of each pair on it."""
    table = joint.mean(axis=0)
    first, second = table.sum(axis=1), table.sum(axis=0)
    observed, expected = float(np.trace(table)), float(first @ second)
    if expected >= 1:
        return 0.0, np.zeros(len(joint))
    kappa = (observed - expected) / (1 - expected)
    by_observed = np.trace(joint, axis1=1, axis2=2) - observed
    by_expected = joint.sum(axis=2) @ second + joint.sum(axis=1) @ first - 2 * expected
    influence: Floats = (by_observed - (1 - kappa) * by_expected) / (1 - expected)
    return kappa, influence


def _kappa_of(joint: Floats, observed: float) -> float:
    """Kappa if the share of pairs that agree were this."""
    table = joint.mean(axis=0)
    expected = float(table.sum(axis=1) @ table.sum(axis=0))
    return (observed - expected) / (1 - expected)
