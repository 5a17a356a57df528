"""Common properties of the sheets of one kind of mistake, in their pixels and in their explanations.

Sheets of class A classified as B are compared with the sheets of class A classified as A. A property that is
more frequent on the mistakes may have been used as an indicator of B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from scipy.stats import false_discovery_control

from steelsight.counterfactuals.nuisances.properties import Property
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.shortcuts.find.association import ClassAssociation, with_class
from steelsight.shortcuts.find.ranking import ModelEvidence
from steelsight.shortcuts.find.regions import REGIONS, find_regions, reason_shares
from steelsight.types import Interval

__all__ = ["FEWEST_MISTAKES", "MistakeGroup", "SharedReason", "SharedTrait", "compare_mistakes"]

FEWEST_MISTAKES: Final = 3
MOST_COMPARED = 60  # mistakes, and correct verdicts, whose maps are compared
TRAITS = 5  # properties reported per kind of mistake

Positions = Int[np.ndarray, " _"]


@dataclass(frozen=True)
class SharedTrait:
    """A property of these mistakes compared with the correct verdicts on the same class."""

    property: Property
    delta: float  # Cliff's
    q_value: float  # over all mistakes and properties
    wrong: (
        Interval  # share of the mistakes that have it: above 0, or above the median of the correct verdicts
    )
    right: Interval  # the same share of the correct verdicts


@dataclass(frozen=True)
class SharedReason:
    """How much of the verdict's map lies in one region."""

    title: str  # of the region
    share: float  # of the map's positive part in the region, mean over the mistakes
    by_chance: float  # the region's share of the sheet's area
    of_right: float  # the share where that verdict is correct


@dataclass(frozen=True)
class MistakeGroup:
    """All sheets of one class with one wrong verdict."""

    truth: int  # class index
    verdict: int  # class index
    rows: Positions  # the largest margin of the verdict first
    among: int  # sheets of the true class
    groups: int  # independent groups of the mistakes
    traits: tuple[SharedTrait, ...]  # the smallest q-value first
    reasons: tuple[SharedReason, ...]


def compare_mistakes(
    evidence: ModelEvidence,
    maps: Float32[np.ndarray, "n gh gw"],
    properties: Sequence[Property],
    *,
    rng: np.random.Generator,
) -> tuple[MistakeGroup, ...]:
    """Compare every kind of mistake with at least FEWEST_MISTAKES sheets, the most frequent first.

    maps        (n, gh, gw) Grad-CAM of each sheet's own verdict
    properties  compared between mistakes and correct verdicts
    """
    labels, verdicts = evidence.sheets.labels, evidence.logits.argmax(1)
    kinds = [
        (truth, verdict, np.flatnonzero((labels == truth) & (verdicts == verdict)))
        for truth in range(len(evidence.sheets.class_names))
        for verdict in range(len(evidence.sheets.class_names))
        if truth != verdict
    ]
    kinds = [kind for kind in kinds if kind[2].size >= FEWEST_MISTAKES]
    varying = [item for item in properties if np.ptp(item.values) > 0]
    tests = [
        [
            _compare(item, rows, np.flatnonzero((labels == truth) & (verdicts == truth)), evidence)
            for item in varying
        ]
        for truth, _, rows in kinds
    ]
    p = np.array([[test.p_value for test in row] for row in tests])
    q = false_discovery_control(p.ravel()).reshape(p.shape) if p.size else p
    groups = []
    for number, (truth, verdict, rows) in enumerate(kinds):
        right = np.flatnonzero((labels == truth) & (verdicts == truth))
        traits = [
            _trait(item, tests[number][column].delta, float(q[number, column]), (rows, right), evidence)
            for column, item in enumerate(varying)
        ]
        order = np.argsort(-evidence.margins[rows, verdict], kind="stable")
        agreeing = np.flatnonzero((labels == verdict) & (verdicts == verdict))
        groups.append(
            MistakeGroup(
                truth,
                verdict,
                rows[order],
                int((labels == truth).sum()),
                np.unique(evidence.groups[rows]).size,
                tuple(sorted(traits, key=lambda trait: (trait.q_value, -abs(trait.delta)))[:TRAITS]),
                _reasons(evidence, maps, rows, agreeing, rng),
            )
        )
    return tuple(sorted(groups, key=lambda group: -group.rows.size))


def _compare(item: Property, wrong: Positions, right: Positions, evidence: ModelEvidence) -> ClassAssociation:
    rows = np.concatenate([wrong, right])
    inside = np.arange(rows.size) < wrong.size
    groups = np.unique(evidence.groups[rows], return_inverse=True)[1].reshape(-1)
    return with_class(item.values[rows], inside, groups)


def _trait(
    item: Property, delta: float, q: float, sides: tuple[Positions, Positions], evidence: ModelEvidence
) -> SharedTrait:
    """Shares among the mistakes and among the correct verdicts, with Wilson's bounds by group."""
    wrong, right = (item.values[rows] for rows in sides)
    threshold = 0.0 if item.presence and right.size and np.median(right) == 0 else _median(right)
    shares = [
        _share(values > threshold, evidence.groups[rows])
        for values, rows in zip((wrong, right), sides, strict=True)
    ]
    return SharedTrait(item, delta, q, shares[0], shares[1])


def _share(has: Bool[np.ndarray, " m"], groups: Int[np.ndarray, " m"]) -> Interval:
    """The share of sheets that have a property; the bounds count groups, NaN for a single one.

    Several exposures of one piece of steel have its properties together and count as one.
    """
    units = np.unique(groups).size
    if units == 1 and has.size > 1:
        return Interval(float(has.mean()), float("nan"), float("nan"))
    return wilson(float(has.mean()) * units, units) if has.size else wilson(0, 0)


def _median(values: Float[np.ndarray, " m"]) -> float:
    return float(np.median(values)) if values.size else 0.0


def _reasons(
    evidence: ModelEvidence,
    maps: Float32[np.ndarray, "n gh gw"],
    wrong: Positions,
    agreeing: Positions,
    rng: np.random.Generator,
) -> tuple[SharedReason, ...]:
    mistakes, correct = (
        _mean_shares(evidence, maps, rng.permutation(rows)[:MOST_COMPARED]) for rows in (wrong, agreeing)
    )
    return tuple(
        SharedReason(title, mistakes[name][0], mistakes[name][1], correct[name][0])
        for name, title in REGIONS.items()
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
