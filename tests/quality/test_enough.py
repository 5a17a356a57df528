"""The rule that says whether a number is told: attacked with few draws, bad reviewers, small periods."""

import math

import numpy as np
import pytest
from tests.quality.conftest import data

from steelsight.quality.agreement import Agreement
from steelsight.quality.certificate import Certified, certificate_state
from steelsight.quality.correction import Rate, ReviewerErrors, correct_share
from steelsight.quality.enough import (
    MOST,
    WIDEST_KAPPA,
    WIDEST_SHARE,
    Lack,
    need_of_agreement,
    need_of_certificate,
    need_of_ratio,
    need_of_share,
)
from steelsight.quality.escape import Ratio
from steelsight.quality.shares import SampleShare

MANY = 10**9


def rng():
    return np.random.default_rng(0)


def observed(found, draws, each=1.0):
    share = found / draws if draws else math.nan
    return SampleShare(share, max(1.0, draws * each) if draws else 0.0, round(found), draws, draws)


def need(found, draws, *, errors=None, sheets=MANY, each=1.0):
    share = correct_share(observed(found, draws, each), errors, rng())
    spread = errors.seen.estimate - errors.alarms.estimate if errors is not None and errors.measured else 1.0
    return need_of_share(share, sheets, spread=spread), share


@pytest.mark.parametrize("each", [1.0, 0.3])
@pytest.mark.parametrize("draws", [0, 1, 2, 5, 20, 35, 36, 60, 150, 400])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.97, 1.0])
def test_a_number_is_told_only_with_a_narrow_interval_and_else_draws_are_missing(share, draws, each):
    found, estimate = need(round(share * draws), draws, each=each)
    if found.known:
        assert draws
        assert estimate.high - estimate.low <= WIDEST_SHARE
    else:
        assert found.lack is Lack.DRAWS
        assert 1 <= found.draws <= MOST


@pytest.mark.parametrize(("hit", "draws"), [(0, 3), (0, 20), (1, 30), (5, 50), (30, 30), (3, 100)])
def test_so_many_more_draws_are_enough_if_they_find_the_same(hit, draws):
    found, _ = need(hit, draws)
    after = draws + found.draws
    again, _ = need(hit / draws * after, after)
    assert again.known or again.draws <= max(2, 0.05 * after)  # drawn bounds differ a little from exact ones
    if found.draws < 0.2 * draws:
        return
    much_less = draws + found.draws // 2
    assert not need(hit / draws * much_less, much_less)[0].known


def test_fewest_draws_without_a_find_are_those_of_the_exact_bound():
    found, _ = need(0, 0)
    assert found.draws == math.ceil(math.log(0.025) / math.log(1 - WIDEST_SHARE))


def test_more_draws_do_not_help_against_reviewers_who_are_not_known():
    errors = ReviewerErrors(Rate(3.0, 5.0), Rate(1.0, 6.0))
    for draws in (200, 5000):
        found, _ = need(draws // 5, draws, errors=errors)
        assert found.lack is Lack.CASES
        assert found.draws == 0
    known = ReviewerErrors(Rate(2700.0, 3000.0), Rate(15.0, 3000.0))
    assert need(60, 3000, errors=known)[0].known


def test_reviewers_who_see_nothing_are_not_taken_for_perfect():
    blind = ReviewerErrors(Rate(5.0, 100.0), Rate(5.0, 100.0))
    found, share = need(0, 300, errors=blind)
    assert not share.corrected  # which the page says beside the number
    assert found.known


def test_no_more_draws_are_asked_for_than_there_are_sheets():
    assert need(0, 5, sheets=5)[0].lack is Lack.SHEETS
    assert need(2, 20, sheets=40)[0].lack is Lack.SHEETS
    assert need(0, 0, sheets=0)[0].lack is Lack.NO_SHEETS
    assert need(0, 0, sheets=10)[0].lack is Lack.SHEETS
    assert need(0, 0, sheets=40)[0] == need(0, 0)[0]


def outcomes(passed, rejected, referred=0):
    return {"passed": passed, "rejected": rejected, "referred": referred}


def test_a_ratio_needs_draws_of_every_outcome():
    wide = Ratio(None, 0.0, 1.0)
    empty = need_of_ratio(wide, outcomes(1000, 4), outcomes(300, 0))
    assert (empty.lack, empty.draws) == (Lack.DRAWS, 4)  # there are no more rejected sheets
    assert need_of_ratio(wide, outcomes(0, 0), outcomes(0, 0)).lack is Lack.NO_SHEETS
    assert need_of_ratio(wide, outcomes(1000, 100), outcomes(300, 50)).lack is Lack.NONE_FOUND
    assert need_of_ratio(Ratio(0.5, 0.0, 1.0), outcomes(10, 10), outcomes(10, 10)).lack is Lack.SHEETS
    some = need_of_ratio(Ratio(0.5, 0.2, 0.8), outcomes(MANY, 1000), outcomes(50, 50))
    assert (some.lack, some.draws) == (Lack.DRAWS, 300)
    assert need_of_ratio(Ratio(0.5, 0.4, 0.6), outcomes(1000, 1000), outcomes(50, 50)).known


def test_an_estimate_that_is_none_is_never_known():
    assert not need_of_ratio(Ratio(None, 0.1, 0.1), outcomes(9, 9), outcomes(9, 9)).known
    assert not need(0, 0)[0].known


@pytest.mark.parametrize(
    ("found", "lack"),
    [
        (Agreement(None, None, None, 0, 0), Lack.DRAWS),
        (Agreement(None, None, None, 9, 9, "all labels are one"), Lack.ALIKE),
        (Agreement(0.8, None, None, 8, 9, "all pairs are of one coil"), Lack.COILS),
        (Agreement(0.5, -0.2, 1.0, 8, 12), Lack.DRAWS),
        (Agreement(0.8, 0.7, 0.9, 90, 100), Lack.NOTHING),
    ],
)
def test_agreement_is_told_with_a_narrow_interval(found, lack):
    wanted = need_of_agreement(found)
    assert wanted.lack is lack
    if found.pairs and lack is Lack.DRAWS:
        assert wanted.draws == math.ceil(12 * (1.2 / WIDEST_KAPPA) ** 2) - 12


def test_a_certificate_without_draws_is_not_known():
    state = certificate_state(data(()), Certified(0.05, 0.3))
    assert need_of_certificate(state, 0).lack is Lack.NO_SHEETS
    assert need_of_certificate(state, 1000).draws > 0
