"""Does a property of sheets go with a class's margin among sheets that are truly alike?

Pairs are formed within a true class alone, so what a property has to do with the class itself cannot show.
Sheets of one group are one unit: pairs within a group are left out of the effect, and a permutation moves a
group's sheets of one class together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.stats import mannwhitneyu, norm, rankdata

from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.types import Interval, Labels

__all__ = ["PERMUTATIONS", "ClassAssociation", "differs_within", "permutation_p", "somers_d", "with_class"]

PERMUTATIONS = 9_999  # the smallest p is 1e-4: small enough for one finding among 500 candidates
CHUNK = 2**22  # numbers a batch of permutations may take
ALL_AGREE = 1 - 1e-12

Values = Float[np.ndarray, "n k"]
Margins = Float[np.ndarray, "n c"]
Groups = Int[np.ndarray, " n"]


@dataclass(frozen=True)
class ClassAssociation:
    """Whether a property is more frequent, or larger, on the sheets of one class than on the others."""

    delta: float  # Cliff's: P(more on the class) - P(less)
    p_value: float  # Mann-Whitney, two-sided, groups as units; 1 where it cannot be asked


def differs_within(value: Float[np.ndarray, " n"], strata: Labels) -> bool:
    """Whether any two units of one stratum differ in a property, so that it can be compared at all."""
    return any(np.ptp(value[strata == each]) > 0 for each in np.unique(strata))


def somers_d(values: Values, margins: Margins, strata: Labels, groups: Groups) -> list[list[Interval]]:
    """Somers' D of every margin given every property, pairs within a stratum and across groups only.

    Of two sheets of one class that differ in the property, the one with more of it has the larger margin in
    (1 + D) / 2 of the pairs; for a property that is there or not, D is Cliff's delta.

    returns  one list a property, in it one interval a margin; NaN where no pair differs in the property
    source   Newson 2006, Stata Journal 6(3): jackknife over groups, bounds by Fisher's z. Where all pairs
             agree the jackknife sees no spread: Wilson's bound over the units of the rarer side
    """
    units = int(groups.max()) + 1 if groups.size else 0
    agree = np.zeros((values.shape[1], margins.shape[1], units))
    differ = np.zeros((values.shape[1], units))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        apart = groups[rows, None] != groups[None, rows]
        order = [np.sign(m[:, None] - m[None]).astype(np.float32) * apart for m in margins[rows].T]
        for number, value in enumerate(values[rows].T):
            sign = np.sign(value[:, None] - value[None]).astype(np.float32)
            np.add.at(differ[number], groups[rows], (np.abs(sign) * apart).sum(1))
            for column, pairs in enumerate(order):
                np.add.at(agree[number, column], groups[rows], np.einsum("ij,ij->i", sign, pairs))
    rarer = [_rarer_units(value, strata, groups) for value in values.T]
    return [
        [_interval(agree[number, column], differ[number], rarer[number]) for column in range(len(margins.T))]
        for number in range(len(values.T))
    ]


def permutation_p(
    values: Values,
    margins: Margins,
    strata: Labels,
    groups: Groups,
    *,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> Float[np.ndarray, "k c"]:
    """Two-sided p of every property with every margin, stratified: van Elteren's test, for any property.

    Ranks within a stratum over its size + 1, means over a group's sheets of a stratum; T = sum of products.
    Margins are permuted within strata. A property that is there or not gives van Elteren's statistic.
    returns  1 where a property is the same on all sheets of every stratum
    source   van Elteren 1960; Monte Carlo p as in Phipson and Smyth 2010, never 0
    """
    cells = np.unique(np.stack([strata, groups], axis=1), axis=0, return_inverse=True)
    stratum, cell = cells[0][:, 0], cells[1].reshape(-1)
    x, y = (_cell_ranks(each, strata, cell, stratum) for each in (values, margins))
    observed = np.abs(x.T @ y)  # (k, c)
    bound = observed * (1 - 1e-5)  # sums of the same numbers in another order are ties
    beyond = np.zeros(observed.shape)
    batch = max(1, CHUNK // max(y.size, 1))
    for start in range(0, permutations, batch):
        count = min(batch, permutations - start)
        shuffled = y[_shuffles(stratum, count, rng)]  # (count, cells, c)
        beyond += (np.abs(np.einsum("ik,bic->bkc", x, shuffled, optimize=True)) >= bound).sum(0)
    p: Float[np.ndarray, "k c"] = (1 + beyond) / (1 + permutations)
    return np.where(np.abs(x).max(0)[:, None] > 0, p, 1.0)


def with_class(value: Float[np.ndarray, " n"], inside: np.ndarray, groups: Groups) -> ClassAssociation:
    """How a property goes with belonging to a class; units are a group's sheets inside it, and outside."""
    cells = np.unique(np.stack([inside.astype(np.int64), groups], axis=1), axis=0, return_inverse=True)
    cell, member = cells[1].reshape(-1), cells[0][:, 0] == 1
    means = np.bincount(cell, value) / np.bincount(cell)
    if member.all() or not member.any() or np.ptp(means) == 0:
        return ClassAssociation(0.0 if np.ptp(means) == 0 else float("nan"), 1.0)
    found = mannwhitneyu(means[member], means[~member], method="asymptotic")
    delta = 2 * float(found.statistic) / (member.sum() * (~member).sum()) - 1
    return ClassAssociation(delta, float(found.pvalue))


