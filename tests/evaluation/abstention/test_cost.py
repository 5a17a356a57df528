"""The threshold of least cost against trying each one, and against prices of known result."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.cost import Prices, cheapest_threshold


def slow_cost(defective, verdict, confidence, prices, threshold, prevalence=None):
    """Cost a sheet, sheet by sheet; each side's mean weighed by its share."""
    bills = {True: [], False: []}
    for truth, said, sure in zip(defective, verdict, confidence, strict=True):
        if sure < threshold:
            bills[bool(truth)].append(prices.review)
        elif truth and not said:
            bills[True].append(prices.escape)
        else:
            bills[bool(truth)].append(prices.overkill if said and not truth else 0.0)
    share = defective.mean() if prevalence is None else prevalence
    return share * np.mean(bills[True]) + (1 - share) * np.mean(bills[False])


def population(rng, count=400):
    """Verdicts that are wrong the more often, the lower their confidence."""
    confidence = rng.uniform(0.5, 1, count)
    defective = rng.random(count) < 0.4
    wrong = rng.random(count) > confidence
    return defective, defective ^ wrong, confidence


@given(st.integers(2, 25), st.integers(0, 10**6), st.sampled_from([None, 0.01, 0.6]))
def test_no_other_threshold_costs_less(count, seed, prevalence):
    rng = np.random.default_rng(seed)
    defective, verdict = rng.random(count) < 0.5, rng.random(count) < 0.5
    defective[:2] = [True, False]
    confidence = rng.random(count).round(1)
    prices = Prices(*rng.uniform(0, 10, 3))
    found = cheapest_threshold(
        defective, verdict, confidence, prices, rng=rng, prevalence=prevalence, resamples=2
    )
    tried = {
        t: slow_cost(defective, verdict, confidence, prices, t, prevalence)
        for t in [0, *confidence, *(confidence + 0.05), np.inf]
    }
    assert found.cost_a_sheet.estimate == pytest.approx(min(tried.values()), abs=1e-12)
    assert tried[found.threshold] == pytest.approx(found.cost_a_sheet.estimate, abs=1e-12)
    assert found.cost_without_review == pytest.approx(tried[0])
    assert found.cost_all_review == pytest.approx(tried[np.inf]) == prices.review
    assert found.cost_a_sheet.estimate <= min(found.cost_without_review, prices.review) + 1e-12


def test_prices_move_the_threshold(rng):
    sheets = population(rng)
    coverages = [
        cheapest_threshold(*sheets, Prices(50.0, 50.0, review), rng=rng, resamples=2).coverage
        for review in (0.0, 2.0, 10.0, 20.0, 100.0)
    ]
    assert coverages == sorted(coverages)
    defective, verdict, confidence = sheets
    assert coverages[0] == pytest.approx((confidence > confidence[defective != verdict].max()).mean())
    assert coverages[-1] == 1


def test_free_review_takes_all_sheets_and_costly_review_none(rng):
    defective, verdict, confidence = population(rng)
    all_wrong = ~defective
    found = cheapest_threshold(defective, all_wrong, confidence, Prices(5.0, 5.0, 1.0), rng=rng, resamples=50)
    assert (found.threshold, found.coverage) == (np.inf, 0)
    assert found.cost_a_sheet.low == pytest.approx(1) == found.cost_a_sheet.high  # the price, nothing more
    dear = cheapest_threshold(defective, verdict, confidence, Prices(5.0, 5.0, 100.0), rng=rng, resamples=50)
    assert (dear.threshold, dear.coverage) == (0, 1)
    assert dear.cost_a_sheet.estimate == dear.cost_without_review


def test_of_equal_costs_the_threshold_with_least_review_is_chosen(rng):
    defective = np.array([True, False, True, False])
    found = cheapest_threshold(
        defective, defective, np.array([0.1, 0.2, 0.3, 0.4]), Prices(5.0, 5.0, 0.0), rng=rng, resamples=50
    )
    assert (found.threshold, found.coverage) == (0, 1)


def test_a_sample_without_errors_has_no_bounds(rng):
    defective = np.arange(40) % 2 == 0
    found = cheapest_threshold(defective, defective, rng.random(40), Prices(5.0, 5.0, 1.0), rng=rng)
    assert found.cost_a_sheet.estimate == 0
    assert np.isnan(found.cost_a_sheet.high)


