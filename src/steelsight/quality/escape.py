"""Escape and overkill, each told both ways, from audit draws stratified by what the verdict did.

Escape is the share of defective sheets among the passed, and the share of missed ones among the defective.
Overkill is the share of sheets without a defect among the rejected, and the share of rejected ones among
those without. The first of each pair is a share of one stratum; the second puts the strata together by their
numbers of sheets, which are known. What a person is asked about is neither passed nor rejected. Bounds are
those of `quality.correction`. Draws that are not reviewed are taken for missing by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from steelsight.quality.correction import (
    NO_ERRORS,
    TAIL,
    CorrectedShare,
    ReviewerErrors,
    correct_share,
    melded,
    true_share,
)
from steelsight.quality.records import AuditData, AuditedSheet, Outcome, parts_of
from steelsight.quality.reviewers import defect_errors, type_errors
from steelsight.quality.shares import Floats, SampleShare, hajek_share

__all__ = ["Escape", "Ratio", "escape_of", "escape_of_type"]

Strata = Mapping[Outcome, SampleShare]


@dataclass(frozen=True)
class Ratio:
    """A share over several strata, with 95 % bounds."""

    estimate: float | None  # None where a stratum has no draws, or nothing is there to divide by
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class Escape:
    """The four shares of one group of sheets."""

    sheets: dict[str, int]  # by outcome
    draws: dict[str, int]  # drawn, by outcome
    reviewed: dict[str, int]  # of them
    defective_among_passed: CorrectedShare
    missed_among_defective: Ratio
    good_among_rejected: CorrectedShare | None  # None for one type of defect
    rejected_among_good: Ratio | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: _plain(value) for name, value in vars(self).items()}


def escape_of(data: AuditData, rng: np.random.Generator) -> Escape:
    """Escape and overkill of a period: any defect counts."""
    strata = _strata(data, lambda each: bool(parts_of(each.answer, data.clean)))
    errors = _usable(defect_errors(data))
    rejected = correct_share(_complement(strata[Outcome.REJECTED]), _swapped(errors), rng)
    return Escape(
        **_numbers(data, strata),
        defective_among_passed=correct_share(strata[Outcome.PASSED], errors, rng),
        missed_among_defective=_missed(data, strata, errors or NO_ERRORS, rng),
        good_among_rejected=rejected,
        rejected_among_good=_overkill(data, strata, errors or NO_ERRORS, rng),
    )


def escape_of_type(data: AuditData, label: str, rng: np.random.Generator) -> Escape:
    """Escape of one type of defect; overkill is of sheets without any and has no type."""
    strata = _strata(data, lambda each: label in parts_of(each.answer, data.clean))
    errors = _usable(type_errors(data, label))
    return Escape(
        **_numbers(data, strata),
        defective_among_passed=correct_share(strata[Outcome.PASSED], errors, rng),
        missed_among_defective=_missed(data, strata, errors or NO_ERRORS, rng),
        good_among_rejected=None,
        rejected_among_good=None,
    )


def _plain(value: Any) -> Any:
    return value.as_dict() if isinstance(value, CorrectedShare | Ratio) else value


def _usable(errors: ReviewerErrors) -> ReviewerErrors | None:
    return errors if errors.measured else None


def _strata(data: AuditData, defective: Callable[[AuditedSheet], bool]) -> dict[Outcome, SampleShare]:
    """The observed share of each outcome."""
    names = sorted({each.coil for each in data.audited if each.coil is not None})
    numbers = {name: number for number, name in enumerate(names)}
    found = {}
    for outcome in Outcome:
        draws = [each for each in data.audited if each.group.outcome is outcome]
        coils = [
            len(numbers) + row if each.coil is None else numbers[each.coil] for row, each in enumerate(draws)
        ]
        found[outcome] = hajek_share(
            np.array([defective(each) for each in draws], dtype=bool),
            np.array([each.probability for each in draws], dtype=np.float64),
            np.array(coils, dtype=np.int64),
        )
    return found


def _numbers(data: AuditData, strata: Strata) -> dict[str, dict[str, int]]:
    drawn = dict.fromkeys((each.value for each in Outcome), 0)
    for (group, _coil), (_sheets, draws) in data.sheets.items():
        drawn[group.outcome.value] += draws
    return {
        "sheets": {each.value: data.count(each) for each in Outcome},
        "draws": drawn,
        "reviewed": {each.value: strata[each].draws for each in Outcome},
    }


def _complement(share: SampleShare) -> SampleShare:
    """The share of the sheets without the property."""
    return SampleShare(
        1 - share.estimate, share.effective, share.draws - share.found, share.draws, share.coils
    )


def _swapped(errors: ReviewerErrors | None) -> ReviewerErrors | None:
    """The reviewers' errors for the sheets without the property."""
    return None if errors is None else ReviewerErrors(errors.alarms.complement, errors.seen.complement)


