"""Roll marks are found with their period, and neither its multiples nor clusters, scratches or chance."""

import numpy as np
import pytest
from tests.coils.conftest import LENGTH_M, WIDTH_MM, marks, scattered, strip

from steelsight.coils.points import StripPoints
from steelsight.coils.repeats import find_repeats
from steelsight.coils.settings import RepeatSettings
from steelsight.errors import BadInput


@pytest.mark.parametrize("period", [1.0, 1.57, 2.0, 3.3, 4.99])
def test_the_period_is_found_and_no_multiple_of_it(period):
    rng = np.random.default_rng(int(period * 100))
    coil = strip(scattered(rng), marks(rng, period))
    (found,) = find_repeats(coil).candidates
    assert found.period_m == pytest.approx(period, rel=1e-3)
    assert found.across_mm == pytest.approx(700, abs=5)
    assert (found.label, found.side) == ("dent", "top")
    assert found.missing == pytest.approx(0.3, abs=0.12)
    assert found.p_value < 1e-9
    assert all(abs(coil.across_mm[number] - 700) <= 30 for number in found.members)


def test_phase_and_marks_are_those_that_were_drawn():
    coil = strip((1.25 + 2.0 * np.arange(40), [300.0] * 40, "dent"))
    (found,) = find_repeats(coil).candidates
    assert (found.period_m, found.phase_m) == (pytest.approx(2.0), pytest.approx(1.25))
    assert (found.count, found.turns, found.missing) == (40, 40, 0)
    assert (found.first_m, found.last_m) == (1.25, 79.25)
    assert found.members == tuple(range(40))
    assert found.error_m < 1e-6


def test_two_rolls_are_two_candidates_and_one_side_does_not_hide_the_other():
    rng = np.random.default_rng(3)
    top, bottom = marks(rng, 1.9), marks(rng, 2.6)
    sides = ("top",) * len(top[0]) + ("bottom",) * len(bottom[0])
    found = find_repeats(strip(top, bottom, sides=sides)).candidates
    periods = {each.side: each.period_m for each in found}
    assert periods == {"top": pytest.approx(1.9, rel=1e-3), "bottom": pytest.approx(2.6, rel=1e-3)}


def test_two_marks_of_one_roll_at_one_place_are_two_candidates():
    rng = np.random.default_rng(4)
    first = 0.1 + 2.0 * np.arange(100) + rng.normal(0, 0.003, 100)
    second = 0.8 + 2.0 * np.arange(100) + rng.normal(0, 0.003, 100)
    found = find_repeats(strip((first, [200.0] * 100, "dent"), (second, [200.0] * 100, "dent"))).candidates
    assert [each.period_m for each in found] == [pytest.approx(2.0, rel=1e-3)] * 2
    phases = sorted(each.phase_m for each in found)
    assert phases == [pytest.approx(0.1, abs=0.01), pytest.approx(0.8, abs=0.01)]


def test_a_mark_that_begins_late_is_found_with_its_range():
    rng = np.random.default_rng(5)
    (found,) = find_repeats(strip(scattered(rng), marks(rng, 2.4, start=200))).candidates
    assert found.period_m == pytest.approx(2.4, rel=1e-3)
    assert 199 <= found.first_m <= 215
    assert found.last_m >= 285


def test_marks_of_several_types_count_together():
    rng = np.random.default_rng(6)
    mark = marks(rng, 3.1)
    names = tuple(rng.choice(["crack", "dent", "dent", "scale"], len(mark[0])))
    (found,) = find_repeats(strip(mark, labels=names)).candidates
    assert found.period_m == pytest.approx(3.1, rel=1e-3)
    assert found.label == "dent"
    assert sum(found.labels.values()) == found.count > 50


