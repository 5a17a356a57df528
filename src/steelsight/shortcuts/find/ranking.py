"""Ranks what may be a shortcut: what goes with a margin and with a class, and moves the margin when pasted.

A finding has to pass, in this order: association with the margin within true classes (q <= Q_LEVEL over all
candidates, and an effect whose interval lies above LEAST_EFFECT), association with the class itself, for what
goes with no class cannot have been learnt as its sign, and the paste check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import false_discovery_control

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
from steelsight.shortcuts.margins import class_margin
from steelsight.shortcuts.nuisances.properties import Property
from steelsight.shortcuts.pasting.counterfactual import Predict
from steelsight.shortcuts.pasting.paste_check import Change, PasteCheck, check_by_pasting
from steelsight.shortcuts.sheets import ProofSheets
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
LEAST_EFFECT: Final = 0.2  # of Somers' D: of two sheets of a class, the one with more wins 60 to 40

Status = Literal["finding", "reaction", "untested", "refuted", "follows", "undecided", "nothing"]

STATUSES: Final[Mapping[Status, str]] = {
    "finding": "goes with the margin and with the class, and pasting it moves the margin",
    "untested": "goes with the margin; it could not be pasted on these sheets, so look at it",
    "reaction": "pasting it moves the margin, but on these sheets it goes with no class",
    "refuted": "goes with the margin, but pasting it does not move it",
    "follows": "goes with the margin only as far as a suspect above does",
    "undecided": "its interval reaches over the least effect and is not above it: bring more sheets with it",
    "nothing": "does not go with the margin, or hardly",
}


@dataclass(frozen=True)
class ModelEvidence:
    """Sheets of known classes, and what the model says of them."""

    sheets: ProofSheets
    logits: Logits

    def __post_init__(self) -> None:
        names = self.sheets.class_names
        if len(names) < 2:
            raise BadInput(
                f"shortcuts: expected a model of two classes or more, got {len(names)} ({', '.join(names)}); "
                "a margin is between classes"
            )
        if len(self.logits) != len(self.sheets) or (self.sheets.labels < 0).any():
            raise BadInput(
                f"shortcuts: expected logits and one class a sheet, got {len(self.logits)} for "
                f"{len(self.sheets)} sheets, {int((self.sheets.labels < 0).sum())} without a class"
            )

    @property
    def groups(self) -> Int[np.ndarray, " n"]:
        """An index a group; a sheet without one is its own."""
        return group_index(self.sheets.groups, len(self.sheets))

    @cached_property
    def margins(self) -> Float[np.ndarray, "n c"]:
        """Of every class."""
        return np.stack([class_margin(self.logits, c) for c in range(self.logits.shape[1])], axis=1)


@dataclass(frozen=True)
class Association:
    """What a property has to do with one class's margin; effect above 0: more of it speaks for the class."""

    target: int
    effect: Interval
    p_value: float
    q_value: float
    with_class: ClassAssociation
    class_q: float


@dataclass(frozen=True)
class Candidate:
    """One candidate property with its strongest pull."""

    candidate: Property
    pull: Association  # of the class it speaks for
    more: bool  # False: less of it speaks for the class, and effects are of less
    pulls: tuple[Association, ...]  # one a class, effects of more
    check: PasteCheck | None
    status: Status
    follows: str = ""  # the title of the suspect it goes with

    @property
    def strength(self) -> float:
        """The near bound of the effect."""
        return self.pull.effect.low


