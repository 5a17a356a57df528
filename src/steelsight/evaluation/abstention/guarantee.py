"""Certify a threshold: with probability 1 - δ, the risk of the answered sheets is at most r.

Learn then Test with a fixed sequence: thresholds are set beforehand and tested from the strictest on, each
against "the risk is above r" by the exact binomial test. The first that fails ends the sequence, so no
correction for several tests is needed. Where too few sheets are answered for any proof, none is certified,
and the result says how many more groups and sheets are needed, or that more would not help.

"Too few" depends on the number of answered groups alone: with fewer than `answers_needed`, not even answers
that are all right could pass, so such a threshold is skipped and does not fail. The number of wrong answers
is not used for this; given the confidences, the thresholds tested are therefore fixed and the order is valid.

The unit is a group, because sheets of one coil or tile have correlated errors. A group counts once, by one of
its answered sheets, drawn before any test; groups are independent. The certified risk weighs every group
equally: the probability that an answer is wrong, for a random group and one random answered sheet of it.
Where groups differ in size, this is not the share of all sheets, which is reported beside it, not certified.
source  Angelopoulos, Bates, Candès, Jordan and Lei 2021; Clopper and Pearson 1934
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import beta, binom

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.thresholds import answered
from steelsight.evaluation.intervals.bootstrap import Groups, group_index
from steelsight.evaluation.probabilities import check_unit_scores

__all__ = [
    "CHANCE",
    "DELTA",
    "RISKS",
    "THRESHOLDS",
    "Certificate",
    "TestedThreshold",
    "answers_needed",
    "certified_chance",
    "certify",
    "groups_needed",
    "upper_bound",
]

RISKS = (0.01, 0.05, 0.10)  # those the reports certify
DELTA = 0.10  # chance that a certificate does not hold
# Set before any sheet is looked at: the study's 0 to .99, finer where confidences crowd.
THRESHOLDS = (*(i / 20 for i in range(20)), 0.96, 0.97, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999)

CHANCE = 0.8  # with which the number of groups that is named certifies a threshold
MOST_GROUPS = 10**5  # a sample that nobody draws
_RARE = 1e-12  # probability of a number of answers that is left out
MOST_ANSWERS = 10**9  # an error rate that needs more answers than these counts as equal to the risk


@dataclass(frozen=True)
class TestedThreshold:
    """One step of the sequence."""

    threshold: float
    answered: int  # groups with an answered sheet
    wrong: int
    bound: float  # upper bound of the risk at level 1 - δ; 1 where nothing is answered
    passed: bool


@dataclass(frozen=True)
class Certificate:
    """The loosest threshold that passed, or None."""

    risk: float
    delta: float
    threshold: float | None
    coverage: float  # share of the sheets answered at it; 0 without one
    tested: tuple[TestedThreshold, ...]
    # About how many more are needed where no threshold passed, else 0; None = more would not help.
    more_groups: int | None
    more_sheets: int | None = 0  # the same in sheets, as many a group as now
    sheet_risk: float = math.nan  # share of wrong answers at the threshold, every sheet counted equally
    answered_a_group: tuple[int, int] = (1, 1)  # fewest and most sheets answered at it in a group with any

    @property
    def statement(self) -> str:
        """The result in words, with what to do where no threshold passed."""
        sure = f"{100 * (1 - self.delta):g} %"
        if self.threshold is None:
            return f"no threshold can be certified for a risk of {self.risk:g} at {sure}; {self._missing}"
        fewest, most = self.answered_a_group
        equally = ", every group counted equally," if most > 1 else ""
        uneven = (
            f"; groups with an answer have {fewest} to {most} of them, and {self.sheet_risk:.3g} of all "
            "answers were wrong here, which is not certified"
            if fewest < most
            else ""
        )
        return (
            f"with {sure} confidence at most {self.risk:g} of the answers{equally} are wrong at threshold "
            f"{self.threshold:g}, where {100 * self.coverage:.1f} % of the sheets are answered{uneven}"
        )

    @property
    def _missing(self) -> str:
        if self.more_groups is not None:
            return (
                f"about {self.more_groups} more groups of sheets are needed, {self.more_sheets} sheets, "
                "at the errors and the coverage seen"
            )
        if not any(step.answered for step in self.tested):
            return "no sheet reaches a tested threshold, so more sheets will not certify this model"
        return (
            "at every tested threshold the errors seen are at or above the allowed risk, or as good as; more "
            "sheets will not certify this model"
        )


def certify(
    right: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " m"],
    thresholds: Sequence[float],
    *,
    risk: float,
    delta: float,
    rng: np.random.Generator,
    groups: Groups | None = None,
    familiar: Bool[np.ndarray, " f"] | None = None,
) -> Certificate:
    """Test thresholds from the strictest on; see the module's head.

    right       (n,) whether each calibration sheet's answer is right
    scores      (n,) confidence in [0, 1]
    thresholds  set before these sheets were looked at, each in [0, 1]
    rng         draws each group's sheet; drawing again until a threshold passes makes delta invalid
    familiar    (n,) sheets that are answered where the confidence suffices, by a rule that other sheets set;
                None = all
    raises      BadInput for no sheets or thresholds, or numbers outside their range
    """
    check_unit_scores(scores, right.size)
    if not right.size:
        raise BadInput("calibration: expected at least one sheet, got none")
    if not 0 < risk < 1 or not 0 < delta < 1:
        raise BadInput(f"guarantee: expected risk and delta above 0 and below 1, got {risk} and {delta}")
    if not len(thresholds) or not all(0 <= threshold <= 1 for threshold in thresholds):
        raise BadInput(f"guarantee thresholds: expected some, each from 0 to 1, got {list(thresholds)}")
    ordered = sorted(set(thresholds), reverse=True)
    confidence = np.clip(scores, 0, 1)
    group = group_index(groups, right.size)
    draw = rng.random(right.size)
    known = np.ones(right.size, dtype=bool) if familiar is None else familiar
    tested: list[TestedThreshold] = []
    for threshold in ordered:
        units, wrong = _count(right, answered(confidence, threshold) & known, group, draw)
        bound = upper_bound(wrong, units, delta)
        tested.append(TestedThreshold(threshold, units, wrong, bound, bound <= risk))
        # Too few answers for a proof are not a failed test, see the module's head.
        if not tested[-1].passed and units >= answers_needed(risk, delta):
            break
    passed = [step for step in tested if step.passed]
    if not passed:
        count = int(group.max()) + 1
        more = _more_groups(tested, count, risk, delta)
        sheets = None if more is None else math.ceil(more * right.size / count)
        return Certificate(risk, delta, None, 0.0, tuple(tested), more, sheets)
    loosest = passed[-1].threshold
    chosen = answered(confidence, loosest) & known
    sizes = np.unique(group[chosen], return_counts=True)[1]
    return Certificate(
        risk,
        delta,
        loosest,
        float(chosen.mean()),
        tuple(tested),
        more_groups=0,
        sheet_risk=float((~right[chosen]).mean()),
        answered_a_group=(int(sizes.min()), int(sizes.max())),
    )


def upper_bound(wrong: int, count: int, delta: float) -> float:
    """Clopper-Pearson's one-sided upper bound of a share, at level 1 - delta; 1 for no sheets.

    >>> round(upper_bound(0, 299, 0.05), 4)
    0.01
    """
    return _bound(wrong, count, delta)


def _bound(wrong: float | int, count: int, delta: float) -> float:
    """`upper_bound`, also between whole numbers of errors."""
    return 1.0 if wrong >= count else float(beta.ppf(1 - delta, wrong + 1, count - wrong))


def answers_needed(risk: float, delta: float, *, wrong: int = 0) -> int:
    """The smallest number of answers that prove the risk with a number of wrong ones among them.

    >>> answers_needed(0.01, 0.05)
    299
    """
    low, high = wrong, wrong + 1
    while upper_bound(wrong, high, delta) > risk:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(wrong, middle, delta) <= risk else (middle, high)
    return high


def groups_needed(answered: float, wrong: float, *, risk: float, delta: float) -> int | None:
    """How many groups of a new sample certify a threshold with a chance of CHANCE.

        K ~ Binomial(N, answered), W ~ Binomial(K, wrong); certified where W <= most(K)

    with most(K) the largest number of wrong answers whose bound is at most the risk. It counts this
    threshold alone: that stricter ones, which are tested before it, pass too is taken for granted.

    answered  share of groups with an answered sheet
    wrong     share of the answers that are wrong, of one answered sheet a group
    returns   the fewest by bisection; None = no number up to MOST_GROUPS

    >>> groups_needed(1.0, 0.0, risk=0.05, delta=0.1), groups_needed(1.0, 0.05, risk=0.05, delta=0.1)
    (45, None)
    """
    if not answered > 0 or not wrong < risk:
        return None
    low, high = 0, 1
    while certified_chance(high, answered, wrong, risk=risk, delta=delta) < CHANCE:
        if high >= MOST_GROUPS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = certified_chance(middle, answered, wrong, risk=risk, delta=delta) >= CHANCE
        low, high = (low, middle) if enough else (middle, high)
    return high


def certified_chance(groups: int, answered: float, wrong: float, *, risk: float, delta: float) -> float:
    """The probability that so many groups certify a threshold; see `groups_needed`."""
    counts = np.arange(groups + 1)
    weight = binom.pmf(counts, groups, answered)
    counts, weight = counts[weight > _RARE], weight[weight > _RARE]
    fails = binom.ppf(delta, counts, risk)  # the fewest wrong answers with P(W <= w) >= delta at the risk
    most = np.where(binom.cdf(fails, counts, risk) <= delta, fails, fails - 1)
    return float((weight * binom.cdf(most, counts, wrong)).sum())


def _count(
    right: Bool[np.ndarray, " n"],
    chosen: Bool[np.ndarray, " n"],
    group: Int[np.ndarray, " n"],
    draw: Float[np.ndarray, " n"],
) -> tuple[int, int]:
    """Number of groups with an answered sheet, and of wrong ones among their drawn sheets."""
    rows = np.flatnonzero(chosen)
    rows = rows[np.lexsort((draw[rows], group[rows]))]
    first = rows[np.unique(group[rows], return_index=True)[1]]
    return first.size, int((~right[first]).sum())


def _more_groups(tested: Sequence[TestedThreshold], groups: int, risk: float, delta: float) -> int | None:
    """How many more groups the threshold that needs fewest would take, at its rates of errors and answers.

    groups   of all calibration sheets, answered or not
    returns  None where nothing is answered, or the error rate reaches the risk or is too near to it
    """
    needed = []
    for step in tested:
        answers = _answers_needed(step, risk, delta)
        if answers is not None:
            needed.append(math.ceil((answers - step.answered) * groups / step.answered))
    return min(needed, default=None)


def _answers_needed(step: TestedThreshold, risk: float, delta: float) -> int | None:
    """How many answered groups would prove the risk at this error rate; None = no number would."""
    if not step.answered or step.wrong / step.answered >= risk:
        return None
    return _answers_at(step.wrong / step.answered, risk, delta, low=step.answered)


def _answers_at(share: float, risk: float, delta: float, *, low: int) -> int | None:
    """How many answers prove the risk at a share of wrong ones, more than `low`; None = no number would."""
    high = 2 * low or 1
    while _bound(share * high, high, delta) > risk:
        if high > MOST_ANSWERS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _bound(share * middle, middle, delta) <= risk else (middle, high)
    return high