def _missed(data: AuditData, strata: Strata, errors: ReviewerErrors, rng: np.random.Generator) -> Ratio:
    """The share of the passed among the defective."""

    def share(truth: Mapping[Outcome, Floats]) -> Floats:
        defective = {each: data.count(each) * truth[each] for each in Outcome}
        return _divided(defective[Outcome.PASSED], sum(defective.values(), np.zeros(1)))

    def bound(*, upper: bool) -> Floats:
        # Of the reviewers' errors the false alarms alone move this share; more of them lower it.
        side = melded(strata[Outcome.PASSED], errors, rng, upper=upper)
        others = {
            each: melded(strata[each], errors, rng, upper=not upper).observed
            for each in (Outcome.REJECTED, Outcome.REFERRED)
        }
        observed = {Outcome.PASSED: side.observed, **others}
        return share({each: type(side)(p, side.seen, side.alarms).truth for each, p in observed.items()})

    return _ratio(data, strata, share, errors, bound)


def _overkill(data: AuditData, strata: Strata, errors: ReviewerErrors, rng: np.random.Generator) -> Ratio:
    """The share of the rejected among those without a defect."""

    def share(truth: Mapping[Outcome, Floats]) -> Floats:
        good = {each: data.count(each) * (1 - truth[each]) for each in Outcome}
        return _divided(good[Outcome.REJECTED], sum(good.values(), np.zeros(1)))

    def bound(*, upper: bool) -> Floats:
        # More defects among the rejected lower it; a higher sensitivity of the reviewers raises it.
        side = melded(strata[Outcome.REJECTED], errors, rng, upper=not upper)
        seen = errors.seen.draws(rng, upper=upper)
        others = {
            each: melded(strata[each], errors, rng, upper=upper).observed
            for each in (Outcome.PASSED, Outcome.REFERRED)
        }
        observed = {Outcome.REJECTED: side.observed, **others}
        return share({each: type(side)(p, seen, side.alarms).truth for each, p in observed.items()})

    return _ratio(data, strata, share, errors, bound)


def _divided(part: Floats, whole: Floats) -> Floats:
    found: Floats = np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)
    return found


def _ratio(
    data: AuditData,
    strata: Strata,
    share: Callable[[Mapping[Outcome, Floats]], Floats],
    errors: ReviewerErrors,
    bound: Callable[..., Floats],
) -> Ratio:
    low = float(np.quantile(np.nan_to_num(bound(upper=False), nan=0.0), TAIL))
    high = float(np.quantile(np.nan_to_num(bound(upper=True), nan=1.0), 1 - TAIL))
    if any(data.count(each) and not strata[each].draws for each in Outcome):
        return Ratio(None, low, high)
    rates = np.array([errors.seen.estimate]), np.array([errors.alarms.estimate])
    truth = {
        each: true_share(np.array([strata[each].estimate if strata[each].draws else 0.0]), *rates)
        for each in Outcome
    }
    estimate = float(share(truth)[0])
    if np.isnan(estimate):
        return Ratio(None, low, high)
    return Ratio(estimate, min(low, estimate), max(high, estimate))
