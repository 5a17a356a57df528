"""Ranks candidate shortcuts: properties associated with a margin and a class that shift the margin if pasted.

A finding has to pass, in this order: association with the margin within true classes (q <= Q_LEVEL over all
candidates, and an effect whose interval lies above LEAST_EFFECT); association with the class itself, because
a property without it cannot have been learnt as an indicator of the class; and the paste check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import false_discovery_control

from steelsight.counterfactuals.margins import class_margin
from steelsight.counterfactuals.nuisances.properties import Property
from steelsight.counterfactuals.pasting.counterfactual import Predict
from steelsight.counterfactuals.pasting.paste_check import Change, PasteCheck, check_by_pasting
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadData, BadInput
from steelsight.evaluation.intervals.bootstrap import group_index
from steelsight.shortcuts.find.association import (
    PERMUTATIONS,
    ClassAssociation,
    differs_within,
    permutation_p,
    somers_d,
    with_class,
)
from steelsight.types import Interval, Logits

__all__ = [
    "LEAST_EFFECT",
    "Q_LEVEL",
    "STATUSES",
    "Association",
    "Candidate",
    "ModelEvidence",
    "Status",
    "rank_candidates",
]

Q_LEVEL: Final = 0.05
LEVELS: Final = 4  # of a property's values, see _levels
LEAST_EFFECT: Final = (
    0.2  # of Somers' D: of two sheets of a class, the one with more has the larger margin in 60 %
)

Status = Literal["finding", "reaction", "untested", "refuted", "follows", "undecided", "nothing"]

STATUSES: Final[Mapping[Status, str]] = {
    "finding": "associated with the margin and with the class, and pasting it shifts the margin",
    "untested": "associated with the margin; it could not be pasted on these sheets, so check it by eye",
    "reaction": "pasting it shifts the margin, but on these sheets it is not associated with the class",
    "refuted": "associated with the margin, but pasting it does not shift the margin",
    "follows": "associated with the margin only through a finding ranked above",
    "undecided": "the interval of its effect includes the least effect: more sheets with it are needed",
    "nothing": "not associated with the margin, or only weakly",
}


@dataclass(frozen=True)
class ModelEvidence:
    """Sheets of known classes, and the model's logits on them."""

    sheets: ProofSheets
    logits: Logits  # (n, c)

    def __post_init__(self) -> None:
        names = self.sheets.class_names
        if len(names) < 2:
            raise BadInput(
                f"shortcuts: expected a model of two classes or more, got {len(names)} ({', '.join(names)}); "
                "a margin compares classes"
            )
        if len(self.logits) != len(self.sheets) or (self.sheets.labels < 0).any():
            raise BadInput(
                f"shortcuts: expected logits and one class per sheet, got {len(self.logits)} for "
                f"{len(self.sheets)} sheets, {int((self.sheets.labels < 0).sum())} without a class"
            )

    @property
    def groups(self) -> Int[np.ndarray, " n"]:
        """Group index of each sheet; a sheet without a group is its own."""
        return group_index(self.sheets.groups, len(self.sheets))

    @cached_property
    def margins(self) -> Float[np.ndarray, "n c"]:
        """The margins of all classes."""
        return np.stack([class_margin(self.logits, c) for c in range(self.logits.shape[1])], axis=1)


@dataclass(frozen=True)
class Association:
    """Association of a property with one class's margin."""

    target: int  # index of the class
    effect: Interval  # Somers' D; above 0: sheets with more of the property have larger margins
    p_value: float
    q_value: float  # over all candidates and classes
    with_class: ClassAssociation
    class_q: float  # q-value of `with_class` over all candidates and classes


@dataclass(frozen=True)
class Candidate:
    """One property with its strongest association."""

    property: Property
    association: Association  # with the class it indicates
    more: bool  # False: less of it indicates the class, and effects are of less
    by_class: tuple[Association, ...]  # one per class, effects of more
    check: PasteCheck | None  # None: not pasted
    status: Status
    follows: str = ""  # the title of the finding that explains its association


