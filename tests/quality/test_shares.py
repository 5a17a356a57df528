"""Shares from draws with unequal probabilities: by hand, against exact bounds, and by coils."""

import numpy as np
import pytest
from scipy.stats import beta

from steelsight.errors import BadInput
from steelsight.quality.shares import hajek_share


def share(found, probabilities, coils=None):
    found = np.array(found, dtype=bool)
    coils = np.arange(found.size) if coils is None else np.array(coils, dtype=np.int64)
    return hajek_share(found, np.full(found.size, probabilities, dtype=np.float64), coils)


def test_every_draw_stands_for_the_sheets_it_was_drawn_from():
    found = np.array([True, False, True, False])
    probabilities = np.array([0.1, 0.1, 0.5, 0.5])
    result = hajek_share(found, probabilities, np.arange(4))
    assert result.estimate == pytest.approx((10 + 2) / (10 + 10 + 2 + 2))
    assert result.effective <= 24**2 / (2 * 100 + 2 * 4)
    assert (result.found, result.draws, result.coils) == (2, 4, 4)


def test_equal_draws_from_as_many_coils_have_clopper_and_pearsons_bounds():
    result = share([True] * 3 + [False] * 297, 0.01)
    assert result.effective == pytest.approx(299, rel=0.005)
    low, high = result.bounds
    assert low == pytest.approx(float(beta.ppf(0.025, 3, 298)), rel=0.01)
    assert high == pytest.approx(float(beta.ppf(0.975, 4, 297)), rel=0.01)


def test_where_none_was_found_the_bound_is_exact_and_by_coils_it_is_wider():
    result = share([False] * 300, 0.01, np.repeat(np.arange(100), 3))
    assert result.bounds == (0, pytest.approx(1 - 0.025 ** (1 / 300)))
    assert result.bound_by_coils == pytest.approx(1 - 0.025 ** (1 / 100))
    assert share([True, False], 0.01).bound_by_coils is None


def test_unequal_weights_count_as_fewer_draws():
    found = np.zeros(100, dtype=bool)
    probabilities = np.r_[np.full(50, 0.01), np.full(50, 0.1)]
    weights = 1 / probabilities
    result = hajek_share(found, probabilities, np.arange(100))
    assert result.effective == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert result.bounds[1] > share([False] * 100, 0.05).bounds[1]


def test_draws_of_coils_that_are_alike_count_as_the_coils():
    found = np.repeat(np.arange(40) < 10, 5)
    coils = np.repeat(np.arange(40), 5)
    assert share(found, 0.01, coils).effective == pytest.approx(40, rel=0.1)
    assert share(found, 0.01).effective == pytest.approx(200, rel=0.05)


@pytest.mark.parametrize("coils", [30, 8])
def test_bounds_cover_where_coils_differ(coils):
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(300):
        rates = rng.beta(0.1 * 9, 0.9 * 9, coils)  # a correlation of .1 within coils
        found = rng.random((coils, 10)) < rates[:, None]
        low, high = share(found.ravel(), 0.01, np.repeat(np.arange(coils), 10)).bounds
        inside += low <= 0.1 <= high
    assert inside >= 0.9 * 300  # the effective number is itself estimated, from few coils


def test_without_draws_nothing_is_known():
    result = share([], 0.01)
    assert np.isnan(result.estimate)
    assert result.bounds == (0, 1)


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.5, float("nan")])
def test_impossible_probabilities_are_refused(probability):
    with pytest.raises(BadInput, match="probability of inclusion"):
        share([True], probability)


def test_lists_of_different_length_are_refused():
    with pytest.raises(BadInput, match="got 2, 1 and 2"):
        hajek_share(np.array([True, False]), np.array([0.1]), np.arange(2))
