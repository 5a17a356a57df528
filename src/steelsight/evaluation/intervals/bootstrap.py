"""Intervals by resampling whole groups, because sheets of one tile or coil are not independent.

A resample on which a metric is undefined (it has no sheet of some class) is left out of the interval and
counted, never replaced. Too few defined resamples, or a single group, give no bounds instead of narrow ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import read_weights
from steelsight.types import Interval

__all__ = [
    "NO_SPREAD",
    "CountMetric",
    "Groups",
    "PairedDifference",
    "Resampling",
    "bootstrap",
    "bootstrap_counts",
    "draw_weights",
    "group_index",
    "interval_of",
    "paired_bootstrap",
    "share_interval",
    "wilson",
]

Groups = Sequence[str] | Int[np.ndarray, "n"]
IndexMetric = Callable[[Int[np.ndarray, "m"]], float]
CountMetric = Callable[[Float[np.ndarray, "b n"]], Float[np.ndarray, "b"]]

NO_SPREAD = 1e-9  # rounding leaves differences of about 1e-16 between equal numbers
CHUNK = 2**21  # weights computed at a time: 16 MB
FEWEST_DEFINED = 0.5  # share of resamples that must define a metric before bounds are given


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn: whole groups of sheets, with replacement."""

    rng: np.random.Generator
    groups: Groups | None = None  # one name a sheet; None = every sheet its own
    resamples: int = 200


def group_index(groups: Groups | None, rows: int) -> Int[np.ndarray, " n"]:
    """Number the groups from 0; None and the empty name put a sheet in a group of its own.

    >>> group_index(["a", "", "a", ""], 4).tolist()
    [0, 1, 0, 2]
    """
    if groups is None:
        return np.arange(rows)
    if len(groups) != rows:
        raise BadInput(f"groups: expected {rows}, one a sheet, got {len(groups)}")
    numbers: dict[object, int] = {}
    named = groups.tolist() if isinstance(groups, np.ndarray) else groups
    keys = [name if name != "" else ("own", row) for row, name in enumerate(named)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def draw_weights(
    group: Int[np.ndarray, " n"], rng: np.random.Generator, resamples: int
) -> Iterator[Float[np.ndarray, "b n"]]:
    """Draw as many groups as there are, with replacement, `resamples` times.

    group   (n,) group numbers 0..g-1
    yields  (b, n) how often each sheet was drawn, in b of the resamples at a time
    raises  BadInput for fewer than one resample
    """
    if resamples < 1:
        raise BadInput(f"resamples: expected at least 1, got {resamples}")
    count = int(group.max()) + 1
    batch = max(1, CHUNK // max(group.size, count))
    for start in range(0, resamples, batch):
        rows = min(batch, resamples - start)
        drawn = rng.integers(0, count, size=(rows, count)) + count * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        yield times[:, group].astype(np.float64)


def interval_of(
    estimate: float, draws: Float[np.ndarray, " b"], *, level: float = 0.95
) -> tuple[Interval, int]:
    """The percentile interval of bootstrap draws, and how many draws were undefined (NaN).

    Bounds are NaN when the estimate is, or when under half of the draws are defined.

    >>> interval_of(0.5, np.array([0.4, 0.5, 0.6, np.nan]))[1]
    1
    """
    if not 0 < level < 1:
        raise BadInput(f"level: expected a share between 0 and 1, got {level}")
    defined = draws[~np.isnan(draws)]
    undefined = draws.size - defined.size
    if np.isnan(estimate) or defined.size == 0 or defined.size < FEWEST_DEFINED * draws.size:
        return Interval(estimate, float("nan"), float("nan"), level), undefined
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), level), undefined


