"""Timing, with a clock made for the test."""

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.timing import Timing, time_interleaved, time_ratio


class _Clock:
    """Time passes only while a candidate works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


def test_medians_in_turn():
    clock, order = _Clock(), []
    slow_once = iter([0.0, 5.0] + [0.002] * 20)  # the first call is warm-up, one round is disturbed

    def first() -> None:
        order.append("first")
        clock.work(next(slow_once))

    def second() -> None:
        order.append("second")
        clock.work(0.004)

    found = time_interleaved({"first": first, "second": second}, 5, warm_up=1, clock=clock)
    assert found["first"].median_ms == pytest.approx(2.0)
    assert found["second"].median_ms == pytest.approx(4.0)
    assert len(found["first"].rounds_ms) == 5
    assert order[2:8] == ["first", "second", "second", "first", "first", "second"]


def test_settling_calls_are_not_timed():
    clock, taken = _Clock(), iter([9.0, 9.0, 0.001, 9.0, 9.0, 0.003])
    found = time_interleaved({"one": lambda: clock.work(next(taken))}, 2, warm_up=0, settle=2, clock=clock)
    assert found["one"].rounds_ms == pytest.approx((1.0, 3.0))


def test_bad_input_is_refused():
    with pytest.raises(BadInput, match="expected candidates and repeats, got 0 and 3"):
        time_interleaved({}, 3)
    with pytest.raises(BadInput, match="got 1 and 0"):
        time_interleaved({"nothing": lambda: None}, 0)


def _timing(rounds):
    return Timing(float(np.median(rounds)), tuple(rounds))


def test_ratio_of_medians_with_bounds(rng):
    slow, fast = rng.normal(20.0, 0.5, 40).tolist(), rng.normal(10.0, 0.5, 40).tolist()
    found = time_ratio(_timing(slow), _timing(fast), rng=rng)
    assert found.low < 2.0 < found.high
    assert found.high - found.low < 0.15
    with pytest.raises(BadInput, match="expected the same rounds for both, got 40 and 3"):
        time_ratio(_timing(slow), _timing(fast[:3]), rng=rng)
