"""Certificates: exact bounds, a fixed sequence, groups as units. Their coverage is tested in tests/long."""

import math

import numpy as np
import pytest
from scipy.stats import beta, binom

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.guarantee import answers_needed, certify, upper_bound


@pytest.mark.parametrize(("wrong", "count"), [(0, 50), (3, 120), (20, 60)])
def test_the_bound_inverts_the_binomial_distribution(wrong, count):
    bound = upper_bound(wrong, count, 0.1)
    assert binom.cdf(wrong, count, bound) == pytest.approx(0.1)


def test_without_answers_the_bound_is_1():
    assert upper_bound(0, 0, 0.1) == 1.0
    assert upper_bound(5, 5, 0.1) == 1.0


@pytest.mark.parametrize(("risk", "delta", "wrong"), [(0.01, 0.1, 0), (0.05, 0.05, 2), (0.2, 0.01, 5)])
def test_answers_needed_is_the_smallest_number(risk, delta, wrong):
    count = answers_needed(risk, delta, wrong=wrong)
    assert upper_bound(wrong, count, delta) <= risk
    assert upper_bound(wrong, count - 1, delta) > risk


def test_the_loosest_threshold_that_passes_is_certified(rng):
    scores = np.linspace(1, 0, 1000)
    right = np.arange(1000) < 700  # the surest 700 are right, the others wrong
    found = certify(right, scores, np.linspace(0, 1, 21).tolist(), risk=0.02, delta=0.1, rng=rng)
    assert found.threshold == pytest.approx(0.3, abs=0.051)
    assert (right[scores >= found.threshold]).mean() >= 0.98
    assert [step.passed for step in found.tested].count(False) >= 1
    assert not found.tested[-1].passed  # it stopped at the first failure
    assert found.tested[-1].threshold < found.threshold
    assert "90 %" in found.statement


def test_without_a_certificate_the_missing_sheets_are_counted(rng):
    found = certify(np.ones(50, bool), np.ones(50), [0.5, 0.9], risk=0.01, delta=0.1, rng=rng)
    assert found.threshold is None
    assert found.coverage == 0
    assert 50 + found.more_groups == found.more_sheets + 50 == answers_needed(0.01, 0.1)
    assert "no threshold can be certified" in found.statement


def test_more_sheets_are_missing_where_few_are_answered(rng):
    scores = np.where(np.arange(1000) < 20, 1.0, 0.1)
    found = certify(np.ones(1000, bool), scores, [0.9999], risk=0.01, delta=0.1, rng=rng)
    assert found.more_groups == math.ceil((answers_needed(0.01, 0.1) - 20) * 1000 / 20)
    assert "about 10500 more groups of sheets are needed, 10500 sheets, at the errors and" in found.statement
    groups = np.repeat(np.arange(250), 4)
    scores = np.where(groups < 20, 1.0, 0.1)
    grouped = certify(np.ones(1000, bool), scores, [0.9], risk=0.01, delta=0.1, rng=rng, groups=groups)
    assert grouped.more_groups == math.ceil((answers_needed(0.01, 0.1) - 20) * 250 / 20)
    assert grouped.more_sheets == 4 * grouped.more_groups


@pytest.mark.parametrize("wrong", [2, 3])
def test_the_missing_number_of_groups_would_suffice(wrong, rng):
    right = np.arange(200) >= wrong
    found = certify(right, np.ones(200), [0.5], risk=0.02, delta=0.1, rng=rng)
    total, share = 200 + found.more_groups, wrong / 200
    assert beta.ppf(0.9, share * total + 1, (1 - share) * total) <= 0.02
    assert beta.ppf(0.9, share * (total - 1) + 1, (1 - share) * (total - 1)) > 0.02


def test_errors_at_the_risk_cannot_be_certified_by_more_sheets(rng):
    right = np.arange(1000) % 10 != 0
    found = certify(right, np.ones(1000), [0.5, 0.9], risk=0.1, delta=0.1, rng=rng)
    assert found.more_groups is None
    assert found.more_sheets is None
    assert "at every tested threshold the errors seen are at or above the allowed risk" in found.statement
    assert "more sheets will not certify this model" in found.statement
    # A hair below the risk is as good as at it: no one gathers so many.
    assert certify(right, np.ones(1000), [0.5], risk=0.1 + 1e-9, delta=0.1, rng=rng).more_groups is None
    unreached = certify(right, np.zeros(1000), [0.9], risk=0.1, delta=0.1, rng=rng)
    assert unreached.more_groups is None
    assert "no sheet reaches a tested threshold" in unreached.statement