def bootstrap(
    metric: IndexMetric,
    n: int,
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """The interval of any metric, which is called once for each resample with the rows drawn.

    metric   rows (m,) -> number; NaN where the rows cannot define it
    groups   one name a sheet; None = every sheet its own
    returns  estimate on all rows, percentile bounds; NaN bounds for a single group

    >>> right = np.array([1.0] * 90 + [0.0] * 10)
    >>> interval = bootstrap(lambda rows: right[rows].mean(), 100, rng=np.random.default_rng(0))
    >>> interval.estimate, 0.80 < interval.low < 0.87 < 0.93 < interval.high < 0.98
    (0.9, True)
    """
    group = group_index(groups, n)
    estimate = float(metric(np.arange(n)))
    if n == 0 or group.max() == 0:
        return Interval(estimate, float("nan"), float("nan"), level)
    draws = [
        float(metric(np.repeat(np.arange(n), row.astype(np.int64))))
        for weights in draw_weights(group, rng, resamples)
        for row in weights
    ]
    return interval_of(estimate, np.array(draws), level=level)[0]


def bootstrap_counts(
    metric: CountMetric,
    n: int,
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
) -> Interval:
    """As `bootstrap`, on the same draws, for a metric that takes how often each sheet was drawn.

    metric  counts (b, n) of many resamples at once -> (b,)

    >>> right = np.array([1.0] * 90 + [0.0] * 10)
    >>> interval = bootstrap_counts(lambda times: times @ right / 100, 100, rng=np.random.default_rng(0))
    >>> interval == bootstrap(lambda rows: right[rows].mean(), 100, rng=np.random.default_rng(0))
    True
    """
    group = group_index(groups, n)
    estimate = float(metric(np.ones((1, n)))[0])
    if n == 0 or group.max() == 0:
        return Interval(estimate, float("nan"), float("nan"))
    draws = [metric(times) for times in draw_weights(group, rng, resamples)]
    return interval_of(estimate, np.concatenate(draws))[0]


@dataclass(frozen=True)
class PairedDifference:
    """A first metric minus a second, on the same resamples."""

    difference: Interval
    share_above: float  # of defined resamples with first > second, ties counting half
    undefined: int  # resamples without a difference


def paired_bootstrap(
    first: IndexMetric,
    second: IndexMetric,
    n: int,
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    level: float = 0.95,
) -> PairedDifference:
    """The interval of the difference of two metrics, both computed on the same resamples.

    first, second  rows (m,) -> number; NaN where undefined
    groups         one name a sheet; None = every sheet its own
    """
    group = group_index(groups, n)
    rows = np.arange(n)
    estimate = float(first(rows)) - float(second(rows))
    differences = np.full(resamples, np.nan)
    if n and group.max() > 0:
        drawn = (row for weights in draw_weights(group, rng, resamples) for row in weights)
        for number, times in enumerate(drawn):
            sample = np.repeat(rows, times.astype(np.int64))
            differences[number] = float(first(sample)) - float(second(sample))
    interval, undefined = interval_of(estimate, differences, level=level)
    defined = differences[~np.isnan(differences)]
    above = float(((defined > 0) + 0.5 * (defined == 0)).mean()) if defined.size else float("nan")
    return PairedDifference(interval, above, undefined)


def share_interval(
    hit: Bool[np.ndarray, " n"],
    among: Bool[np.ndarray, " n"],
    groups: Groups | None = None,
    *,
    rng: np.random.Generator,
    resamples: int = 1000,
    weights: Float[np.ndarray, " w"] | None = None,
) -> Interval:
    """The share of hits among some of the sheets, by bootstrap over groups.

    Where all of these sheets agree, or all groups have the same share, resampling has no spread; then it is
    Wilson's interval, which counts groups, because groups are independent.

    hit      (n,) whether a sheet counts as a hit
    among    (n,) the sheets counted
    weights  (n,) >= 0 of the sheets, e.g. to weigh classes by a mill's own shares; None = equal
    returns  NaN where `among` is empty or has weight 0
    """
    weight = read_weights(weights, among.size)
    counted = among & (weight > 0)
    count, hits = int(counted.sum()), int((hit & counted).sum())
    if hits in (0, count):
        units = np.unique(group_index(groups, among.size)[counted]).size
        return wilson(units if hits else 0, units)

    def share(rows: Int[np.ndarray, " r"]) -> float:
        total = (weight[rows] * counted[rows]).sum()
        return float((weight[rows] * (hit & counted)[rows]).sum() / total) if total > 0 else float("nan")

    def shares(times: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        totals = times @ counted.astype(np.float64)
        among_them = times @ (hit & counted).astype(np.float64)
        undefined: Float[np.ndarray, " b"] = np.full(totals.shape, np.nan)
        np.divide(among_them, totals, out=undefined, where=totals > 0)
        return undefined

    if weights is None:  # sums of whole numbers are exact in any order: the same shares, all at once
        interval = bootstrap_counts(shares, among.size, groups, rng=rng, resamples=resamples)
    else:
        interval = bootstrap(share, among.size, groups, rng=rng, resamples=resamples)
    if interval.high - interval.low > NO_SPREAD or np.isnan(interval.low):
        return interval
    units = np.unique(group_index(groups, among.size)[counted]).size
    return wilson(interval.estimate * units, units, level=interval.level)


def wilson(right: int | float, count: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share; it has width also where all sheets agree.

    right   of `count`; a fraction for a share that no whole number gives
    source  Wilson 1927

    >>> wilson(5, 5).low.__round__(3), wilson(5, 5).high
    (0.566, 1.0)
    """
    if count <= 0:
        return Interval(float("nan"), float("nan"), float("nan"), level)
    share, z = right / count, NormalDist().inv_cdf((1 + level) / 2)
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return Interval(share, min(share, low), max(share, high), level)  # rounding must not exclude the share
