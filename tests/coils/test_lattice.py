"""The bound of chance: against a slow twin, and against what random turns do."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.coils.lattice import Lattice, Span, cells, log_p, snapped

REACH = 0.03


def slow_log_p(along, lattice, reach):
    """The same, turn by turn, with the covered angles counted on a fine grid."""
    turns = {}
    for value in along:
        number = math.floor((value - lattice.mark_m) / lattice.period_m + 0.5)
        turns.setdefault(number, []).append(value - lattice.mark_m - number * lattice.period_m)
    angles = (np.arange(20_000) + 0.5) / 20_000 * lattice.period_m
    shares, hits = [], 0
    for offsets in turns.values():
        away = np.abs(
            (angles[:, None] - np.array(offsets) + lattice.period_m / 2) % lattice.period_m
            - lattice.period_m / 2
        )
        shares.append((away.min(axis=1) <= reach).mean())
        hits += min(map(abs, offsets)) <= reach
    share, expected = hits / len(turns), float(np.mean(shares))
    if share <= expected:
        return 0.0
    rest = (1 - share) * math.log((1 - share) / (1 - expected)) if share < 1 else 0.0
    return -len(turns) * (share * math.log(share / expected) + rest)


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_is_that_of_a_slow_twin(seed):
    rng = np.random.default_rng(seed)
    along = np.sort(np.r_[rng.uniform(0, 100, 60), 0.4 + 2.0 * np.arange(30), rng.normal(50, 0.1, 20)])
    lattice = Lattice(2.0, 0.4)
    assert log_p(along, lattice, REACH) == pytest.approx(slow_log_p(along, lattice, REACH), rel=0.01)
    assert log_p(along, lattice, REACH) < -50


def test_chance_reaches_a_bound_no_more_often_than_it_says():
    """Each turn's pattern, a cluster or a lone defect, lies at an angle drawn evenly."""
    rng = np.random.default_rng(0)
    lattice, values = Lattice(1.0, 0.0), []
    for _ in range(2000):
        parts = []
        for turn in range(12):
            pattern = rng.normal(0, 0.05, rng.integers(1, 8))
            parts.append(turn + (pattern + rng.random() + 0.5) % 1 - 0.5)
        values.append(log_p(np.sort(np.concatenate(parts)), lattice, REACH))
    for bound in (0.2, 0.05, 0.01):
        share = np.mean(np.array(values) <= math.log(bound))
        assert share <= bound + 3 * math.sqrt(bound / 2000)


@given(st.floats(0.5, 6), st.floats(-10, 400), st.floats(0, 50), st.floats(60, 300))
def test_a_grid_lattice_is_nowhere_farther_than_the_tolerance(period, mark, start, length):
    span, tolerance = Span(start, start + length), 0.015
    near = snapped(Lattice(period, mark), span, tolerance)
    first, last = (math.ceil((edge - mark) / period) for edge in (span.start_m, span.end_m))
    places = mark + np.arange(first, last) * period
    # the grid's mark of the same number, counted from the middle
    turn = round(((span.start_m + span.end_m) / 2 - mark) / period)
    others = near.mark_m + (np.arange(first, last) - turn) * near.period_m
    assert np.abs(places - others).max(initial=0) <= tolerance * 1.05  # a period more than half the span


def test_the_number_of_grid_lattices_is_about_right():
    span, tolerance = Span(0.0, 100.0), 0.015
    rng = np.random.default_rng(1)
    found = set()
    for _ in range(4000):
        period = rng.uniform(1, 1.02)
        near = snapped(Lattice(period, 50 + rng.uniform(-period / 2, period / 2)), span, tolerance)
        found.add((round(near.period_m, 9), round(near.mark_m, 9)))
    assert len(found) <= 1.1 * cells(span, 1.0, 1.02, tolerance) + 70


def test_of_each_turn_the_nearest_defect_is_the_mark():
    lattice = Lattice(1.0, 0.0)
    assert lattice.hits(np.array([0.01, 0.002, 1.2, 1.99, 2.004]), 0.015).tolist() == [1, 4]


@given(
    st.lists(st.integers(-400, 400), max_size=40).map(lambda steps: np.sort(np.array(steps) / 40)),
    st.floats(0.2, 3),
    st.floats(-2, 2),
    st.floats(0.005, 0.3),
)
def test_marks_are_those_of_a_slow_twin(along, period, mark, tolerance):
    lattice, nearest = Lattice(period, mark), {}
    for number, value in enumerate(along.tolist()):
        turn = math.floor((value - mark) / period + 0.5)
        distance = abs(value - mark - turn * period)
        if distance <= tolerance and distance < nearest.get(turn, (math.inf, 0))[0]:
            nearest[turn] = distance, number
    assert lattice.hits(along, tolerance).tolist() == sorted(number for _, number in nearest.values())