def test_prevalence_weighs_as_repeated_sheets_do(rng):
    defective, verdict, confidence = population(rng, 100)
    goods = np.flatnonzero(~defective)
    rows = np.concatenate([np.flatnonzero(defective), np.tile(goods, 9)])
    prices = Prices(40.0, 5.0, 1.0)
    real = cheapest_threshold(defective[rows], verdict[rows], confidence[rows], prices, rng=rng, resamples=2)
    shifted = cheapest_threshold(
        defective, verdict, confidence, prices, rng=rng, prevalence=defective[rows].mean(), resamples=2
    )
    assert shifted.threshold == real.threshold
    assert shifted.cost_a_sheet.estimate == pytest.approx(real.cost_a_sheet.estimate)
    assert shifted.coverage == pytest.approx(real.coverage)
    assert shifted.cost_without_review == pytest.approx(real.cost_without_review)


@pytest.mark.parametrize("prevalence", [None, 0.1])
def test_the_interval_chooses_again_in_each_resample(prevalence):
    defective, verdict, confidence = population(np.random.default_rng(3), 60)
    prices = Prices(20.0, 10.0, 2.0)

    def choose(rows):
        return cheapest_threshold(
            defective[rows], verdict[rows], confidence[rows], prices,
            rng=np.random.default_rng(0), prevalence=prevalence, resamples=1,
        ).cost_a_sheet.estimate  # fmt: skip

    rng = np.random.default_rng(5)
    slow = [choose(rng.integers(0, 60, 60)) for _ in range(400)]
    found = cheapest_threshold(
        defective, verdict, confidence, prices, rng=rng, prevalence=prevalence, resamples=2000
    ).cost_a_sheet
    assert found.low <= found.estimate <= found.high
    # 400 draws place a 2.5 % quantile to about a tenth of the interval.
    wide = found.high - found.low
    assert np.quantile(slow, [0.025, 0.975]) == pytest.approx([found.low, found.high], abs=0.15 * wide)


def test_sheets_of_a_group_are_resampled_together(rng):
    sheets = [np.repeat(column, 8) for column in population(rng, 40)]
    groups = np.repeat(np.arange(40), 8)
    prices = Prices(20.0, 10.0, 4.0)
    alone = cheapest_threshold(*sheets, prices, rng=rng).cost_a_sheet
    grouped = cheapest_threshold(*sheets, prices, rng=rng, groups=groups).cost_a_sheet
    assert grouped.high - grouped.low > 1.8 * (alone.high - alone.low)  # sqrt(8) = 2.8 in the mean
    single = cheapest_threshold(*sheets, prices, rng=rng, groups=["coil"] * 320).cost_a_sheet
    assert np.isnan(single.low)
    assert single.estimate == alone.estimate
    wrong = sheets[0], ~sheets[0], sheets[2]
    reviewed = cheapest_threshold(*wrong, prices, rng=rng, groups=["coil"] * 320)
    assert reviewed.threshold == np.inf
    assert np.isnan(reviewed.cost_a_sheet.high)


@pytest.mark.parametrize("price", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["escape", "overkill", "review"])
def test_impossible_prices_are_refused(name, price):
    with pytest.raises(BadInput, match=f"price of {name}"):
        Prices(**{"escape": 1.0, "overkill": 1.0, "review": 1.0, name: price})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"defective": np.zeros(0, bool), "verdict": np.zeros(0, bool), "confidence": np.zeros(0)}, "0 def"),
        ({"defective": np.array([True, True])}, "good and defective"),
        ({"defective": np.array([False, False])}, "good and defective"),
        ({"verdict": np.array([True])}, "verdicts"),
        ({"confidence": np.array([0.5, np.nan])}, "finite"),
        ({"confidence": np.array([0.5])}, "expected 2"),
        ({"prevalence": 0.0}, "prevalence"),
        ({"prevalence": float("nan")}, "prevalence"),
        ({"groups": ["a"]}, "groups"),
        ({"resamples": 0}, "resamples"),
    ],
)
def test_bad_input_is_refused(change, message, rng):
    given = {"defective": np.array([True, False]), "verdict": np.array([True, False])}
    given |= {"confidence": np.array([0.5, 0.9])} | change
    columns = [given.pop(name) for name in ("defective", "verdict", "confidence")]
    with pytest.raises(BadInput, match=message):
        cheapest_threshold(*columns, Prices(1.0, 1.0, 1.0), rng=rng, **given)
