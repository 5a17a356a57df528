"""Drift: distances against the samples' own, and readings that chance alone does not make."""

import numpy as np
import pytest
from scipy import stats

from steelsight.runtime.drift import (
    LEVELS,
    SURE,
    UNDECIDED,
    chi_square,
    class_shares,
    compare_statistics,
    gray_statistics,
    training_statistics,
)

NAMES = ("none", "type 1", "type 2")
LABELS = ["none"] * 800 + ["type 1"] * 150 + ["type 2"] * 50


def draw(rng, n=1000, shift=0.0, scale=1.0):
    return {
        "gray_mean": rng.normal(110 + shift, 20 * scale, n),
        "gray_spread": rng.gamma(9, 2, n),
        "confidence": rng.beta(8, 1, n),
        "distance": rng.chisquare(12, n) ** 0.5,
    }


def usual(rng, n=1000, labels=LABELS):
    return training_statistics(*draw(rng, n).values(), labels, NAMES)


def compare(known, found, labels=LABELS):
    told = compare_statistics(known, found, class_shares(labels, NAMES), NAMES)
    return {each.name: each for each in told}


def test_gray_statistics_are_mean_and_standard_deviation(rng):
    images = rng.integers(0, 256, (3, 64, 400), dtype=np.uint8)
    means, spreads = gray_statistics(images)
    np.testing.assert_allclose(means, images.mean(axis=(1, 2)), rtol=1e-5)  # float32 sums
    np.testing.assert_allclose(spreads, images.std(axis=(1, 2)), rtol=1e-5)
    assert gray_statistics(np.zeros((1, 2, 2), np.uint8))[1] == 0


def test_sheets_of_the_same_distribution_show_no_drift(rng):
    told = compare(usual(rng), draw(rng, 900))
    assert {each.level for each in told.values()} == {"as usual"}
    assert {each.reading for each in told.values()} == {"like the calibration sheets"}


@pytest.mark.parametrize(
    ("shift", "level", "reading"),
    [
        (30, "clear", "brighter than the calibration sheets"),
        (-30, "clear", "darker than the calibration sheets"),
        (6, "slight", "slightly brighter than the calibration sheets"),
    ],
)
def test_brighter_and_darker_sheets_are_named(rng, shift, level, reading):
    told = compare(usual(rng), draw(rng, shift=shift))
    assert (told["gray_mean"].level, told["gray_mean"].reading) == (level, reading)
    assert told["gray_spread"].level == "as usual"


def test_another_spread_and_a_larger_distance_are_named(rng):
    found = draw(rng, 5001, scale=4)
    found["gray_mean"] += 110 - np.median(found["gray_mean"])
    found["distance"] *= 2
    known = usual(rng)
    found["gray_mean"] += known.gray_mean[25] - 110
    told = compare(known, found)
    assert told["gray_mean"].reading == "spread differently than the calibration sheets"
    assert told["distance"].reading == "farther from the training sheets than the calibration sheets"


def test_the_distance_is_that_of_the_samples(rng):
    sample = draw(rng, 4000)
    known = training_statistics(*sample.values(), LABELS, NAMES)
    found = draw(rng, 700, shift=12, scale=1.3)
    expected = stats.ks_2samp(sample["gray_mean"], found["gray_mean"]).statistic
    assert (
        abs(compare(known, found)["gray_mean"].difference - expected) < 0.02
    )  # half a step of the quantiles


def test_equal_values_are_a_jump_and_not_a_drift():
    same = dict.fromkeys(("gray_mean", "gray_spread", "confidence", "distance"), np.full(500, 0.5))
    known = training_statistics(*same.values(), LABELS[:500], NAMES)
    told = compare(known, same)
    assert told["gray_mean"].difference == 0
    assert compare(known, {**same, "gray_mean": np.full(500, 0.75)})["gray_mean"].difference == 1


def test_few_sheets_are_undecided_whatever_they_show(rng):
    for shift in (0, 10, 100):
        found = {name: values[:5] for name, values in draw(rng, shift=shift).items()}
        told = compare(usual(rng), found, ["type 2"] * 5)
        assert {each.level for each in told.values()} == {UNDECIDED}
        assert told["gray_mean"].reading == (
            "5 scanned and 1,000 calibration sheets are too few: at least 10 sheets and 10 "
            "calibration sheets are needed"
        )


def test_calibration_sheets_count_by_their_groups(rng):
    labels = ["none"] * 13 + ["type 1"] * 8 + ["type 2"] * 5
    sheets = {name: np.repeat(values, 6)[:26] for name, values in draw(rng, 5).items()}
    far = draw(rng, 300, shift=200)
    found = ["type 2"] * 300
    by_sheets = training_statistics(*sheets.values(), labels, NAMES)
    by_groups = training_statistics(*sheets.values(), labels, NAMES, groups=5)
    assert compare(by_sheets, far, found)["gray_mean"].level == "clear"
    told = compare(by_groups, far, found)
    assert {each.level for each in told.values()} == {UNDECIDED}
    assert "26 calibration sheets of 5 groups are too few" in told["shares"].reading