def _rarer_units(value: Float[np.ndarray, " n"], strata: Labels, groups: Groups) -> int:
    """Groups on the rarer side of the property, above its commonest value or not, over all strata."""
    found = 0
    for stratum in np.unique(strata):
        rows = strata == stratum
        levels, counts = np.unique(value[rows], return_counts=True)
        other = value[rows] != levels[counts.argmax()]
        sides = [np.unique(groups[rows][side]).size for side in (other, ~other)]
        found += min(sides) if min(sides) else 0
    return max(found, 1)


def _interval(agree: Float[np.ndarray, " u"], differ: Float[np.ndarray, " u"], rarer: int) -> Interval:
    total, pairs = float(agree.sum()), float(differ.sum())
    if pairs == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    estimate = total / pairs
    if abs(estimate) >= ALL_AGREE:
        bound = 2 * wilson(rarer, rarer).low - 1
        return Interval(estimate, *((bound, 1.0) if estimate > 0 else (-1.0, -bound)))
    involved = differ > 0
    left = pairs - 2 * differ[involved]
    if (left <= 0).any():
        return Interval(estimate, -1.0, 1.0)
    without = (total - 2 * agree[involved]) / left
    count = without.size
    error = np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum())
    half = norm.ppf(0.975) * error / (1 - estimate**2)
    low, high = np.tanh(np.arctanh(estimate) + np.array([-half, half]))
    return Interval(estimate, float(low), float(high))


def _cell_ranks(
    columns: Float[np.ndarray, "n m"], strata: Labels, cell: Groups, stratum: Int[np.ndarray, " u"]
) -> Float32[np.ndarray, "u m"]:
    """Mean rank of each cell within its stratum, centred there."""
    ranks = np.empty(columns.shape)
    for each in np.unique(strata):
        rows = strata == each
        ranks[rows] = rankdata(columns[rows], axis=0) / (rows.sum() + 1)
    means = np.stack([np.bincount(cell, rank) for rank in ranks.T], axis=1) / np.bincount(cell)[:, None]
    for each in np.unique(stratum):
        rows = stratum == each
        means[rows] -= means[rows].mean(0)
    return np.where(np.abs(means) < 1e-9, 0, means).astype(np.float32)


def _shuffles(stratum: Int[np.ndarray, " u"], count: int, rng: np.random.Generator) -> Int[np.ndarray, "b u"]:
    """Permutations of cells that keep every cell in its stratum."""
    order = np.tile(np.arange(stratum.size), (count, 1))
    for each in np.unique(stratum):
        rows = np.flatnonzero(stratum == each)
        order[:, rows] = rng.permuted(order[:, rows], axis=1)
    return order
