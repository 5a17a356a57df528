"""Test whether one group scores higher than another: the study's Mann-Whitney test with an effect size.

The hypothesis is one-sided, as in the study: H0 P(X > Y) >= P(Y > X), H1 Y tends to be larger. Mann-Whitney
keeps its level where the two distributions are equal under H0; the study's H0 allows different spreads, for
which Brunner and Munzel's test is reported too. The effect size is Cliff's delta, P(Y > X) - P(X > Y).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.stats import brunnermunzel, mannwhitneyu, permutation_test, rankdata

from steelsight.errors import BadInput
from steelsight.types import Interval

__all__ = [
    "Method",
    "TwoGroups",
    "cliffs_delta",
    "compare_groups",
    "delta_interval",
    "power_for",
    "sheets_needed",
]

Method = Literal["exact", "permutation", "normal, tie-corrected", "normal", "all tied"]
Scores = Float[np.ndarray, " n"]

EXACT_PAIRS = 100_000  # SciPy's exact distribution takes about a second there
SMALL_GROUP = 20  # below it a normal approximation is not trusted
PERMUTATIONS, AT_A_TIME = 9_999, 500
EDGE = 1e-12


@dataclass(frozen=True)
class TwoGroups:
    """The comparison of group X (without) and group Y (with)."""

    without: int  # scores in X
    with_it: int  # scores in Y
    u: float  # pairs with Y > X, ties counting half
    p_value: float  # Mann-Whitney, one-sided
    method: Method
    smallest_p: float  # possible with groups of these sizes
    brunner_munzel_p: float | None  # one-sided; None where a group has one score or the groups do not overlap
    delta: Interval  # Cliff's, of Y over X
    tied_pairs: int  # of X with Y
    needed: int | None  # a group, to find a delta this large; None where it is not above 0


def compare_groups(
    x: Scores, y: Float[np.ndarray, " m"], *, rng: np.random.Generator, level: float = 0.95
) -> TwoGroups:
    """Test whether Y tends to be larger than X.

    x, y     scores without and with the nuisance, independent of one another
    rng      draws permutations, where neither the exact nor the normal p-value is valid
    returns  a group of one gives a p no smaller than `smallest_p`, and no Brunner-Munzel; where all scores
             are equal, p is 1 and delta 0
    raises   BadInput for an empty group or a score that is not finite

    >>> x, y = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0])
    >>> test = compare_groups(x, y, rng=np.random.default_rng(0))
    >>> test.p_value, test.delta.estimate, test.method
    (0.1, 1.0, 'exact')
    """
    if not x.size or not y.size:
        raise BadInput(
            f"two groups: expected a score in each, got {x.size} without and {y.size} with; name more sheets"
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise BadInput("two groups: expected finite scores, got NaN or infinity")
    p_value, method = _mann_whitney(x, y, rng)
    delta = cliffs_delta(x, y)
    return TwoGroups(
        without=x.size,
        with_it=y.size,
        u=round((delta + 1) * x.size * y.size) / 2,
        p_value=p_value,
        method=method,
        smallest_p=1 / math.comb(x.size + y.size, x.size),
        brunner_munzel_p=_brunner_munzel(x, y),
        delta=delta_interval(delta, x.size, y.size, level=level),
        tied_pairs=_tied_pairs(x, y),
        needed=sheets_needed(delta) if delta > 0 else None,
    )


def cliffs_delta(x: Scores, y: Float[np.ndarray, " m"]) -> float:
    """P(Y > X) - P(X > Y) over all pairs, -1..1; raises BadInput for an empty group.

    >>> cliffs_delta(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.75
    """
    if not x.size or not y.size:
        raise BadInput("Cliff's delta: expected a score in each group, got none")
    ordered = np.sort(x)
    above = np.searchsorted(ordered, y, side="left").sum()
    below = (x.size - np.searchsorted(ordered, y, side="right")).sum()
    return float((above - below) / (x.size * y.size))


def delta_interval(delta: float, without: int, with_it: int, *, level: float = 0.95) -> Interval:
    """A score interval for Cliff's delta; it has width even where the groups do not overlap.

    source  Newcombe 2006, method 5 for theta = (delta + 1) / 2
    """
    theta, z = (delta + 1) / 2, NormalDist().inv_cdf((1 + level) / 2)
    extra = (without + with_it) / 2 - 1

    def beyond(candidate: float) -> float:
        variance = candidate * (1 - candidate) / (without * with_it)
        variance *= 1 + extra * ((1 - candidate) / (2 - candidate) + candidate / (1 + candidate))
        return abs(candidate - theta) - z * math.sqrt(max(variance, 0.0))

    inner = min(max(theta, EDGE), 1 - EDGE)  # at 0 and 1 themselves the variance vanishes
    low = 0.0 if theta <= 0 else float(brentq(beyond, 0.0, inner))
    high = 1.0 if theta >= 1 else float(brentq(beyond, inner, 1.0))
    return Interval(delta, min(2 * low - 1, delta), max(2 * high - 1, delta), level)


def sheets_needed(delta: float, *, alpha: float = 0.05, power: float = 0.9) -> int:
    """Sheets in each of two equal groups to find a delta with a power, one-sided.

    source  Noether 1987, eq. for the Wilcoxon two-sample test
    raises  BadInput unless delta is above 0

    >>> sheets_needed(0.33), sheets_needed(0.147)
    (53, 265)
    """
    if not delta > 0:
        raise BadInput(f"sample size: expected a delta above 0, got {delta}")
    normal = NormalDist()
    total = (normal.inv_cdf(1 - alpha) + normal.inv_cdf(power)) ** 2 / (3 * (min(delta, 1.0) / 2) ** 2)
    return max(math.ceil(total / 2), 3)  # two groups of two cannot give p < .05


def power_for(delta: float, without: int, with_it: int, *, alpha: float = 0.05) -> float:
    """The power to find a delta with groups of these sizes, one-sided; Noether's approximation."""
    normal, total = NormalDist(), without + with_it
    share = without / total
    shift = math.sqrt(12 * share * (1 - share) * total) * delta / 2
    return normal.cdf(shift - normal.inv_cdf(1 - alpha))


def _mann_whitney(x: Scores, y: Float[np.ndarray, " m"], rng: np.random.Generator) -> tuple[float, Method]:
    pooled = np.concatenate([x, y])
    distinct = np.unique(pooled).size
    if distinct == 1:
        return 1.0, "all tied"
    tied = distinct < pooled.size
    small = min(x.size, y.size) < SMALL_GROUP
    if not tied and x.size * y.size <= EXACT_PAIRS:
        return float(mannwhitneyu(x, y, alternative="less", method="exact").pvalue), "exact"
    if small:
        return _permuted(rankdata(pooled), x.size, rng), "permutation"
    p_value = float(mannwhitneyu(x, y, alternative="less", method="asymptotic").pvalue)
    return p_value, "normal, tie-corrected" if tied else "normal"


def _permuted(ranks: Scores, first: int, rng: np.random.Generator) -> float:
    """Mann-Whitney's U by permutation: ranked once, since Y's rank sum orders permutations as U does.

    A group of one has as many permutations as there are scores, and each is counted.
    """
    if first == 1:
        return float((ranks <= ranks[0]).mean())
    if first == ranks.size - 1:
        return float((ranks >= ranks[-1]).mean())
    drawn = permutation_test(
        (ranks[:first], ranks[first:]),
        lambda _x, y, axis: y.sum(axis=axis),
        alternative="greater",
        n_resamples=PERMUTATIONS,
        batch=AT_A_TIME,
        vectorized=True,
        rng=rng,
    )
    return float(drawn.pvalue)


def _brunner_munzel(x: Scores, y: Float[np.ndarray, " m"]) -> float | None:
    if min(x.size, y.size) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no overlap: no variance, hence None
        p_value = float(brunnermunzel(x, y, alternative="less").pvalue)
    return p_value if math.isfinite(p_value) else None


def _tied_pairs(x: Scores, y: Float[np.ndarray, " m"]) -> int:
    ordered = np.sort(x)
    return int((np.searchsorted(ordered, y, side="right") - np.searchsorted(ordered, y, side="left")).sum())
