"""Confidence sequences hold at every look, notice what has changed, and make the alarm of a certificate."""

import numpy as np
import pytest
from tests.quality.conftest import data, draw, known

from steelsight.errors import BadInput
from steelsight.quality.certificate import Certified, certificate_state
from steelsight.quality.records import Outcome
from steelsight.quality.sequence import CoilDraws, lower_bound, upper_bound


def coils(values, probability=1.0):
    return [CoilDraws(np.array([value]), np.array([probability])) for value in values]


def test_the_bound_is_above_the_rate_at_no_look_but_for_one_run_in_twenty():
    """The bound of a rate is monotone in its capital, so one value of it is asked at each look."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(40):
        drawn = coils(rng.random(200) < 0.1)
        wrong += any(lower_bound(drawn[:look]) > 0.1 for look in range(20, 201, 20))
    assert wrong <= 2 + 2 * np.sqrt(40 * 0.05 * 0.95)


def test_sequences_close_in_on_the_rate_and_see_a_change():
    rng = np.random.default_rng(1)
    drawn = coils(rng.random(2000) < 0.1)
    assert 0.06 < lower_bound(drawn) < 0.1 < upper_bound(drawn) < 0.14
    assert lower_bound(drawn[:1000] + coils(rng.random(1000) < 0.4)) > 0.1


def test_the_upper_end_is_the_lower_one_of_the_opposite():
    drawn = coils(np.arange(100) % 5 == 0)
    opposite = coils(np.arange(100) % 5 != 0)
    assert upper_bound(drawn) == pytest.approx(1 - lower_bound(opposite))
    assert (lower_bound([]), lower_bound(coils([False] * 50))) == (0, 0)
    assert upper_bound(coils([False] * 300)) < 0.05


def test_a_later_look_never_loosens_the_bound():
    rng = np.random.default_rng(2)
    drawn = coils(rng.random(300) < np.r_[np.full(100, 0.6), np.full(200, 0.0)])
    bounds = [lower_bound(drawn[:look]) for look in (50, 100, 200, 300)]
    assert bounds == sorted(bounds)


def test_draws_of_unequal_probability_keep_the_level():
    """Wrong answers are drawn ten times as often: weighted, the rate is that of all sheets, .05."""
    rng = np.random.default_rng(3)
    above = 0
    for _ in range(30):
        drawn = []
        for _ in range(150):
            wrong = rng.random() < 0.005 / (0.005 + 0.0095)  # .05 x .1 of .05 x .1 + .95 x .01
            drawn.append(CoilDraws(np.array([wrong]), np.array([0.1 if wrong else 0.01])))
        above += lower_bound(drawn) > 0.05
    assert above <= 4


def period(wrong, count=400, cases=(), **values):
    """Draws of which this share is wrong, in an order of chance: wrong ones in a row would be evidence."""
    place = np.random.default_rng(7).permutation(count)
    audited = [
        draw(number, answer="dent" if place[number] < count * wrong else "none") for number in range(count)
    ]
    return data(audited, cases, **values)


def test_a_certificate_is_void_once_too_many_answers_are_wrong():
    good, bad = (certificate_state(period(share), Certified(0.05)) for share in (0.03, 0.2))
    assert not good.void
    assert bad.void
    assert (bad.coils, bad.draws, bad.wrong) == (400, 400, 80)
    assert bad.right_share == pytest.approx(0.8)
    assert bad.limit == 0.05
    assert bad.wrong_bounds[0] > 0.05


def test_reviewers_errors_raise_the_limit():
    cases = [known(number, "none", "dent" if number < 60 else "none") for number in range(400)]
    state = certificate_state(period(0.2, cases=cases), Certified(0.05))
    assert 0.15 < state.reviewer_error < 0.3
    assert state.limit == pytest.approx(0.05 + 0.95 * state.reviewer_error)
    assert not state.void


def test_sheets_that_were_referred_are_no_answers_and_make_the_coverage():
    audited = [
        draw(number, Outcome.REFERRED if number % 2 else Outcome.PASSED, answer="none", verdict="none")
        for number in range(400)
    ]
    state = certificate_state(data(audited), Certified(0.05, coverage=0.9))
    assert state.draws == 200
    assert state.coverage == pytest.approx(0.5)
    assert state.coverage_bounds[1] < 0.9
    assert state.coverage_changed
    assert not certificate_state(data(audited), Certified(0.05, coverage=0.5)).coverage_changed
    assert not certificate_state(data(audited), Certified(0.05)).coverage_changed


def test_another_type_than_the_models_is_a_wrong_answer_and_a_coil_counts_once():
    audited = [draw(number, Outcome.REJECTED, "dent", verdict="crack", coil="c") for number in range(50)]
    state = certificate_state(data(audited), Certified(0.05))
    assert (state.wrong, state.coils, state.void) == (50, 1, False)


def test_without_draws_nothing_is_refuted():
    state = certificate_state(data([]), Certified(0.05, 0.9))
    assert (state.void, state.coverage_changed, state.wrong_share) == (False, False, None)
    assert state.wrong_bounds == (0, 1)


@pytest.mark.parametrize("values", [(0.0,), (1.0,), (float("nan"),), (0.05, 1.2), (0.05, -0.1)])
def test_impossible_certificates_are_refused(values):
    with pytest.raises(BadInput, match="certified"):
        Certified(*values)
