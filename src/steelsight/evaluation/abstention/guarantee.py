"""A threshold with a guarantee: with probability 1 - δ the risk of what is answered is at most r.

Learn then Test, as a fixed sequence: thresholds are set beforehand and tested from the strictest on, each
against "the risk is above r" by the exact binomial, and the first that fails ends it; so no correction for
many tests is due. Where too few sheets are answered for any proof the answer is that none can be certified,
with the number of further sheets it would take.

The unit is a group: sheets of one coil or tile err together, and counting them one by one would promise too
much. A group counts once, by one of its answered sheets drawn before anything is tested; that is an unbiased
draw of the risk of a group's sheet, and groups are independent.
source  Angelopoulos, Bates, Candès, Jordan and Lei 2021; Clopper and Pearson 1934
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import beta

from steelsight.errors import BadInput
from steelsight.evaluation.bootstrap import Groups, group_index
from steelsight.evaluation.probabilities import check_scores

__all__ = ["THRESHOLDS", "Certificate", "TestedThreshold", "certify", "sheets_needed", "upper_bound"]

# Set before any sheet is looked at: the study's 0 to .99, finer where confidences crowd.
THRESHOLDS = (*(i / 20 for i in range(20)), 0.96, 0.97, 0.98, 0.99, 0.995, 0.999, 0.9995, 0.9999)


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
    """The loosest threshold that passed, or none."""

    risk: float
    delta: float
    threshold: float | None
    coverage: float  # share of the sheets answered at it; 0 without one
    tested: tuple[TestedThreshold, ...]
    more_groups: int  # about so many more are needed for a proof, where none could be given; else 0

    @property
    def statement(self) -> str:
        """In words a person can act on."""
        sure = f"{100 * (1 - self.delta):g} %"
        if self.threshold is None:
            return (
                f"no threshold can be certified for a risk of {self.risk:g} at {sure}; "
                f"about {self.more_groups} more groups of sheets are needed"
            )
        return (
            f"with {sure} confidence at most {self.risk:g} of the answers are wrong at threshold "
            f"{self.threshold:g}, where {100 * self.coverage:.1f} % of the sheets are answered"
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
) -> Certificate:
    """Test thresholds from the strictest on; see the module's head.

    right       (n,) whether each calibration sheet's answer is right
    scores      (n,) confidence in [0, 1]
    thresholds  set before these sheets were looked at, each in [0, 1]
    rng         draws each group's sheet
    raises      BadInput for no sheets or thresholds, or numbers outside their range
    """
    check_scores(scores, right.size)
    if not right.size:
        raise BadInput("calibration: expected at least one sheet, got none")
    if not 0 < risk < 1 or not 0 < delta < 1:
        raise BadInput(f"guarantee: expected risk and delta above 0 and below 1, got {risk} and {delta}")
    ordered = sorted(set(thresholds), reverse=True)
    if not ordered or ordered[0] > 1 or ordered[-1] < 0:
        raise BadInput(f"guarantee thresholds: expected some, each from 0 to 1, got {list(thresholds)}")
    group = group_index(groups, right.size)
    luck = rng.random(right.size)
    tested: list[TestedThreshold] = []
    for threshold in ordered:
        answered, wrong = _count(right, scores >= threshold, group, luck)
        bound = upper_bound(wrong, answered, delta)
        tested.append(TestedThreshold(threshold, answered, wrong, bound, bound <= risk))
        # Too few answers to prove anything is no failed test: at this strictness even no error at all could
        # not pass, whatever the errors are, so it is skipped by a rule that looks at counts alone.
        if not tested[-1].passed and answered >= sheets_needed(risk, delta):
            break
    passed = [step for step in tested if step.passed]
    if not passed:
        return Certificate(risk, delta, None, 0.0, tuple(tested), _missing(tested, risk, delta))
    loosest = passed[-1].threshold
    return Certificate(risk, delta, loosest, float((scores >= loosest).mean()), tuple(tested), 0)


def upper_bound(wrong: int, count: int, delta: float) -> float:
    """Clopper-Pearson's one-sided upper bound of a share, at level 1 - delta; 1 for no sheets.

    >>> round(upper_bound(0, 299, 0.05), 4)
    0.01
    """
    return 1.0 if wrong >= count else float(beta.ppf(1 - delta, wrong + 1, count - wrong))


def sheets_needed(risk: float, delta: float, *, wrong: int = 0) -> int:
    """The smallest number of answers with which so many wrong ones still prove the risk.

    >>> sheets_needed(0.01, 0.05)
    299
    """
    low, high = wrong, wrong + 1
    while upper_bound(wrong, high, delta) > risk:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(wrong, middle, delta) <= risk else (middle, high)
    return high


def _count(
    right: Bool[np.ndarray, " n"],
    told: Bool[np.ndarray, " n"],
    group: Int[np.ndarray, " n"],
    luck: Float[np.ndarray, " n"],
) -> tuple[int, int]:
    """Groups with an answer, and how many of their drawn answers are wrong."""
    rows = np.flatnonzero(told)
    rows = rows[np.lexsort((luck[rows], group[rows]))]
    first = rows[np.unique(group[rows], return_index=True)[1]]
    return first.size, int((~right[first]).sum())


def _missing(tested: Sequence[TestedThreshold], risk: float, delta: float) -> int:
    """How many more groups at the errors seen, at the threshold that needs fewest."""
    needed = []
    for step in tested:
        if step.answered and step.wrong / step.answered < risk:
            total = step.answered
            while (
                upper_bound(round(step.wrong * total / step.answered), total, delta) > risk and total < 10**7
            ):
                total = int(total * 1.1) + 1
            needed.append(total - step.answered)
    return min(needed, default=sheets_needed(risk, delta))
