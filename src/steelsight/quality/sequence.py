"""Bounds of a rate that hold at every look, by betting against each value of the rate.

A player who bets that the rate is above m starts with 1 and, coil by coil, gains or loses in proportion to
how far the coil lies from m. Where the rate is at most m the capital is a supermartingale, so with
probability 1 - α it never reaches 1/α (Ville). The values of m against which it never did are the confidence
sequence. The capital is the mean over players that bet fixed shares, which needs no knowledge of the rate.

A coil is one observation, because its sheets resemble each other: the mean over its draws of weight x
(defect - m), where draws of unequal probability weigh by its inverse; the smallest probability of all is
taken as known beforehand. Every coil counts equally, as in the certificate of a threshold. Coils come in the
order in which their draws were reviewed.
source  Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting", JRSS B 86
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from steelsight.quality.shares import Floats

__all__ = ["CoilDraws", "lower_bound", "upper_bound"]

STAKES: Final = np.geomspace(0.002, 0.9, 24)  # share of the capital that is lost where a coil has none
HALVINGS: Final = 30


@dataclass(frozen=True, eq=False)
class CoilDraws:
    """The draws of one coil."""

    values: npt.NDArray[np.bool_] | Floats  # (n,) from 0 to 1
    probabilities: Floats  # (n,) of inclusion


def lower_bound(coils: Sequence[CoilDraws], *, alpha: float = 0.05) -> float:
    """The lower end after these coils: with 1 - alpha it is above the rate at no look.

    coils  in the order in which they came
    """
    if not coils:
        return 0.0
    least = min(float(coil.probabilities.min()) for coil in coils)
    weights = [least / coil.probabilities for coil in coils]
    means = np.array([w @ coil.values / w.size for w, coil in zip(weights, coils, strict=True)])
    sizes = np.array([float(w.mean()) for w in weights])
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        beaten = _largest_capital(means, sizes, middle) >= math.log(1 / alpha)
        low, high = (middle, high) if beaten else (low, middle)
    return low


def upper_bound(coils: Sequence[CoilDraws], *, alpha: float = 0.05) -> float:
    """The upper end, likewise."""
    turned = [CoilDraws(1 - coil.values.astype(np.float64), coil.probabilities) for coil in coils]
    return 1 - lower_bound(turned, alpha=alpha)


def _largest_capital(means: Floats, sizes: Floats, rate: float) -> float:
    """Logarithm of the largest capital that was reached in betting that the rate is above this value."""
    gains = means / rate - sizes  # at least -1
    capital = np.cumsum(np.log1p(STAKES[:, None] * gains), axis=1)
    top = capital.max(axis=0)
    together = top + np.log(np.exp(capital - top).mean(axis=0))
    return float(together.max())
