"""Exact bounds of a share and the beta distribution they rest on, for any number of trials."""

from __future__ import annotations

import math
from typing import Final

from steelsight.errors import BadInput

__all__ = ["beta_cdf", "beta_quantile", "clopper_pearson"]

TERMS: Final = 1000  # of the continued fraction; it converges within about the root of the larger parameter
TINY: Final = 1e-300
EPSILON: Final = 1e-14
HALVINGS: Final = 200


def clopper_pearson(found: float | int, count: float | int, *, level: float = 0.95) -> tuple[float, float]:
    """Two-sided exact bounds of a share; counts may be fractions, as effective ones are.

    found   0 to count
    raises  BadInput for counts that are impossible
    source  Clopper and Pearson 1934; Korn and Graubard 1998 for effective counts

    >>> [round(each, 4) for each in clopper_pearson(0, 300)]
    [0.0, 0.0122]
    """
    if not 0 <= found <= count:
        raise BadInput(f"bounds of a share: expected 0 <= found <= count, got {found} of {count}")
    if count == 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    low = beta_quantile(tail, found, count - found + 1) if found > 0 else 0.0
    high = beta_quantile(1 - tail, found + 1, count - found) if found < count else 1.0
    return low, high


def beta_quantile(probability: float, a: float | int, b: float | int) -> float:
    """The value below which a beta variable lies with this probability, by halving."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high or high - low <= EPSILON * high:
            break
        low, high = (middle, high) if beta_cdf(middle, a, b) < probability else (low, middle)
    return (low + high) / 2


def beta_cdf(value: float, a: float | int, b: float | int) -> float:
    """The regularised incomplete beta function, by its continued fraction (Lentz's method).

    source  Press et al., Numerical Recipes, section 6.4

    >>> round(beta_cdf(0.3, 2, 3), 4)
    0.3483
    """
    if value <= 0 or value >= 1:
        return 0.0 if value <= 0 else 1.0
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(logarithm + a * math.log(value) + b * math.log1p(-value))
    if value < (a + 1) / (a + b + 2):
        return front * _fraction(value, a, b) / a
    return 1 - front * _fraction(1 - value, b, a) / b


def _fraction(value: float, a: float | int, b: float | int) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * value / (a + 1))
    result = d
    for step in range(1, TERMS):
        even = step * (b - step) * value / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * value / ((a + 2 * step) * (a + 2 * step + 1))
        factor = 1.0
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            factor = c * d
            result *= factor
        if abs(factor - 1) < EPSILON:
            break
    return result


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
