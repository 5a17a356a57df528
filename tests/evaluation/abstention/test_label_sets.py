"""Label sets: coverage of each class against its exact distribution, and what no calibration may break."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, betabinom, binom

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.label_sets import (
    fewest_sheets,
    fit_set_thresholds,
    label_sets,
    left_out,
    set_words,
)

SIZES = (40, 9, 25)  # calibration sheets of each class


def draw(rng, labels, classes=3, skill=1.0):
    """Probabilities of a model of this skill: softmax of noise, raised for the true class."""
    logits = rng.normal(size=(labels.size, classes))
    logits[np.arange(labels.size), labels] += skill
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def fit(probabilities, labels, seed=0, **options):
    return fit_set_thresholds(probabilities, labels, rng=np.random.default_rng(seed), **options)


@pytest.mark.parametrize("skill", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("coverage", [0.9, 0.6])
def test_each_class_is_covered_as_the_beta_binomial_distribution_says(skill, coverage):
    """The number of covered sheets among m further ones is beta-binomial, whatever the model is worth."""
    rng = np.random.default_rng([int(10 * skill), int(10 * coverage)])
    labels, further, runs = np.repeat(range(3), SIZES), np.repeat(range(3), 100), 600
    covered = np.zeros((runs, 3), dtype=int)
    for run in range(runs):
        thresholds = fit(draw(rng, labels, skill=skill), labels, run, coverage=coverage)
        fresh = draw(rng, further, skill=skill)
        own = fresh[np.arange(300), further] >= np.array(thresholds.least)[further]
        covered[run] = own.reshape(3, 100).sum(axis=1)
    for index, size in enumerate(SIZES):
        free = left_out(size, coverage)
        law = betabinom(100, size + 1 - free, free)
        mean, error = law.mean(), law.std() / np.sqrt(runs)
        assert abs(covered[:, index].mean() - mean) < 4 * error  # missed once in 16,000 tests
        assert mean / 100 >= coverage - 1e-12
        for quantile in (0.1, 0.5, 0.9):
            at = law.ppf(quantile)
            expected, found = law.cdf(at), (covered[:, index] <= at).sum()
            assert binom.cdf(found, runs, expected) > 1e-4
            assert binom.sf(found - 1, runs, expected) > 1e-4


def test_thresholds_are_the_order_statistics_of_the_definition(rng):
    labels = np.repeat([0, 1], [19, 8])
    probabilities = draw(rng, labels, classes=2)
    found = fit(probabilities, labels)
    assert found.least == (np.sort(probabilities[:19, 0])[1], 0.0)  # floor(.1 * 20) = 2; 8 are one too few
    assert found.sheets == (19, 8)
    assert found.needed == (0, 1)
    assert label_sets(draw(rng, np.zeros(500, dtype=int), classes=2), found.least)[:, 1].all()


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_as_many_sheets_as_are_needed_leave_a_class_out(coverage):
    """Against floating point too: .1 * 10 is below 1 where .1 is 1 - .9."""
    fewest = fewest_sheets(coverage)
    assert left_out(fewest - 1, coverage) == 0
    assert left_out(fewest, coverage) == 1
    assert left_out(10 * fewest + 9, coverage) == 10


def test_a_class_without_a_sheet_is_in_every_set(rng):
    found = fit(draw(rng, np.zeros(30, dtype=int)), np.zeros(30, dtype=int))
    assert found.sheets == (30, 0, 0)
    assert found.needed == (0, 9, 9)
    assert label_sets(draw(rng, np.zeros(200, dtype=int), skill=9), found.least)[:, 1:].all()


def test_no_calibration_sheets_at_all_name_every_class():
    found = fit(np.zeros((0, 3)), np.zeros(0, dtype=int))
    assert found.least == (0, 0, 0)


@given(seed=st.integers(0, 2**32 - 1), low=st.floats(0.05, 0.95), high=st.floats(0.05, 0.95))
def test_a_larger_coverage_gives_larger_sets_and_the_most_probable_class_is_in_each(seed, low, high):
    rng = np.random.default_rng(seed)
    low, high = sorted((low, high))
    labels = rng.integers(0, 3, int(rng.integers(1, 80)))
    probabilities, fresh = draw(rng, labels), draw(rng, rng.integers(0, 3, 50))
    small, large = (
        label_sets(fresh, fit(probabilities, labels, coverage=coverage).least) for coverage in (low, high)
    )
    assert (small <= large).all()
    assert small[np.arange(50), fresh.argmax(axis=1)].all()


@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_sheets_and_the_names_of_the_classes_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 60)
    probabilities, order, names = draw(rng, labels), rng.permutation(60), rng.permutation(3)
    found = fit(probabilities, labels)
    assert fit(probabilities[order], labels[order]) == found
    renamed = fit(probabilities[:, names], np.argsort(names)[labels])
    assert renamed.least == tuple(np.array(found.least)[names])


def test_ties_do_not_lower_the_coverage():
    """A model that gives every sheet the same probabilities covers all of them."""
    labels = np.repeat([0, 1], 30)
    flat = np.full((60, 2), 0.5)
    assert label_sets(flat, fit(flat, labels).least).all()


def test_of_a_group_and_class_one_sheet_counts(rng):
    labels = np.repeat([0, 1], [40, 20])
    groups = [f"coil {i % 10}" for i in range(60)]
    assert fit(draw(rng, labels, classes=2), labels, groups=groups).sheets == (10, 10)
    equal = np.tile([[0.9, 0.1], [0.2, 0.8]], (30, 1))  # two kinds of sheets in one group
    drawn = {fit(equal, np.zeros(60, dtype=int), seed, groups=["a"] * 60, coverage=0.1) for seed in range(40)}
    assert {found.least[0] for found in drawn} == {0.9, 0.2}


def test_large_groups_of_alike_sheets_break_the_coverage_only_where_they_count_singly():
    """Ten sheets of a group share their noise: counted by group, the mean coverage of a new group holds."""
    runs, by_group, singly = 400, [], []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        own = np.repeat(rng.beta(4, 2, 12), 10)  # probability of the right class: 12 groups of 10 sheets
        probabilities, labels = np.stack([own, 1 - own], axis=1), np.zeros(120, dtype=int)
        least = fit(probabilities, labels, seed, groups=np.repeat(range(12), 10)).least[0]
        by_group.append(beta.sf(least, 4, 2))
        singly.append(beta.sf(fit(probabilities, labels, seed).least[0], 4, 2))
    error = np.std(by_group) / np.sqrt(runs)
    assert np.mean(by_group) > 0.9 - 3 * error
    assert np.mean(singly) < np.mean(by_group)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_a_coverage_outside_its_range_is_refused(rng, coverage):
    labels = np.zeros(20, dtype=int)
    with pytest.raises(BadInput, match=r"coverage: expected above 0 and below 1"):
        fit(draw(rng, labels), labels, coverage=coverage)


def test_labels_and_probabilities_that_do_not_fit_are_refused(rng):
    labels = np.array([0, 1, 2])
    probabilities = draw(rng, labels)
    with pytest.raises(BadInput, match="expected 3 labels, one a sheet, got 2"):
        fit(probabilities, labels[:2])
    with pytest.raises(BadInput, match="class indices from 0 to 2, got 3"):
        fit(probabilities, np.array([0, 1, 3]))
    with pytest.raises(BadInput, match="class indices from 0 to 2, got -1"):
        fit(probabilities, np.array([0, 1, -1]))
    with pytest.raises(BadInput, match="sum to 1"):
        fit(probabilities * 2, labels)
    with pytest.raises(BadInput, match="expected finite numbers"):
        fit(probabilities * np.nan, labels)


@pytest.mark.parametrize("least", [(0.5, 0.5), (0.1, 0.2, 1.5), (0.1, float("nan"), 0.2)])
def test_thresholds_that_do_not_fit_are_refused(rng, least):
    with pytest.raises(BadInput, match="expected 3 thresholds from 0 to 1"):
        label_sets(draw(rng, np.array([0])), least)


def test_sets_in_words():
    assert set_words([]) == ""
    assert set_words(["type 1"]) == "type 1"
    assert set_words(["none", "type 1", "type 3"]) == "none, type 1 or type 3"
