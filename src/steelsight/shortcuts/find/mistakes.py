"""What the sheets of one kind of mistake share, in their pictures and in their explanations.

Sheets of class A called B are compared with the sheets of class A that were called A: what they have more of
is what the model may have taken for B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.stats import false_discovery_control

from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.shortcuts.find.association import ClassAssociation, with_class
from steelsight.shortcuts.find.ranking import ModelEvidence
from steelsight.shortcuts.nuisances.properties import Property
from steelsight.shortcuts.nuisances.regions import REGIONS, find_regions, reason_shares
from steelsight.types import Interval

__all__ = ["FEWEST_MISTAKES", "MistakeGroup", "SharedReason", "SharedTrait", "compare_mistakes"]

FEWEST_MISTAKES: Final = 3
MOST_COMPARED = 60  # right sheets whose maps are compared, and mistakes
TRAITS = 5

Positions = Int[np.ndarray, " _"]


@dataclass(frozen=True)
class SharedTrait:
    """A property of these mistakes against that of the right verdicts on the same class."""

    property: Property
    delta: float  # Cliff's
    q_value: float  # over all mistakes and properties
    wrong: Interval  # share of the mistakes that have it: above 0, or above the median of the right ones
    right: Interval  # share of the right ones


@dataclass(frozen=True)
class SharedReason:
    """Where the verdict's map lies."""

    title: str
    share: float  # of the map's positive part, mean over the mistakes
    by_chance: float  # share of the sheet's area
    of_right: float  # the share where that verdict is right


@dataclass(frozen=True)
class MistakeGroup:
    """All sheets of one class that were given another."""

    truth: int
    verdict: int
    rows: Positions  # the surest first
    among: int  # sheets of that class
    traits: tuple[SharedTrait, ...]  # the most telling first
    reasons: tuple[SharedReason, ...]


def compare_mistakes(
    evidence: ModelEvidence,
    maps: Float32[np.ndarray, "n gh gw"],
    properties: Sequence[Property],
    *,
    rng: np.random.Generator,
) -> tuple[MistakeGroup, ...]:
    """Every kind of mistake with at least FEWEST_MISTAKES sheets, the most frequent first.

    maps  Grad-CAM of each sheet's own verdict
    """
    labels, verdicts = evidence.sheets.labels, evidence.logits.argmax(1)
    kinds = [
        (truth, verdict, np.flatnonzero((labels == truth) & (verdicts == verdict)))
        for truth in range(len(evidence.sheets.class_names))
        for verdict in range(len(evidence.sheets.class_names))
        if truth != verdict
    ]
    kinds = [kind for kind in kinds if kind[2].size >= FEWEST_MISTAKES]
    differing = [each for each in properties if np.ptp(each.values) > 0]
    tests = [
        [
            _compare(each, rows, np.flatnonzero((labels == truth) & (verdicts == truth)), evidence)
            for each in differing
        ]
        for truth, _, rows in kinds
    ]
    p = np.array([[test.p_value for test in row] for row in tests])
    q = false_discovery_control(p.ravel()).reshape(p.shape) if p.size else p
    found = []
    for number, (truth, verdict, rows) in enumerate(kinds):
        right = np.flatnonzero((labels == truth) & (verdicts == truth))
        told = [
            _trait(each, tests[number][column].delta, float(q[number, column]), rows, right)
            for column, each in enumerate(differing)
        ]
        order = np.argsort(-evidence.margins[rows, verdict], kind="stable")
        agreeing = np.flatnonzero((labels == verdict) & (verdicts == verdict))
        found.append(
            MistakeGroup(
                truth,
                verdict,
                rows[order],
                int((labels == truth).sum()),
                tuple(sorted(told, key=lambda trait: (trait.q_value, -abs(trait.delta)))[:TRAITS]),
                _reasons(evidence, maps, rows, agreeing, rng),
            )
        )
    return tuple(sorted(found, key=lambda each: -each.rows.size))


def _compare(each: Property, wrong: Positions, right: Positions, evidence: ModelEvidence) -> ClassAssociation:
    rows = np.concatenate([wrong, right])
    inside = np.arange(rows.size) < wrong.size
    groups = np.unique(evidence.groups[rows], return_inverse=True)[1].reshape(-1)
    return with_class(each.values[rows], inside, groups)


def _trait(each: Property, delta: float, q: float, wrong: Positions, right: Positions) -> SharedTrait:
    here, there = each.values[wrong], each.values[right]
    line = 0.0 if each.presence and right.size and np.median(there) == 0 else _median(there)
    shares = [wilson(int((side > line).sum()), side.size) for side in (here, there)]
    return SharedTrait(each, delta, q, shares[0], shares[1])


def _median(values: Float[np.ndarray, " m"]) -> float:
    return float(np.median(values)) if values.size else 0.0


def _reasons(
    evidence: ModelEvidence,
    maps: Float32[np.ndarray, "n gh gw"],
    wrong: Positions,
    agreeing: Positions,
    rng: np.random.Generator,
) -> tuple[SharedReason, ...]:
    mine, theirs = (
        _mean_shares(evidence, maps, rng.permutation(rows)[:MOST_COMPARED]) for rows in (wrong, agreeing)
    )
    return tuple(
        SharedReason(title, mine[name][0], mine[name][1], theirs[name][0]) for name, title in REGIONS.items()
    )


def _mean_shares(
    evidence: ModelEvidence, maps: Float32[np.ndarray, "n gh gw"], rows: Positions
) -> dict[str, tuple[float, float]]:
    table = []
    for row in rows.tolist():
        regions = find_regions(np.asarray(evidence.sheets.images[row]), evidence.sheets.defect(row))
        table.append(list(reason_shares(maps[row], regions).values()))
    if not table:
        return dict.fromkeys(REGIONS, (float("nan"), float("nan")))
    shares = np.array(table)
    known = np.isfinite(shares[:, :, 0]).all(1)
    if not known.any():
        return dict.fromkeys(REGIONS, (float("nan"), float("nan")))
    means = shares[known].mean(0)
    return {name: (float(means[i, 0]), float(means[i, 1])) for i, name in enumerate(REGIONS)}