def rank_candidates(
    evidence: ModelEvidence,
    properties: Sequence[Property],
    predict: Predict,
    changes: Mapping[str, Change],
    *,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> tuple[Candidate, ...]:
    """Every candidate that differs within a class, findings first, then by the near bound of the effect.

    changes  how to paste a property, by key; what has none stays untested
    raises   BadData where no class has two groups of sheets
    """
    _refuse_lone(evidence)
    kept = [each for each in properties if differs_within(each.values, evidence.sheets.labels)]
    if not kept:
        return ()
    found = [
        _suspect(each, pulls, evidence, predict, changes, rng)
        for each, pulls in zip(kept, _pulls(evidence, kept, rng, permutations), strict=True)
    ]
    return _sort(_set_followers(_sort(found), evidence))


def _refuse_lone(evidence: ModelEvidence) -> None:
    counts = [
        np.unique(evidence.groups[evidence.sheets.labels == c]).size
        for c in range(len(evidence.sheets.class_names))
    ]
    if max(counts) < 2:
        named = ", ".join(f"{n} {name}" for name, n in zip(evidence.sheets.class_names, counts, strict=True))
        raise BadData(
            f"shortcuts: expected two sheets of one class that are not of one group, got groups: {named}; "
            "bring more sheets, or looser --groups"
        )


def _pulls(
    evidence: ModelEvidence, properties: Sequence[Property], rng: np.random.Generator, permutations: int
) -> list[tuple[Association, ...]]:
    """One tuple a property, in it one pull a class; both margins of a binary model are one test."""
    labels, groups, classes = evidence.sheets.labels, evidence.groups, len(evidence.sheets.class_names)
    values = np.stack([each.values for each in properties], axis=1)
    margins = evidence.margins
    tested = [0] if classes == 2 else list(range(classes))
    effects = somers_d(values, margins[:, tested], labels, groups)
    p = permutation_p(values, margins[:, tested], labels, groups, rng=rng, permutations=permutations)
    q = _q_values(p)
    ties = [[with_class(value, labels == c, groups) for c in tested] for value in values.T]
    class_q = _q_values(np.array([[each.p_value for each in row] for row in ties]))
    found = []
    for row in range(len(properties)):
        pulls = [
            Association(
                c, effects[row][i], float(p[row, i]), float(q[row, i]), ties[row][i], float(class_q[row, i])
            )
            for i, c in enumerate(tested)
        ]
        found.append((*pulls, _turn(pulls[0], 1)) if classes == 2 else tuple(pulls))
    return found


def _q_values(p: Float[np.ndarray, "k c"]) -> Float[np.ndarray, "k c"]:
    """Benjamini and Hochberg's over all properties and classes."""
    q: Float[np.ndarray, "k c"] = false_discovery_control(p.ravel()).reshape(p.shape)
    return q


def _turn(pull: Association, target: int) -> Association:
    """The same of the opposite: less of the property, or the other of two classes."""
    effect, tie = pull.effect, pull.with_class
    return replace(
        pull,
        target=target,
        effect=Interval(-effect.estimate, -effect.high, -effect.low, effect.level),
        with_class=replace(tie, delta=-tie.delta),
    )


def _suspect(
    each: Property,
    pulls: tuple[Association, ...],
    evidence: ModelEvidence,
    predict: Predict,
    changes: Mapping[str, Change],
    rng: np.random.Generator,
) -> Candidate:
    pull, more = _strongest(pulls, each.presence)
    check = None
    if not _counts(pull):
        undecided = pull.effect.high >= LEAST_EFFECT
        return Candidate(each, pull, more, pulls, None, "undecided" if undecided else "nothing")
    change = changes.get(each.key)
    if change is not None:
        amount = each.values if more else -each.values
        check = check_by_pasting(
            evidence.sheets, evidence.logits, change, amount, pull.target, predict, more=more, rng=rng
        )
    return Candidate(each, pull, more, pulls, check, _judge(pull, check))


def _strongest(pulls: tuple[Association, ...], presence: bool) -> tuple[Association, bool]:
    """The pull with the highest near bound, those that count first; less of a property only where allowed."""
    sided = [(pull, True) for pull in pulls]
    if not presence:
        sided += [(_turn(pull, pull.target), False) for pull in pulls]
    return max(sided, key=lambda side: (_counts(side[0]), np.nan_to_num(side[0].effect.low, nan=-1)))


def _counts(pull: Association) -> bool:
    return pull.q_value <= Q_LEVEL and pull.effect.low >= LEAST_EFFECT


def _judge(pull: Association, check: PasteCheck | None) -> Status:
    learnable = pull.class_q <= Q_LEVEL and pull.with_class.delta > 0
    if check is None or check.sheets == 0:
        return "untested"
    if not check.moves:
        return "refuted"
    return "finding" if learnable else "reaction"


def _sort(suspects: Sequence[Candidate]) -> tuple[Candidate, ...]:
    order = list(STATUSES)
    return tuple(
        sorted(
            suspects,
            key=lambda each: (
                order.index(each.status),
                each.candidate.key.startswith("concept"),  # what has a name explains more than what has none
                -np.nan_to_num(each.strength, nan=-1),
            ),
        )
    )


def _set_followers(suspects: tuple[Candidate, ...], evidence: ModelEvidence) -> list[Candidate]:
    """Whoever's effect vanishes among sheets alike in a suspect above it follows that one."""
    found: list[Candidate] = []
    leaders: list[Candidate] = []
    for each in suspects:
        leader = None
        if each.status in ("finding", "untested", "reaction", "refuted"):
            leader = next((lead for lead in leaders if not _stands_beside(each, lead, evidence)), None)
        if leader is not None:
            found.append(replace(each, status="follows", follows=leader.candidate.title))
            continue
        found.append(each)
        if each.status == "finding":
            leaders.append(each)
    return found


def _stands_beside(each: Candidate, leader: Candidate, evidence: ModelEvidence) -> bool:
    """Whether a suspect keeps an effect of its own in strata of class and leader."""
    strata = evidence.sheets.labels * LEVELS + _levels(leader.candidate.values)
    margin = evidence.margins[:, [each.pull.target]]
    values = each.candidate.values[:, None] * (1 if each.more else -1)
    left = somers_d(values, margin, strata, evidence.groups)[0][0]
    return bool(left.low >= LEAST_EFFECT)


LEVELS: Final = 4


def _levels(values: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """0 for the commonest value where half of the sheets share it, then thirds of the others."""
    levels, counts = np.unique(values, return_counts=True)
    common = counts.max() >= values.size / 2
    rest = values != levels[counts.argmax()] if common else np.ones(values.size, dtype=bool)
    bounds = np.quantile(values[rest], [1 / 3, 2 / 3])
    found: Int[np.ndarray, " n"] = np.where(rest, 1 + np.searchsorted(bounds, values), 0).astype(np.int64)
    return found