def test_the_order_of_the_defects_changes_nothing():
    rng = np.random.default_rng(7)
    coil = strip(scattered(rng), marks(rng, 1.3))
    order = rng.permutation(len(coil))
    turned = StripPoints(
        coil.along_m[order],
        coil.across_mm[order],
        tuple(coil.labels[number] for number in order),
        tuple(coil.sides[number] for number in order),
    )
    (one,), (other,) = find_repeats(coil).candidates, find_repeats(turned).candidates
    assert one.period_m == pytest.approx(other.period_m, rel=1e-9)
    assert {coil.along_m[each] for each in one.members} == {turned.along_m[each] for each in other.members}


def line(rng, along, label="scratch"):
    along = along[(along >= 0) & (along <= LENGTH_M)]
    return along, rng.uniform(100, WIDTH_MM - 100) + rng.uniform(-10, 10, along.size), label


NO_ROLL = {
    "nothing": lambda rng: line(rng, np.zeros(0)),
    "a broken scratch": lambda rng: line(rng, 50 + np.cumsum(rng.uniform(0.05, 1, 150))),
    "a scratch of about even parts": lambda rng: line(
        rng, np.cumsum(1.5 * rng.normal(1, 0.3, 150).clip(0.1))
    ),
    "a solid scratch": lambda rng: line(rng, 20 + 0.02 * np.arange(2000)),
    "one place": lambda rng: line(rng, 120 + rng.normal(0, 0.2, 80)),
    "places in a line": lambda rng: line(
        rng, np.repeat(rng.uniform(0, 300, 8), 20) + rng.normal(0, 0.1, 160)
    ),
    "random in a line": lambda rng: line(rng, rng.uniform(0, 300, 600)),
    "copies of one place": lambda rng: line(rng, np.full(300, 77.0)),
}


@pytest.mark.parametrize("name", NO_ROLL)
@pytest.mark.parametrize("seed", range(4))
def test_what_is_no_roll_mark_raises_no_alarm(name, seed):
    rng = np.random.default_rng((seed, len(name)))
    assert find_repeats(strip(scattered(rng), NO_ROLL[name](rng))).candidates == ()


def test_regular_marks_below_the_range_are_told_apart_and_not_as_a_multiple():
    rng = np.random.default_rng(8)
    found = find_repeats(strip(scattered(rng), marks(rng, 0.7)), RepeatSettings(1.0, 5.0))
    assert found.candidates == ()
    assert [each.period_m for each in found.outside] == [pytest.approx(0.7, rel=1e-3)]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_coil_with_few_defects_has_none(count):
    rng = np.random.default_rng(9)
    found = find_repeats(strip(scattered(rng, count)))
    assert (found.candidates, found.outside, found.defects) == ((), (), count)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"shortest_m": 3.0, "longest_m": 2.0}, "the smaller one first, got 3.0 to 2.0"),
        ({"shortest_m": 0.01}, "0.1 to 50 m"),
        ({"longest_m": float("nan")}, "got 0.5 to nan"),
        ({"tolerance_mm": 0.0}, "tolerance: expected 1 to 100 mm, got 0.0"),
        ({"lateral_mm": 600.0}, "lateral: expected 1 to 500 mm, got 600.0"),
        ({"false_alarms": 0.0}, "false alarms: expected a share above 0"),
        ({"tolerance_mm": 90.0}, "at most an eighth of the shortest period, 62.5 mm, got 90"),
    ],
)
def test_impossible_settings_are_refused(values, words):
    with pytest.raises(BadInput, match=words):
        RepeatSettings(**values)


@pytest.mark.parametrize(
    ("along", "across", "words"),
    [
        ([1.0, np.nan], [1.0, 2.0], "along_m, value 1: expected a number"),
        ([1.0, 2.0], [1.0, np.inf], "across_mm, value 1: expected a number"),
        ([1.0], [1.0, 2.0], "along_m: expected 2 values"),
    ],
)
def test_impossible_places_are_refused(along, across, words):
    with pytest.raises(BadInput, match=words):
        StripPoints(np.array(along), np.array(across), ("a", "b"), ("top", "top"))
