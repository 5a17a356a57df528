"""Fit a power law to scores at several training sizes, to estimate the gain from more labels.

With three or four sizes the extrapolation shows a trend; it is not a reliable number, so a gain has bounds,
or none where a score has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from steelsight.errors import BadInput
from steelsight.types import Interval

__all__ = ["PowerLaw", "fit_power_law", "gain_interval"]

STEEPEST = 2.0
NORMAL_95 = 1.96  # standard deviations from the middle to the bound of a 95 % interval
DRAWS = 200  # of the scores within their intervals


@dataclass(frozen=True)
class PowerLaw:
    """score(n) = ceiling - gap · n^-rate."""

    ceiling: float  # at most 1
    gap: float  # at least 0
    rate: float  # above 0

    def at(self, sheets: int | float) -> float:
        """The expected score with a number of training sheets; raises BadInput for none."""
        if sheets <= 0:
            raise BadInput(f"learning curve: expected at least one sheet, got {sheets:g}")
        return self.ceiling - self.gap * math.pow(sheets, -self.rate)

    def gain(self, sheets: int | float, factor: int | float) -> float:
        """The expected gain from `factor` times as many sheets."""
        return self.at(sheets * factor) - self.at(sheets)


def gain_interval(
    sizes: Sequence[int | float],
    scores: Sequence[Interval],
    factor: int | float,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Interval:
    """The gain from `factor` times as many sheets as the largest size, with its 95 % bounds.

    The law is fitted again to scores that are drawn within their intervals: half a normal distribution on
    either side of the estimate. The scores are drawn independently although they share test sheets, so the
    bounds are rather too wide than too narrow; the spread between trainings is not in them.

    scores   95 % intervals, one a size
    returns  NaN bounds where a score has no bounds
    raises   BadInput as `fit_power_law`
    """
    estimates = np.array([score.estimate for score in scores])
    largest = max(sizes)
    gain = fit_power_law(sizes, estimates.tolist()).gain(largest, factor)
    below = np.array([score.estimate - score.low for score in scores]) / NORMAL_95
    above = np.array([score.high - score.estimate for score in scores]) / NORMAL_95
    if not (np.isfinite(below).all() and np.isfinite(above).all()):
        return Interval(gain, float("nan"), float("nan"))
    z = rng.normal(size=(draws, estimates.size))
    drawn = np.clip(estimates + np.where(z < 0, z * below, z * above), 0, 1)
    gains = [fit_power_law(sizes, row).gain(largest, factor) for row in drawn.tolist()]
    low, high = np.quantile(gains, [0.025, 0.975])
    return Interval(gain, min(gain, float(low)), max(gain, float(high)))


def fit_power_law(sizes: Sequence[int | float], scores: Sequence[int | float]) -> PowerLaw:
    """Least squares over ceiling, gap and rate, with the ceiling at most 1 and the gap at least 0.

    raises  BadInput for fewer than three different sizes, sizes below 1, or scores that are not in 0..1

    >>> law = fit_power_law([100, 400, 1600], [0.9 - 0.1, 0.9 - 0.05, 0.9 - 0.025])
    >>> round(law.ceiling, 3), round(law.rate, 3)
    (0.9, 0.5)
    """
    n, score = np.array(sizes, dtype=np.float64), np.array(scores, dtype=np.float64)
    if n.shape != score.shape or np.unique(n).size < 3:
        raise BadInput(
            f"learning curve: expected scores at three sizes or more, got {np.unique(n).size} sizes "
            f"and {score.size} scores"
        )
    if n.min() < 1 or not np.isfinite(n).all() or not ((score >= 0) & (score <= 1)).all():
        raise BadInput("learning curve: expected sizes of at least 1 and scores from 0 to 1")

    def fit(rate: float) -> tuple[float, float, float]:
        falls = n**-rate
        design = np.column_stack([np.ones_like(n), -falls])
        ceiling, gap = np.linalg.lstsq(design, score, rcond=None)[0]
        if gap < 0:
            ceiling, gap = float(score.mean()), 0.0
        elif ceiling > 1:
            ceiling, gap = 1.0, max(0.0, float((falls @ (1 - score)) / (falls @ falls)))
        return float(((ceiling - gap * falls - score) ** 2).sum()), float(ceiling), float(gap)

    grid = np.geomspace(0.02, STEEPEST, 200)
    near = grid[int(np.argmin([fit(rate)[0] for rate in grid.tolist()]))]
    bounds = (max(0.01, 0.8 * near), min(STEEPEST, 1.25 * near))
    optimum = minimize_scalar(lambda rate: fit(float(rate))[0], bounds=bounds, method="bounded")
    rate = float(optimum.x)
    _, ceiling, gap = fit(rate)
    return PowerLaw(ceiling, gap, rate)
