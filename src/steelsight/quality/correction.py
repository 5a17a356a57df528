"""Correct shares for the errors of the people who reviewed, with the uncertainty of these errors.

Of sheets with a property reviewers see it at a rate se (sensitivity), and in the others at a rate fp (false
alarms): an observed share p is (p - fp) / (se - fp) in truth. Both rates come from seeded known cases. Bounds
come by melding: each of p, se and fp is drawn from its own lower or upper confidence distribution, whichever
makes the result smaller for the lower bound, or larger for the upper one. They hold at least at their level.
source  Rogan and Gladen 1978; Fay, Proschan and Brittain 2015; Bayer, Fay and Graubard 2023
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from steelsight.errors import BadInput
from steelsight.quality.shares import Floats, SampleShare

__all__ = [
    "NO_ERRORS",
    "TAIL",
    "CorrectedShare",
    "Melded",
    "Rate",
    "ReviewerErrors",
    "correct_share",
    "melded",
    "true_share",
]

DRAWS: Final = 4000  # of each confidence distribution
TAIL: Final = 0.025


@dataclass(frozen=True)
class Rate:
    """A rate of reviewers: so many of so many known cases, or a known number."""

    found: float
    count: float  # may be an effective number; infinite where the rate itself is known

    def __post_init__(self) -> None:
        if not 0 <= self.found <= (1 if np.isinf(self.count) else self.count):
            raise BadInput(
                f"rate of reviewers: expected 0 <= found <= count, got {self.found} of {self.count}"
            )

    @property
    def estimate(self) -> float:
        """The rate; NaN without cases."""
        if np.isinf(self.count):
            return self.found
        return self.found / self.count if self.count else float("nan")

    @property
    def complement(self) -> Rate:
        """The rate of not doing so."""
        return Rate((1 if np.isinf(self.count) else self.count) - self.found, self.count)

    def draws(self, rng: np.random.Generator, *, upper: bool) -> Floats:
        """Values of the upper or the lower confidence distribution."""
        if np.isinf(self.count):
            return np.full(DRAWS, self.found)
        return confidence_draws(rng, self.found, self.count, upper=upper)


@dataclass(frozen=True)
class ReviewerErrors:
    """What known cases say of the reviewers: how often they see a property, and see it where it is not."""

    seen: Rate  # of known cases with the property
    alarms: Rate  # of known cases without it

    @classmethod
    def known(cls, sensitivity: float, false_alarms: float) -> ReviewerErrors:
        """Of rates that are known without error."""
        return cls(Rate(sensitivity, float("inf")), Rate(false_alarms, float("inf")))

    @property
    def measured(self) -> bool:
        """Whether there are known cases of both kinds, and reviewers tell them apart at all."""
        counts = self.seen.count > 0 and self.alarms.count > 0
        return counts and self.seen.estimate > self.alarms.estimate


NO_ERRORS: Final = ReviewerErrors.known(1.0, 0.0)


@dataclass(frozen=True)
class Melded:
    """Draws of one confidence distribution of each of three shares: for a lower or for an upper bound."""

    observed: Floats
    seen: Floats
    alarms: Floats

    @property
    def truth(self) -> Floats:
        """The corrected shares."""
        return true_share(self.observed, self.seen, self.alarms)


@dataclass(frozen=True)
class CorrectedShare:
    """A share with 95 % bounds."""

    estimate: float | None  # None without draws
    low: float
    high: float
    corrected: bool  # for the reviewers' errors; False where there are no known cases
    observed: SampleShare

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "observed": self.observed.as_dict()}


def true_share(observed: Floats, seen: Floats, alarms: Floats) -> Floats:
    """Rogan and Gladen's estimate, within 0 and 1; 0 where no more was observed than false alarms give."""
    spread = seen - alarms
    usable = spread > 0
    value = np.clip((observed - alarms) / np.where(usable, spread, 1.0), 0, 1)
    found: Floats = np.where(usable, value, (observed > alarms).astype(np.float64))
    return found


def confidence_draws(rng: np.random.Generator, found: float, count: float, *, upper: bool) -> Floats:
    """Values of Clopper and Pearson's upper or lower confidence distribution of a share."""
    if upper:
        return rng.beta(found + 1, count - found, DRAWS) if found < count else np.ones(DRAWS)
    return rng.beta(found, count - found + 1, DRAWS) if found > 0 else np.zeros(DRAWS)


def melded(share: SampleShare, errors: ReviewerErrors, rng: np.random.Generator, *, upper: bool) -> Melded:
    """Draws for the upper or the lower bound of a corrected share."""
    found, count = share.found_effective, share.effective
    return Melded(
        confidence_draws(rng, found, count, upper=upper),
        errors.seen.draws(rng, upper=not upper),
        errors.alarms.draws(rng, upper=not upper),
    )


def correct_share(
    share: SampleShare, errors: ReviewerErrors | None, rng: np.random.Generator
) -> CorrectedShare:
    """A share with the reviewers' errors taken out.

    errors   None, or without known cases of both kinds: nothing is corrected
    returns  an upper bound that is never below that of the same draws with no defect among them: none of
             those that reviewers saw may be one
    """
    usable = errors is not None and errors.measured
    known = errors if errors is not None and usable else NO_ERRORS
    low = float(np.quantile(melded(share, known, rng, upper=False).truth, TAIL))
    upper = melded(share, known, rng, upper=True)
    none = true_share(confidence_draws(rng, 0.0, share.effective, upper=True), upper.seen, np.zeros(DRAWS))
    high = max(float(np.quantile(each, 1 - TAIL)) for each in (upper.truth, none))
    if not share.draws:
        return CorrectedShare(None, 0.0, 1.0, usable, share)
    values = (np.array([each]) for each in (share.estimate, known.seen.estimate, known.alarms.estimate))
    estimate = float(true_share(*values)[0])
    return CorrectedShare(estimate, min(low, estimate), max(high, estimate), usable, share)