def rank_candidates(
    evidence: ModelEvidence,
    properties: Sequence[Property],
    predict: Predict,
    changes: Mapping[str, Change],
    *,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> tuple[Candidate, ...]:
    """Rank every property that varies within a class: findings first, then by the lower bound of the effect.

    changes  how to paste a property, by key; a property without one stays untested
    source   q-values: Benjamini and Hochberg 1995
    raises   BadData where no class has two groups of sheets
    """
    _refuse_single_groups(evidence)
    kept = [item for item in properties if differs_within(item.values, evidence.sheets.labels)]
    if not kept:
        return ()
    associations = _associations(evidence, kept, rng, permutations)
    candidates = [
        _candidate(item, by_class, evidence, predict, changes, rng)
        for item, by_class in zip(kept, associations, strict=True)
    ]
    return _sort(_set_followers(_sort(candidates), evidence))


def _refuse_single_groups(evidence: ModelEvidence) -> None:
    counts = [
        np.unique(evidence.groups[evidence.sheets.labels == c]).size
        for c in range(len(evidence.sheets.class_names))
    ]
    if max(counts) < 2:
        named = ", ".join(f"{n} {name}" for name, n in zip(evidence.sheets.class_names, counts, strict=True))
        raise BadData(
            f"shortcuts: expected two sheets of one class from different groups, got groups: {named}; "
            "bring more sheets, or looser --groups"
        )


def _associations(
    evidence: ModelEvidence, properties: Sequence[Property], rng: np.random.Generator, permutations: int
) -> list[tuple[Association, ...]]:
    """One tuple per property with one association per class; both margins of a binary model are one test."""
    labels, groups, classes = evidence.sheets.labels, evidence.groups, len(evidence.sheets.class_names)
    values = np.stack([item.values for item in properties], axis=1)
    margins = evidence.margins
    tested = [0] if classes == 2 else list(range(classes))
    effects = somers_d(values, margins[:, tested], labels, groups)
    p = permutation_p(values, margins[:, tested], labels, groups, rng=rng, permutations=permutations)
    q = _q_values(p)
    tests = [[with_class(value, labels == c, groups) for c in tested] for value in values.T]
    class_q = _q_values(np.array([[test.p_value for test in row] for row in tests]))
    rows = []
    for row in range(len(properties)):
        by_class = [
            Association(
                c, effects[row][i], float(p[row, i]), float(q[row, i]), tests[row][i], float(class_q[row, i])
            )
            for i, c in enumerate(tested)
        ]
        rows.append((*by_class, _reversed(by_class[0], 1)) if classes == 2 else tuple(by_class))
    return rows


def _q_values(p: Float[np.ndarray, "k c"]) -> Float[np.ndarray, "k c"]:
    """Benjamini and Hochberg's q-values over all properties and classes."""
    q: Float[np.ndarray, "k c"] = false_discovery_control(p.ravel()).reshape(p.shape)
    return q


def _reversed(association: Association, target: int) -> Association:
    """The association of less of the property, or with the other of two classes."""
    effect, class_association = association.effect, association.with_class
    return replace(
        association,
        target=target,
        effect=Interval(-effect.estimate, -effect.high, -effect.low, effect.level),
        with_class=replace(class_association, delta=-class_association.delta),
    )


def _candidate(
    item: Property,
    by_class: tuple[Association, ...],
    evidence: ModelEvidence,
    predict: Predict,
    changes: Mapping[str, Change],
    rng: np.random.Generator,
) -> Candidate:
    strongest, more = _strongest(by_class, item.presence)
    check = None
    if not _passes(strongest):
        undecided = strongest.effect.high >= LEAST_EFFECT
        return Candidate(item, strongest, more, by_class, None, "undecided" if undecided else "nothing")
    change = changes.get(item.key)
    if change is not None:
        amount = item.values if more else -item.values
        check = check_by_pasting(
            evidence.sheets, evidence.logits, change, amount, strongest.target, predict, more=more, rng=rng
        )
    return Candidate(item, strongest, more, by_class, check, _status(strongest, check))


def _strongest(by_class: tuple[Association, ...], presence: bool) -> tuple[Association, bool]:
    """The association with the highest lower bound, those that pass first, and whether it is of more.

    presence  True: less of the property is not considered
    """
    sided = [(association, True) for association in by_class]
    if not presence:
        sided += [(_reversed(association, association.target), False) for association in by_class]
    return max(sided, key=lambda side: (_passes(side[0]), np.nan_to_num(side[0].effect.low, nan=-1)))


def _passes(association: Association) -> bool:
    return association.q_value <= Q_LEVEL and association.effect.low >= LEAST_EFFECT


def _status(association: Association, check: PasteCheck | None) -> Status:
    """The status of a candidate whose association with the margin passes."""
    learnable = association.class_q <= Q_LEVEL and association.with_class.delta > 0
    if check is None or check.sheets == 0:
        return "untested"
    if not check.moves:
        return "refuted"
    return "finding" if learnable else "reaction"


def _sort(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    order = list(STATUSES)
    return tuple(
        sorted(
            candidates,
            key=lambda each: (
                order.index(each.status),
                each.property.key.startswith("concept"),  # named properties come before unnamed ones
                -np.nan_to_num(each.association.effect.low, nan=-1),
            ),
        )
    )


def _set_followers(candidates: tuple[Candidate, ...], evidence: ModelEvidence) -> list[Candidate]:
    """Mark candidates whose effect vanishes among sheets with similar values of a finding ranked above."""
    marked: list[Candidate] = []
    leaders: list[Candidate] = []
    for each in candidates:
        leader = None
        if each.status in ("finding", "untested", "reaction", "refuted"):
            leader = next((lead for lead in leaders if not _has_own_effect(each, lead, evidence)), None)
        if leader is not None:
            marked.append(replace(each, status="follows", follows=leader.property.title))
            continue
        marked.append(each)
        if each.status == "finding":
            leaders.append(each)
    return marked


def _has_own_effect(each: Candidate, leader: Candidate, evidence: ModelEvidence) -> bool:
    """Whether a candidate keeps its effect within strata of class and of the leader's values."""
    strata = evidence.sheets.labels * LEVELS + _levels(leader.property.values)
    margin = evidence.margins[:, [each.association.target]]
    values = each.property.values[:, None] * (1 if each.more else -1)
    remaining = somers_d(values, margin, strata, evidence.groups)[0][0]
    return bool(remaining.low >= LEAST_EFFECT)


def _levels(values: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Level of each value: 0 for the commonest if half of the sheets have it, else 1 to 3 by thirds."""
    levels, counts = np.unique(values, return_counts=True)
    common = counts.max() >= values.size / 2
    rest = values != levels[counts.argmax()] if common else np.ones(values.size, dtype=bool)
    bounds = np.quantile(values[rest], [1 / 3, 2 / 3])
    level: Int[np.ndarray, " n"] = np.where(rest, 1 + np.searchsorted(bounds, values), 0).astype(np.int64)
    return level
