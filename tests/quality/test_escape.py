"""Escape and overkill, both ways, by type, station and week: by hand and in a short simulation."""

import numpy as np
import pytest
from tests.quality.conftest import data, draw, known

from steelsight.quality.escape import escape_of, escape_of_type
from steelsight.quality.records import Outcome

SHEETS = {Outcome.PASSED: 9000, Outcome.REJECTED: 900, Outcome.REFERRED: 100}


def rng():
    return np.random.default_rng(0)


def draws(passed, rejected, referred, answer="crack"):
    """(defective, draws) of each outcome."""
    audited = []
    for outcome, (bad, count) in zip(Outcome, (passed, rejected, referred), strict=True):
        audited += [
            draw(len(audited), outcome, answer if number < bad else "none") for number in range(count)
        ]
    return audited


def test_the_four_shares_by_hand():
    found = escape_of(data(draws((3, 300), (80, 100), (5, 10)), sheets=SHEETS), rng())
    missed, caught, asked = 9000 * 0.01, 900 * 0.8, 100 * 0.5
    assert found.defective_among_passed.estimate == pytest.approx(0.01)
    assert found.missed_among_defective.estimate == pytest.approx(missed / (missed + caught + asked))
    assert found.good_among_rejected.estimate == pytest.approx(0.2)
    assert found.rejected_among_good.estimate == pytest.approx(180 / (180 + 8910 + 50))
    assert found.sheets == {"passed": 9000, "rejected": 900, "referred": 100}
    assert found.reviewed == {"passed": 300, "rejected": 100, "referred": 10}
    for each in (found.missed_among_defective, found.rejected_among_good):
        assert each.low < each.estimate < each.high


def test_reviewers_errors_are_taken_out_of_every_share():
    """Reviewers see 80 % and call 2 % of the good sheets defective."""
    cases = [known(number, "crack", "crack" if number < 800 else "none") for number in range(1000)]
    cases += [known(number + 1000, "none", "crack" if number < 20 else "none") for number in range(1000)]
    seen = (round(300 * (0.05 * 0.8 + 0.95 * 0.02)), round(500 * (0.9 * 0.8 + 0.1 * 0.02)), 2)
    found = escape_of(data(draws((seen[0], 300), (seen[1], 500), (2, 5)), cases, sheets=SHEETS), rng())
    assert found.defective_among_passed.corrected
    assert found.defective_among_passed.estimate == pytest.approx(0.05, abs=0.002)
    assert found.good_among_rejected.estimate == pytest.approx(0.1, abs=0.01)


def test_none_found_has_an_exact_bound_and_no_estimate_of_missed_above_it():
    found = escape_of(data(draws((0, 300), (50, 50), (0, 10)), sheets=SHEETS), rng())
    assert found.defective_among_passed.estimate == 0
    assert found.defective_among_passed.high == pytest.approx(1 - 0.025 ** (1 / 300), rel=0.1)
    assert found.missed_among_defective.estimate == 0
    assert 0.05 < found.missed_among_defective.high < 0.2


def test_a_stratum_without_reviewed_draws_leaves_bounds_alone():
    found = escape_of(data(draws((3, 300), (0, 0), (0, 0)), sheets=SHEETS), rng())
    assert found.good_among_rejected.estimate is None
    assert found.missed_among_defective.estimate is None
    assert 0 <= found.missed_among_defective.low < found.missed_among_defective.high <= 1


def test_an_empty_period_knows_nothing():
    found = escape_of(data([], sheets={}), rng())
    assert found.defective_among_passed.as_dict()["estimate"] is None
    assert found.missed_among_defective.as_dict() == {"estimate": None, "low": 0.0, "high": 1.0}


def test_types_are_told_apart_and_a_label_of_several_counts_for_each():
    audited = draws((0, 100), (10, 20), (0, 5))
    audited[0] = draw(0, answer="dent + scale")
    cases = data(audited, sheets=SHEETS)
    dent, scale, crack = (escape_of_type(cases, label, rng()) for label in ("dent", "scale", "crack"))
    assert dent.defective_among_passed.estimate == scale.defective_among_passed.estimate == 0.01
    assert crack.defective_among_passed.estimate == 0
    assert dent.missed_among_defective.estimate == pytest.approx(1)
    assert dent.good_among_rejected is None


def test_strata_with_different_shares_of_draws_are_not_mixed_up():
    """Passed sheets of a second label are drawn ten times as often: each draw weighs a tenth."""
    audited = [draw(number, probability=0.01) for number in range(100)]
    audited += [draw(number + 100, probability=0.1, answer="dent") for number in range(100)]
    assert escape_of(data(audited), rng()).defective_among_passed.estimate == pytest.approx(10 / 110)


def test_stations_and_weeks_are_parts_of_the_whole():
    audited = [draw(number, answer="dent" if number < 5 else "none", station="a") for number in range(50)]
    audited += [draw(number + 50, station="b", week="2026-W49") for number in range(50)]
    whole = data(audited)
    assert escape_of(whole.of_station("a"), rng()).defective_among_passed.estimate == pytest.approx(0.1)
    assert escape_of(whole.of_station("b"), rng()).defective_among_passed.estimate == 0
    assert escape_of(whole.of_week("2026-W49"), rng()).sheets["passed"] == 5000


def test_the_shares_over_strata_cover_the_truth():
    """Known errors of reviewers of 90 % seen and .5 % alarms; both shares put three strata together."""
    random = np.random.default_rng(3)
    rates, inside = (0.01, 0.85, 0.4), np.zeros(2)
    bad = np.array([number * rate for number, rate in zip(SHEETS.values(), rates, strict=True)])
    good = np.array(list(SHEETS.values())) - bad
    truth = np.array([bad[0] / bad.sum(), good[1] / good.sum()])
    for _ in range(40):
        counts = [
            (int(random.binomial(n, rate * 0.9 + (1 - rate) * 0.005)), n)
            for n, rate in zip((250, 60, 20), rates, strict=True)
        ]
        cases = [known(i, "crack", "crack" if random.random() < 0.9 else "none") for i in range(200)]
        cases += [known(i, "none", "crack" if random.random() < 0.005 else "none") for i in range(600)]
        found = escape_of(data(draws(*counts), cases, sheets=SHEETS), random)
        pair = (found.missed_among_defective, found.rejected_among_good)
        inside += [each.low <= share <= each.high for each, share in zip(pair, truth, strict=True)]
    assert (inside >= 0.87 * 40).all()