def test_the_certified_risk_weighs_groups_alike(rng):
    # 300 groups of one right sheet, and two of thirty wrong ones: few groups err, many sheets do.
    groups = np.concatenate([np.arange(300), np.repeat([300, 301], 30)])
    right = groups < 300
    found = certify(right, np.ones(360), [0.5], risk=0.05, delta=0.1, rng=rng, groups=groups)
    assert found.threshold == 0.5
    assert found.sheet_risk == pytest.approx(60 / 360)
    assert found.answered_a_group == (1, 30)
    assert "of the answers, every group counted equally, are wrong" in found.statement
    assert "have 1 to 30 of them" in found.statement
    assert "0.167 of all answers were wrong here, which is not certified" in found.statement
    alone = certify(right[:300], np.ones(300), [0.5], risk=0.05, delta=0.1, rng=rng)
    assert alone.sheet_risk == 0
    assert "group" not in alone.statement
    even = certify(
        np.ones(600, bool), np.ones(600), [0.5], risk=0.05, delta=0.1, rng=rng, groups=np.arange(600) // 2
    )
    assert "every group counted equally" in even.statement
    assert "not certified" not in even.statement


def test_a_threshold_is_skipped_by_its_count_alone(rng):
    scores = np.where(np.arange(1000) < 20, 1.0, 0.6)
    right = np.arange(1000) >= 20  # the surest twenty are all wrong, too few to test
    found = certify(right, scores, [0.5, 0.9], risk=0.05, delta=0.1, rng=rng)
    assert [step.passed for step in found.tested] == [False, True]
    assert found.threshold == 0.5
    scores = np.where(np.arange(1000) < 60, 1.0, 0.6)  # enough to test, and to fail
    found = certify(right, scores, [0.5, 0.9], risk=0.05, delta=0.1, rng=rng)
    assert [step.threshold for step in found.tested] == [0.9]


def test_a_group_counts_once(rng):
    right, groups = np.ones(400, bool), np.repeat(np.arange(40), 10)
    alone = certify(right, np.ones(400), [0.5], risk=0.01, delta=0.1, rng=rng)
    grouped = certify(right, np.ones(400), [0.5], risk=0.01, delta=0.1, rng=rng, groups=groups)
    assert alone.threshold == 0.5
    assert grouped.threshold is None
    assert grouped.tested[0].answered == 40


def test_the_drawn_sheet_is_a_random_one_of_its_group(rng):
    right, groups = np.tile([True, True, True, False], 3000), np.repeat(np.arange(3000), 4)
    found = certify(right, np.ones(12_000), [0.5], risk=0.5, delta=0.1, rng=rng, groups=groups)
    # 3,000 draws with probability 1/4 each: five standard deviations.
    assert abs(found.tested[0].wrong / 3000 - 0.25) < 5 * (0.25 * 0.75 / 3000) ** 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"right": np.zeros(0, bool), "scores": np.zeros(0)}, "at least one"),
        ({"thresholds": []}, "thresholds"),
        ({"thresholds": [1.5]}, "thresholds"),
        ({"thresholds": [0.5, float("nan")]}, "thresholds: expected some, each from 0 to 1"),
        ({"thresholds": [float("nan"), 0.5]}, "thresholds: expected some, each from 0 to 1"),
        ({"scores": np.array([0.5, 3.0])}, "scores row 1: expected from 0 to 1, got 3"),
        ({"scores": np.array([-0.5, 1.0])}, "scores row 0: expected from 0 to 1, got -0.5"),
        ({"risk": 0.0}, "risk"),
        ({"delta": 1.0}, "delta"),
        ({"scores": np.array([0.5, np.nan])}, "NaN|finite"),
    ],
)
def test_bad_input_is_refused(settings, message, rng):
    given = {"right": np.ones(2, bool), "scores": np.ones(2), "thresholds": [0.5], "risk": 0.1, "delta": 0.1}
    given |= settings
    right, scores, thresholds = (given.pop(name) for name in ("right", "scores", "thresholds"))
    with pytest.raises(BadInput, match=message):
        certify(right, scores, thresholds, rng=rng, **given)


def test_a_threshold_of_1_answers_nothing_and_certifies_nothing(rng):
    right, certain = np.ones(500, dtype=bool), np.ones(500)
    found = certify(right, certain, [1.0], risk=0.05, delta=0.1, rng=rng)
    assert found.threshold is None
    assert found.tested[0].answered == 0
    below = float(np.nextafter(1.0, 0.0))
    assert certify(right, certain, [below], risk=0.05, delta=0.1, rng=rng).threshold == below


def test_sheets_that_are_never_answered_are_not_counted(rng):
    right = np.ones(400, dtype=bool)
    right[:40] = False  # all of them confident
    confidence = np.full(400, 0.97)
    familiar = np.arange(400) < 200
    counted = certify(right, confidence, [0.0, 0.9], risk=0.15, delta=0.1, rng=rng)
    assert counted.threshold == 0.0
    answered_alone = certify(right, confidence, [0.0, 0.9], risk=0.15, delta=0.1, rng=rng, familiar=familiar)
    assert answered_alone.threshold is None  # of what is answered a fifth is wrong
    others = certify(right, confidence, [0.0, 0.9], risk=0.15, delta=0.1, rng=rng, familiar=~familiar)
    assert (others.threshold, others.coverage, others.sheet_risk) == (0.0, 0.5, 0.0)
