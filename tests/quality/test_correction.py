"""Reviewers' errors taken out of shares: by hand, and how often bounds cover in short simulations."""

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.quality.correction import NO_ERRORS, Rate, ReviewerErrors, correct_share, true_share
from steelsight.quality.shares import hajek_share

MONTHS = 80


def errors(seen, with_it, alarms, without):
    return ReviewerErrors(Rate(float(seen), float(with_it)), Rate(float(alarms), float(without)))


def observed(count, draws):
    found = np.arange(draws) < count
    return hajek_share(found, np.full(draws, 0.01), np.arange(draws))


def correct(count, draws, known, seed=0):
    return correct_share(observed(count, draws), known, np.random.default_rng(seed))


def test_the_estimate_undoes_known_errors():
    truth, seen, alarms = np.array([0.0, 0.02, 0.5, 1.0]), np.full(4, 0.9), np.full(4, 0.01)
    assert true_share(truth * seen + (1 - truth) * alarms, seen, alarms) == pytest.approx(truth)


def test_estimates_stay_shares_whatever_the_errors():
    value = true_share(
        np.array([0.001, 0.99, 0.3, 0.1]), np.array([0.9, 0.9, 0.2, 0.2]), np.array([0.01, 0.01, 0.2, 0.2])
    )
    assert value.tolist() == [0, 1, 1, 0]


def test_perfect_reviewers_leave_the_exact_bounds():
    found = correct(3, 300, NO_ERRORS)
    low, high = found.observed.bounds
    assert found.estimate == pytest.approx(0.01)
    assert (found.low, found.high) == (pytest.approx(low, rel=0.12), pytest.approx(high, rel=0.05))
    assert found.corrected


def test_known_cases_that_are_few_widen_the_bounds():
    many, few = (correct(9, 300, errors(9 * n, 10 * n, n, 100 * n)) for n in (50, 1))
    assert many.estimate == pytest.approx(few.estimate)
    assert few.high - few.low > 1.1 * (many.high - many.low)


def test_where_nothing_was_found_the_bound_is_that_of_none_found():
    """Divided by the rate at which reviewers see a defect: what they missed may be there."""
    found = correct(0, 300, ReviewerErrors.known(0.8, 0.02))
    assert (found.estimate, found.low) == (0, 0)
    assert found.high == pytest.approx((1 - 0.025 ** (1 / 300)) / 0.8, rel=0.1)  # of 4,000 draws


def test_fewer_alarms_than_expected_do_not_prove_that_there_is_no_defect():
    found = correct(1, 300, ReviewerErrors.known(0.9, 0.05))
    assert found.estimate == 0
    assert found.high >= 1 - 0.025 ** (1 / 300)


@pytest.mark.parametrize("known", [None, errors(0, 0, 0, 0), errors(5, 5, 0, 0), errors(1, 10, 5, 10)])
def test_without_usable_known_cases_nothing_is_corrected(known):
    found = correct(3, 300, known)
    assert not found.corrected
    assert found.estimate == pytest.approx(0.01)


def test_without_draws_everything_is_possible():
    found = correct(0, 0, ReviewerErrors.known(0.9, 0.01))
    assert (found.estimate, found.low, found.high) == (None, 0, 1)


@pytest.mark.parametrize(
    ("found", "count"), [(-1.0, 5.0), (6.0, 5.0), (2.0, float("inf")), (float("nan"), 3.0)]
)
def test_impossible_rates_are_refused(found, count):
    with pytest.raises(BadInput, match="rate of reviewers"):
        Rate(found, count)


@pytest.mark.parametrize("truth", [0.002, 0.01, 0.05])
def test_bounds_cover_the_truth_and_are_little_wider_than_with_known_errors(truth):
    """Short; benchmarks/quality.py and tests/long simulate whole months."""
    rng = np.random.default_rng(int(truth * 1000))
    inside, widths, alike = 0, 0.0, 0.0
    exact = ReviewerErrors.known(0.9, 0.005)
    for _ in range(MONTHS):
        share = observed(rng.binomial(300, truth * 0.9 + (1 - truth) * 0.005), 300)
        known = errors(rng.binomial(200, 0.9), 200, rng.binomial(600, 0.005), 600)
        found, other = (correct_share(share, each, rng) for each in (known, exact))
        inside += found.low <= truth <= found.high
        widths += found.high - found.low
        alike += other.high - other.low
    assert inside >= 0.92 * MONTHS  # .93 of 500, see tests/long
    assert widths <= 1.3 * alike
