"""The threshold that costs least: an escape, an overkill and a reviewer's minutes each have their price.

The reviewer is taken to be always right. A defective sheet that is stopped costs nothing here: it would under
every policy. The threshold is read off the sheets it is judged on, so its cost flatters a little; the share
saved on new sheets is to be measured on others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import Groups, draw_weights, group_index, interval_of
from steelsight.evaluation.probabilities import check_scores
from steelsight.types import Interval

__all__ = ["CostChoice", "Prices", "cheapest_threshold"]

Flags = Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Prices:
    """What one sheet costs when it goes wrong, in one currency; >= 0."""

    escape: float  # a defective sheet passes
    overkill: float  # a good sheet is stopped
    review: float  # a person looks: minutes times the price of a minute

    def __post_init__(self) -> None:
        """Refuse negative, infinite and NaN prices."""
        for name, price in vars(self).items():
            if not 0 <= price < np.inf:
                raise BadInput(f"price of {name}: expected a number of at least 0, got {price}")


@dataclass(frozen=True)
class CostChoice:
    """The cheapest threshold; a sheet whose confidence is below it goes to review."""

    threshold: float  # 0 = review nothing, infinite = review everything
    cost_a_sheet: Interval  # each resample choosing anew
    coverage: float  # share of the line's sheets that are not reviewed
    cost_without_review: float  # a sheet
    cost_all_review: float


class _ThresholdCosts(NamedTuple):
    """Sheets in ascending order of confidence, and for each threshold how many stand below it."""

    order: Int[np.ndarray, " n"]
    thresholds: Float[np.ndarray, " t"]
    below: Int[np.ndarray, " t"]


def cheapest_threshold(
    labels_defective: Flags,
    verdict_defective: Bool[np.ndarray, " m"],
    confidence: Float[np.ndarray, " k"],
    prices: Prices,
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    prevalence: float | None = None,
    resamples: int = 500,
) -> CostChoice:
    """Try 0, every confidence seen, and infinity; of equally cheap thresholds the lowest, with least review.

        cost(t) = sum_i w_i [review if confidence_i < t, else escape or overkill where the verdict is wrong]

    confidence  (n,) higher = surer, at least 0 where threshold 0 is to mean "review nothing"
    prevalence  share of defective sheets on the line, in (0, 1), to which the weights w are shifted;
                None = that of these sheets
    returns     percentile interval of the least cost; without bounds for one group, and where every resample
                costs the same though sheets are answered: to have seen no error is no proof of none
    raises      BadInput unless there are good and defective sheets; NaN; a prevalence outside (0, 1)
    source      Chow 1970, for the trade; Saerens, Latinne and Decaestecker 2002, for the shift

    >>> found = cheapest_threshold(
    ...     np.array([True, True, False, False]), np.array([True, False, False, False]),
    ...     np.array([0.9, 0.6, 0.8, 0.9]), Prices(100.0, 10.0, 1.0), rng=np.random.default_rng(0))
    >>> found.threshold, found.cost_a_sheet.estimate, found.coverage, found.cost_without_review
    (0.8, 0.25, 0.75, 25.0)
    """
    _check(labels_defective, verdict_defective, confidence, prevalence)
    price = np.where(labels_defective, prices.escape, prices.overkill)
    errors = np.where(labels_defective != verdict_defective, price, 0.0)
    ladder = _ladder(confidence)
    ones = np.ones((1, confidence.size))
    weights = _shift(ones, labels_defective, prevalence)
    costs = _costs(ladder, errors, prices.review, weights)[0]
    best = int(np.argmax(costs <= costs.min() + 1e-12 * costs.max()))  # rounding must not break a tie
    group = group_index(groups, confidence.size)
    draws = np.full(resamples, np.nan)
    if group.max() > 0:
        drawn = draw_weights(group, rng, resamples)
        shifted = (_shift(times, labels_defective, prevalence) for times in drawn)
        draws = np.concatenate([_costs(ladder, errors, prices.review, w).min(axis=1) for w in shifted])
    threshold = float(ladder.thresholds[best])
    interval = interval_of(float(costs[best]), draws)[0]
    if interval.high - interval.low <= 1e-12 * interval.high and np.isfinite(threshold):
        interval = Interval(interval.estimate, float("nan"), float("nan"), interval.level)
    return CostChoice(
        threshold,
        interval,
        _share(weights[0], confidence >= threshold),
        float(weights[0] @ errors),
        prices.review,
    )


def _ladder(confidence: Float[np.ndarray, " n"]) -> _ThresholdCosts:
    order = np.argsort(confidence, kind="stable")
    thresholds = np.append(np.union1d([0.0], confidence.astype(np.float64)), np.inf)
    return _ThresholdCosts(order, thresholds, np.searchsorted(confidence[order], thresholds, side="left"))


def _costs(
    ladder: _ThresholdCosts, errors: Float[np.ndarray, " n"], review: float, weights: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, "b t"]:
    """Cost a sheet of every threshold under each row of weights that sum to one; NaN where they are."""
    extra = (weights * (review - errors))[:, ladder.order]
    steps = np.concatenate([np.zeros((len(weights), 1)), extra.cumsum(axis=1)], axis=1)
    costs: Float[np.ndarray, "b t"] = (weights @ errors)[:, None] + steps[:, ladder.below]
    return costs


def _shift(
    times: Float[np.ndarray, "b n"], defective: Flags, prevalence: float | None
) -> Float[np.ndarray, "b n"]:
    """Weights that sum to one, the defective sheets' to the prevalence; NaN where a side was not drawn."""
    if prevalence is None:
        even: Float[np.ndarray, "b n"] = times / times.sum(axis=1, keepdims=True)
        return even
    found = np.full(times.shape, np.nan)
    for side, share in ((defective, prevalence), (~defective, 1 - prevalence)):
        total = (times * side).sum(axis=1, keepdims=True)
        found[:, side] = np.where(total > 0, share * times[:, side] / np.where(total > 0, total, 1), np.nan)
    return found


def _share(weights: Float[np.ndarray, " n"], told: Flags) -> float:
    """Of the weight; divided by the sum of both parts, so that all is 1 and not .9999999999999998."""
    answered, reviewed = weights[told].sum(), weights[~told].sum()
    return float(answered / (answered + reviewed))


def _check(
    defective: Flags,
    verdict: Bool[np.ndarray, " m"],
    confidence: Float[np.ndarray, " k"],
    prevalence: float | None,
) -> None:
    check_scores(confidence, defective.size)
    if verdict.size != defective.size:
        raise BadInput(f"verdicts: expected {defective.size}, one a label, got {verdict.size}")
    if not defective.any() or defective.all():
        count = int(defective.sum())
        raise BadInput(f"cost: expected good and defective sheets, got {count} defective of {defective.size}")
    if prevalence is not None and not 0 < prevalence < 1:
        raise BadInput(f"prevalence: expected above 0 and below 1, got {prevalence}")
