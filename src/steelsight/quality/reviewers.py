"""How often reviewers are wrong, by seeded known cases: sheets whose right label is known beforehand.

Reviewers weigh as much as they reviewed audit draws: who decided most of them counts most. A reviewer without
known cases of a kind is taken for one like the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steelsight.evaluation.intervals.exact import clopper_pearson
from steelsight.quality.correction import Rate, ReviewerErrors
from steelsight.quality.records import AuditData, KnownAnswer, parts_of

__all__ = [
    "FollowedVerdicts",
    "ReviewerRecord",
    "defect_errors",
    "followed_verdicts",
    "reviewer_records",
    "type_errors",
    "wrong_answers",
]

Test = Callable[[KnownAnswer], bool]


@dataclass(frozen=True)
class ReviewerRecord:
    """One person's answers to known cases, with 95 % bounds."""

    person: str
    audited: int  # draws
    defects: tuple[int, int]  # called defective, of known cases with a defect
    defects_bounds: tuple[float, float]
    clean: tuple[int, int]  # called defective, of known cases without
    clean_bounds: tuple[float, float]
    followed: tuple[int, int]  # gave the model's wrong label, of known cases where it was shown

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class FollowedVerdicts:
    """Answers to known cases on which the model is wrong: how many give its label."""

    shown: tuple[int, int]  # of answers by people who saw the verdict
    unseen: tuple[int, int]  # of answers by people who did not: they err so of themselves

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with exact 95 % bounds."""
        return {
            **vars(self),
            "shown_bounds": clopper_pearson(*self.shown),
            "unseen_bounds": clopper_pearson(*self.unseen),
        }


def followed_verdicts(data: AuditData) -> FollowedVerdicts:
    """How often all reviewers together give the model's wrong label, with and without its verdict."""
    wrong = [
        each
        for each in data.known
        if each.verdict is not None and not _same(each.verdict, each.truth, data.clean)
    ]

    def count(cases: list[KnownAnswer]) -> tuple[int, int]:
        return sum(_same(each.answer, each.verdict or "", data.clean) for each in cases), len(cases)

    return FollowedVerdicts(
        count([each for each in wrong if each.shown]), count([each for each in wrong if not each.shown])
    )


def defect_errors(data: AuditData) -> ReviewerErrors:
    """How often reviewers see a defect, and where there is none."""
    return _errors(
        data,
        lambda each: bool(parts_of(each.answer, data.clean)),
        lambda each: bool(parts_of(each.truth, data.clean)),
        lambda each: not parts_of(each.truth, data.clean),
    )


def type_errors(data: AuditData, label: str) -> ReviewerErrors:
    """How often reviewers see a type of defect, and on sheets without any defect."""
    return _errors(
        data,
        lambda each: label in parts_of(each.answer, data.clean),
        lambda each: label in parts_of(each.truth, data.clean),
        lambda each: not parts_of(each.truth, data.clean),
    )


def wrong_answers(data: AuditData) -> list[bool]:
    """Whether each answer to a known case differs from the right label, in the order they were given."""
    return [not _same(each.answer, each.truth, data.clean) for each in _unseen(data)]


def reviewer_records(data: AuditData) -> tuple[ReviewerRecord, ...]:
    """One record a person who answered known cases or reviewed draws."""
    audited = Counter(each.person for each in data.audited)
    people = sorted({*audited, *(each.person for each in data.known)})
    return tuple(_record(data, person, audited[person]) for person in people)


def _record(data: AuditData, person: str, audited: int) -> ReviewerRecord:
    mine = [each for each in data.known if each.person == person]
    own = [each for each in _unseen(data) if each.person == person]
    seen = [bool(parts_of(each.answer, data.clean)) for each in own]
    defective = [bool(parts_of(each.truth, data.clean)) for each in own]
    defects = sum(s and d for s, d in zip(seen, defective, strict=True)), sum(defective)
    clean = sum(s and not d for s, d in zip(seen, defective, strict=True)), len(own) - sum(defective)
    led = [
        each
        for each in mine
        if each.shown and each.verdict is not None and not _same(each.verdict, each.truth, data.clean)
    ]
    followed = sum(_same(each.answer, each.verdict or "", data.clean) for each in led), len(led)
    bounds = [clopper_pearson(*each) for each in (defects, clean)]
    return ReviewerRecord(person, audited, defects, bounds[0], clean, bounds[1], followed)


def _same(one: str, other: str, clean: str) -> bool:
    return parts_of(one, clean) == parts_of(other, clean)


def _errors(data: AuditData, seen: Test, with_it: Test, without: Test) -> ReviewerErrors:
    cases = _unseen(data)
    return ReviewerErrors(
        _weighted(data, [each for each in cases if with_it(each)], seen),
        _weighted(data, [each for each in cases if without(each)], seen),
    )


def _unseen(data: AuditData) -> list[KnownAnswer]:
    """Answers by people who had not seen the verdict, as with draws; all where that is not on record."""
    return [each for each in data.known if not (each.shown and data.blind_known)]


def _weighted(data: AuditData, cases: Sequence[KnownAnswer], seen: Test) -> Rate:
    """The rate over reviewers, each weighing as much as the draws that were reviewed by them."""
    if not cases:
        return Rate(0.0, 0.0)
    counts = Counter(each.person for each in cases)
    audited = Counter(each.person for each in data.audited if each.person in counts)
    if not audited:
        return Rate(float(sum(map(seen, cases))), float(len(cases)))
    weights = np.array([audited[each.person] / counts[each.person] for each in cases])
    found = np.array([seen(each) for each in cases])
    effective = float(weights.sum() ** 2 / (weights @ weights))
    share = min(1.0, float(weights @ found / weights.sum()))  # rounding
    return Rate(share * effective, effective)
