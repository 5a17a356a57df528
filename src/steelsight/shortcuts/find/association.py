"""Association of a sheet property with a class's margin, among sheets of one true class.

Pairs are formed within true classes only, so an association of the property with the class itself does not
count. Sheets of one group are one unit: pairs within a group are left out of the effect, and a permutation
moves a group's sheets of one class together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.stats import mannwhitneyu, norm, rankdata

from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.types import Interval, Labels

__all__ = ["PERMUTATIONS", "ClassAssociation", "differs_within", "permutation_p", "somers_d", "with_class"]

PERMUTATIONS = 9_999  # the smallest p is 1e-4, which allows one finding among 500 candidates
CHUNK = 2**22  # largest number of values in a batch of permutations
ALL_AGREE = 1 - 1e-12

Values = Float[np.ndarray, "n k"]
Margins = Float[np.ndarray, "n c"]
Groups = Int[np.ndarray, " n"]


@dataclass(frozen=True)
class ClassAssociation:
    """Association of a property with membership of one class."""

    delta: float  # Cliff's: P(more on the class) - P(less); NaN where a side has no sheets
    p_value: float  # Mann-Whitney, two-sided, groups as units; 1 where a side has no sheets


def differs_within(value: Float[np.ndarray, " n"], strata: Labels) -> bool:
    """Whether a property varies within any stratum, so that it can be compared.

    value, strata  (n,)
    """
    return any(np.ptp(value[strata == stratum]) > 0 for stratum in np.unique(strata))


def somers_d(values: Values, margins: Margins, strata: Labels, groups: Groups) -> list[list[Interval]]:
    """Compute Somers' D of every margin given every property, over pairs within a stratum and across groups.

    Of two sheets of one class that differ in the property, the one with more of it has the larger margin in
    (1 + D) / 2 of the pairs; for a binary property, D is Cliff's delta.

    values   (n, k); margins (n, c); strata, groups (n,)
    returns  k lists of c intervals, -1..1; NaN where no pair differs in the property
    source   Newson 2006, Stata Journal 6(3): jackknife over groups, bounds by Fisher's z. Where all pairs
             agree the jackknife has no spread: Wilson's bound over the units of the rarer side
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
    """Compute stratified permutation p-values: van Elteren's test, generalised to numeric properties.

    Two-sided. Ranks within a stratum are divided by its size + 1 and averaged over a group's sheets of the
    stratum; T = sum of products. Margins are permuted within strata. A binary property gives van Elteren's
    statistic.
    values   (n, k); margins (n, c); strata, groups (n,)
    returns  (k, c); 1 where a property is the same on all sheets of every stratum
    source   van Elteren 1960; Monte Carlo p as in Phipson and Smyth 2010, never 0
    """
    cells = np.unique(np.stack([strata, groups], axis=1), axis=0, return_inverse=True)
    stratum, cell = cells[0][:, 0], cells[1].reshape(-1)
    x, y = (_cell_ranks(columns, strata, cell, stratum) for columns in (values, margins))
    observed = np.abs(x.T @ y)  # (k, c)
    bound = observed * (1 - 1e-5)  # tolerance for sums of the same numbers in another order
    beyond = np.zeros(observed.shape)
    batch = max(1, CHUNK // max(y.size, 1))
    for start in range(0, permutations, batch):
        count = min(batch, permutations - start)
        shuffled = y[_shuffles(stratum, count, rng)]  # (count, cells, c)
        beyond += (np.abs(np.einsum("ik,bic->bkc", x, shuffled, optimize=True)) >= bound).sum(0)
    p: Float[np.ndarray, "k c"] = (1 + beyond) / (1 + permutations)
    return np.where(np.abs(x).max(0)[:, None] > 0, p, 1.0)


def with_class(value: Float[np.ndarray, " n"], inside: np.ndarray, groups: Groups) -> ClassAssociation:
    """Measure the association of a property with a class; units are a group's sheets inside and outside it.

    value   (n,) the property; inside (n,) membership of the class; groups (n,)
    source  Mann and Whitney 1947; Cliff 1993
    """
    cells = np.unique(np.stack([inside.astype(np.int64), groups], axis=1), axis=0, return_inverse=True)
    cell, member = cells[1].reshape(-1), cells[0][:, 0] == 1
    means = np.bincount(cell, value) / np.bincount(cell)
    if member.all() or not member.any() or np.ptp(means) == 0:
        return ClassAssociation(0.0 if np.ptp(means) == 0 else float("nan"), 1.0)
    test = mannwhitneyu(means[member], means[~member], method="asymptotic")
    delta = 2 * float(test.statistic) / (member.sum() * (~member).sum()) - 1
    return ClassAssociation(delta, float(test.pvalue))


def _rarer_units(value: Float[np.ndarray, " n"], strata: Labels, groups: Groups) -> int:
    """Groups on the rarer side of the property, equal to its commonest value or not, summed over strata."""
    total = 0
    for stratum in np.unique(strata):
        rows = strata == stratum
        levels, counts = np.unique(value[rows], return_counts=True)
        other = value[rows] != levels[counts.argmax()]
        sides = [np.unique(groups[rows][side]).size for side in (other, ~other)]
        total += min(sides)
    return max(total, 1)


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
    for label in np.unique(strata):
        rows = strata == label
        ranks[rows] = rankdata(columns[rows], axis=0) / (rows.sum() + 1)
    means = np.stack([np.bincount(cell, rank) for rank in ranks.T], axis=1) / np.bincount(cell)[:, None]
    for label in np.unique(stratum):
        rows = stratum == label
        means[rows] -= means[rows].mean(0)
    return np.where(np.abs(means) < 1e-9, 0, means).astype(np.float32)


def _shuffles(stratum: Int[np.ndarray, " u"], count: int, rng: np.random.Generator) -> Int[np.ndarray, "b u"]:
    """Permutations of cells that keep every cell in its stratum."""
    order = np.tile(np.arange(stratum.size), (count, 1))
    for label in np.unique(stratum):
        rows = np.flatnonzero(stratum == label)
        order[:, rows] = rng.permuted(order[:, rows], axis=1)
    return order
