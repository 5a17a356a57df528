"""Two methods on the same sheets: Newcombe's published example, coverage, and pairs without a difference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.paired import paired_shares


def _pairs(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = [both, first, second, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_newcombes_own_example() -> None:
    found = paired_shares(*_pairs(36, 12, 2, 0))  # table II, method 10, of the 1998 paper
    assert (found.estimate, found.low, found.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)


def test_pairs_without_a_difference_keep_a_width() -> None:
    none = paired_shares(*_pairs(0, 0, 0, 500))
    assert none.estimate == 0
    assert -0.01 < none.low < 0 < none.high < 0.01
    assert math.isnan(paired_shares(np.zeros(0, bool), np.zeros(0, bool)).estimate)
    with pytest.raises(BadInput, match="got 2 and 3"):
        paired_shares(np.zeros(2, bool), np.zeros(3, bool))


@pytest.mark.parametrize(
    "shares", [(0.0, 0.3, 0.001, 0.699), (0.01, 0.01, 0.005, 0.975), (0.4, 0.1, 0.1, 0.4)]
)
def test_the_interval_of_a_difference_covers(shares: tuple[float, ...], rng: np.random.Generator) -> None:
    true, hits = shares[1] - shares[2], 0
    for counts in rng.multinomial(300, shares, size=500):
        found = paired_shares(*_pairs(*counts.tolist()))
        hits += found.low <= true <= found.high
    assert hits / 500 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 500)