@pytest.mark.parametrize(
    ("groups", "size", "scanned"), [(10, 3, 200), (12, 1, 12), (26, 1, 223), (40, 6, 400)]
)
def test_clustered_sheets_of_one_distribution_seldom_show_a_drift(rng, groups, size, scanned):
    alarms = 0
    for _ in range(200):
        values = np.repeat(rng.normal(100, 5, groups), size)
        labels = np.repeat(rng.choice(NAMES, groups, p=(0.7, 0.25, 0.05)), size).tolist()
        known = training_statistics(*[values, values, values / 200, values], labels, NAMES, groups=groups)
        found = dict.fromkeys(("gray_spread", "confidence", "distance"), values[:0])
        now = rng.choice(NAMES, scanned, p=(0.7, 0.25, 0.05)).tolist()
        told = compare(known, {"gray_mean": rng.normal(100, 5, scanned), **found}, now)
        alarms += sum(each.level in ("slight", "clear") for each in told.values())
    assert alarms <= 13  # 400 comparisons at 1 %: more than 13 have a probability below .0001


@pytest.mark.parametrize("scanned", [10, 30, 100, 1000])
@pytest.mark.parametrize("groups", [10, 30, 100, 1000])
def test_no_sentence_claims_what_so_few_sheets_cannot_show(rng, groups, scanned):
    known = training_statistics(*draw(rng, 1000).values(), LABELS, NAMES, groups=groups)
    for shift in (0, 5, 10, 20, 40):
        for each in compare(known, draw(rng, scanned, shift=shift), (LABELS * 2)[: scanned * 2 : 2]).values():
            if each.level in ("slight", "clear"):
                assert each.difference >= each.by_chance
                assert "than the calibration sheets" in each.reading or "of the calibration" in each.reading
            if each.level == "as usual":
                assert each.difference < max(each.by_chance, 0.1)
                assert each.by_chance <= 0.25
            if "than" in each.reading or each.reading.startswith("like"):
                assert each.level != UNDECIDED
            assert "in training" not in each.reading


def test_a_class_without_calibration_sheets_has_a_bound(rng):
    labels = ["none"] * 18 + ["type 1"] * 8
    known = training_statistics(*draw(rng, 26).values(), labels, NAMES)
    told = compare(known, draw(rng, 300), ["none"] * 100 + ["type 1"] * 50 + ["type 2"] * 150)["shares"]
    assert told.reading == (
        "type 2: 50% [44%, 56%] of the scanned sheets, 0% [0%, 13%] of the calibration sheets"
    )


def test_cards_without_groups_count_sheets(rng):
    assert usual(rng).independent == 1000
    assert training_statistics(*draw(rng).values(), LABELS, NAMES, groups=40).independent == 40


def test_class_shares_and_their_index(rng):
    assert class_shares(["a", "a + b", "none", "b"], ("a", "b")) == (0.5, 0.5)
    assert class_shares(["ok_back + ok_front", "a"], ("ok_back + ok_front", "a")) == (0.5, 0.5)
    labels = ["none"] * 500 + ["type 1"] * 450 + ["type 2"] * 50
    told = compare(usual(rng), draw(rng), labels)["shares"]
    e, f = np.array([0.8, 0.15, 0.05]), np.array([0.5, 0.45, 0.05])
    assert told.difference == pytest.approx(
        ((f - e) * np.log(f / e)).sum(), rel=0.02
    )  # half a sheet is added
    assert told.level == "clear"
    assert (
        told.reading
        == "type 1: 45% [42%, 48%] of the scanned sheets, 15% [13%, 17%] of the calibration sheets"
    )


def test_shares_of_types_that_occur_together(rng):
    known = training_statistics(*draw(rng).values(), ["a + b"] * 500 + ["none"] * 500, ("a", "b"))
    told = compare_statistics(known, draw(rng), (0.9, 0.5), ("a", "b"))[-1]
    assert told.level == "clear"
    assert told.reading.startswith("a: 90% [88%, 92%] of the scanned sheets, 50% [")


def test_properties_without_values_are_left_out(rng):
    sample = draw(rng)
    sample["distance"] = np.full(1000, np.nan)
    known = training_statistics(*sample.values(), LABELS, NAMES)
    assert known.distance == ()
    assert len(known.gray_mean) == len(LEVELS)
    assert "distance" not in compare(known, draw(rng))
    assert compare(known, {name: values[:0] for name, values in sample.items()}, []) == {}


def test_the_chi_square_quantile_is_within_1_percent_of_scipys():
    for free in range(1, 12):
        assert chi_square(free, SURE) == pytest.approx(stats.chi2.isf(SURE, free), rel=0.01)
