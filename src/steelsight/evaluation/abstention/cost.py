"""The threshold of least cost, from the prices of an escape, an overkill and a review.

The reviewer is assumed to be always right. A defective sheet that is stopped costs nothing here, because it
would under every policy. Thresholds are on the scale of the confidences, infinite = review everything;
`thresholds.card_threshold` converts one for a card. The cost is measured on the sheets the threshold was
chosen on, which is optimistic; measure what is saved on other sheets.
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
    """Prices of one sheet, in one currency, each >= 0."""

    escape: float  # a defective sheet passes
    overkill: float  # a good sheet is stopped
    review: float  # a person decides: minutes times the price of a minute

    def __post_init__(self) -> None:
        """Refuse negative, infinite and NaN prices."""
        for name, price in vars(self).items():
            if not 0 <= price < np.inf:
                raise BadInput(f"price of {name}: expected a number of at least 0, got {price}")


@dataclass(frozen=True)
class CostChoice:
    """The threshold of least cost; a sheet with a confidence below it is reviewed."""

    threshold: float  # 0 = review nothing, infinite = review everything
    cost_a_sheet: Interval  # with bounds by choosing again in each resample
    coverage: float  # share of the line's sheets that are not reviewed
    cost_without_review: float  # a sheet
    cost_all_review: float


class _ThresholdCosts(NamedTuple):
    """Sheets in ascending order of confidence, and for each threshold how many are below it."""

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
    """Try 0, every confidence that occurs, and infinity; of equal costs the lowest threshold.

        cost(t) = sum_i w_i [review if confidence_i < t, else escape or overkill where the verdict is wrong]

    confidence  (n,) higher = surer, at least 0 where threshold 0 is to mean "review nothing"
    prevalence  share of defective sheets on the line, in (0, 1), to which the weights w are shifted;
                None = that of these sheets
    returns     percentile interval of the least cost; without bounds for one group, and where every resample
                costs the same though sheets are answered: no error in a sample does not prove that none occur
    raises      BadInput unless there are good and defective sheets; NaN; a prevalence outside (0, 1)
    source      Chow 1970, for the trade; Saerens, Latinne and Decaestecker 2002, for the shift

    >>> choice = cheapest_threshold(
    ...     np.array([True, True, False, False]), np.array([True, False, False, False]),
    ...     np.array([0.9, 0.6, 0.8, 0.9]), Prices(100.0, 10.0, 1.0), rng=np.random.default_rng(0))
    >>> choice.threshold, choice.cost_a_sheet.estimate, choice.coverage, choice.cost_without_review
    (0.8, 0.25, 0.75, 25.0)
    """
    _check(labels_defective, verdict_defective, confidence, prevalence)
    price = np.where(labels_defective, prices.escape, prices.overkill)
    errors = np.where(labels_defective != verdict_defective, price, 0.0)
    steps = _threshold_costs(confidence)
    ones = np.ones((1, confidence.size))
    weights = _shift(ones, labels_defective, prevalence)
    costs = _costs(steps, errors, prices.review, weights)[0]
    best = int(np.argmax(costs <= costs.min() + 1e-12 * costs.max()))  # rounding must not break a tie
    group = group_index(groups, confidence.size)
    draws = np.full(resamples, np.nan)
    if group.max() > 0:
        drawn = draw_weights(group, rng, resamples)
        shifted = (_shift(times, labels_defective, prevalence) for times in drawn)
        draws = np.concatenate([_costs(steps, errors, prices.review, w).min(axis=1) for w in shifted])
    threshold = float(steps.thresholds[best])
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


def _threshold_costs(confidence: Float[np.ndarray, " n"]) -> _ThresholdCosts:
    order = np.argsort(confidence, kind="stable")
    thresholds = np.append(np.union1d([0.0], confidence.astype(np.float64)), np.inf)
    return _ThresholdCosts(order, thresholds, np.searchsorted(confidence[order], thresholds, side="left"))


def _costs(
    steps: _ThresholdCosts, errors: Float[np.ndarray, " n"], review: float, weights: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, "b t"]:
    """Cost a sheet of every threshold, for each row of weights with sum 1; NaN where a weight is."""
    extra = (weights * (review - errors))[:, steps.order]
    running = np.concatenate([np.zeros((len(weights), 1)), extra.cumsum(axis=1)], axis=1)
    costs: Float[np.ndarray, "b t"] = (weights @ errors)[:, None] + running[:, steps.below]
    return costs


def _shift(
    times: Float[np.ndarray, "b n"], defective: Flags, prevalence: float | None
) -> Float[np.ndarray, "b n"]:
    """Weights with sum 1, those of defective sheets with sum `prevalence`; NaN where a side was not drawn."""
    if prevalence is None:
        even: Float[np.ndarray, "b n"] = times / times.sum(axis=1, keepdims=True)
        return even
    shifted = np.full(times.shape, np.nan)
    for side, share in ((defective, prevalence), (~defective, 1 - prevalence)):
        total = (times * side).sum(axis=1, keepdims=True)
        shifted[:, side] = np.where(total > 0, share * times[:, side] / np.where(total > 0, total, 1), np.nan)
    return shifted


def _share(weights: Float[np.ndarray, " n"], answered: Flags) -> float:
    """Answered share of the weight; divided by the sum of both parts, so that all of it is exactly 1."""
    kept, reviewed = weights[answered].sum(), weights[~answered].sum()
    return float(kept / (kept + reviewed))


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
