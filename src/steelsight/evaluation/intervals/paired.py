"""Compare two models or methods on the same sheets: McNemar's exact test, difference of two shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.stats import binomtest

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.types import Interval

__all__ = ["McNemar", "mcnemar", "paired_shares"]


@dataclass(frozen=True)
class McNemar:
    """Sheets on which one model alone is right, and the p-value of their split."""

    first_only: int
    second_only: int
    p_value: float  # two-sided; 1 where they never disagree


def mcnemar(first_right: Bool[np.ndarray, " n"], second_right: Bool[np.ndarray, " m"]) -> McNemar:
    """Exact binomial form: among the sheets where one alone is right, either is so with probability 1/2.

    Sheets are assumed to be independent; where groups of them are not, use the paired bootstrap over groups.
    raises  BadInput for different lengths
    source  McNemar 1947; exact form as in Fagerland, Lydersen and Laake 2013

    >>> mcnemar(np.array([True] * 6 + [False]), np.array([False] * 6 + [True])).p_value
    0.125
    """
    if first_right.shape != second_right.shape:
        raise BadInput(
            f"mcnemar: expected two values a sheet, got {first_right.size} and {second_right.size}"
        )
    first, second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    p_value = float(binomtest(first, first + second).pvalue) if first + second else 1.0
    return McNemar(first, second, p_value)


def paired_shares(
    first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " m"], *, level: float = 0.95
) -> Interval:
    """Share of hits of the first minus that of the second on the same sheets, by two Wilson intervals.

    Unlike a bootstrap's, it has width where the two never differ. Sheets are assumed to be independent.
    returns  NaN without sheets
    raises   BadInput for different lengths
    source   Newcombe 1998, interval estimation for the difference of paired proportions, method 10

    >>> none = np.zeros(500, dtype=bool)
    >>> round(paired_shares(none, none).high, 4)
    0.0076
    """
    if first.shape != second.shape:
        raise BadInput(f"paired shares: expected two values a sheet, got {first.size} and {second.size}")
    count = first.size
    if not count:
        return Interval(float("nan"), float("nan"), float("nan"), level)
    one, two = (wilson(int(hits.sum()), count, level=level) for hits in (first, second))
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    alone, other = int((first & ~second).sum()), int((~first & second).sum())
    totals = (both + alone) * (other + neither) * (both + other) * (alone + neither)
    cross = float(both * neither - alone * other)
    if cross > 0:  # the correction for a continuity of counts, as in the paper
        cross = max(cross - count / 2, 0.0)
    phi = cross / np.sqrt(totals) if totals else 0.0
    estimate = one.estimate - two.estimate

    def margin(down: float, up: float) -> float:
        return float(np.sqrt(max(down**2 - 2 * phi * down * up + up**2, 0.0)))

    below = margin(one.estimate - one.low, two.high - two.estimate)
    above = margin(one.high - one.estimate, two.estimate - two.low)
    return Interval(estimate, max(estimate - below, -1.0), min(estimate + above, 1.0), level)
