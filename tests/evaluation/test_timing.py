"""Timing, with a clock that is not one."""

import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.timing import time_interleaved


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
    assert found["first"].repeats == 5
    assert order[2:8] == ["first", "second", "second", "first", "first", "second"]


def test_bad_input():
    with pytest.raises(BadInput, match="expected candidates and repeats, got 0 and 3"):
        time_interleaved({}, 3)
    with pytest.raises(BadInput, match="got 1 and 0"):
        time_interleaved({"nothing": lambda: None}, 0)
