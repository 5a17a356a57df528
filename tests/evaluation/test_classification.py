"""The report: against scikit-learn's metrics, with intervals that have width; bad input is refused."""

import json

import numpy as np
import pytest
from sklearn import metrics

from steelsight.errors import BadInput
from steelsight.evaluation.answers import multi_type_right
from steelsight.evaluation.classification import auc_interval, classification_report
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.evaluation.measures import roc_curves

NAMES = ("none", "chips", "crack", "scratches", "patches")


def _sample(rng, rows=300, classes=5):
    labels = rng.integers(0, classes, rows)
    scores = rng.random((rows, classes)) + 0.6 * np.eye(classes)[labels]
    return labels, scores / scores.sum(axis=1, keepdims=True)


def test_headline_figures_are_scikit_learns(rng):
    labels, probabilities = _sample(rng)
    report = classification_report(labels, probabilities, NAMES, rng=rng, resamples=50)
    verdicts = probabilities.argmax(axis=1)
    assert report.accuracy.estimate == pytest.approx(metrics.accuracy_score(labels, verdicts))
    balanced = metrics.balanced_accuracy_score(labels, verdicts)
    assert report.balanced_accuracy.estimate == pytest.approx(balanced)
    for name in ("weighted", "macro"):
        expected = metrics.f1_score(labels, verdicts, average=name)
        assert getattr(report, f"f1_{name}").estimate == pytest.approx(expected)
    area = metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert report.auc.estimate == pytest.approx(area)
    expected = metrics.classification_report(labels, verdicts, target_names=NAMES, output_dict=True)
    for one in report.classes:
        assert one.precision.estimate == pytest.approx(expected[one.name]["precision"])
        assert one.recall.estimate == pytest.approx(expected[one.name]["recall"])
        assert one.f1.estimate == pytest.approx(expected[one.name]["f1-score"])
        assert one.sheets == expected[one.name]["support"]
    for interval in (report.accuracy, report.balanced_accuracy, report.f1_macro, report.auc):
        assert interval.low < interval.estimate < interval.high


def test_two_classes_report_the_defects_area(rng):
    labels, probabilities = _sample(rng, classes=2)
    report = classification_report(labels, probabilities, ("none", "defect"), rng=rng, resamples=20)
    assert report.auc.estimate == pytest.approx(metrics.roc_auc_score(labels, probabilities[:, 1]))
    assert list(roc_curves(labels, probabilities, ("none", "defect"))) == ["defect"]


def test_weights_shift_the_shares(rng):
    labels, probabilities = _sample(rng)
    weights = np.array([8.0, 1, 1, 1, 1])[labels]
    report = classification_report(labels, probabilities, NAMES, rng=rng, resamples=20, weights=weights)
    expected = metrics.accuracy_score(labels, probabilities.argmax(axis=1), sample_weight=weights)
    assert report.accuracy.estimate == pytest.approx(expected)


def test_vectorised_draws_are_the_slow_ones(rng):
    """The same draws, metric by metric through scikit-learn, give the same bounds."""
    labels, probabilities = _sample(rng, rows=60, classes=3)
    seed = 7
    fast = classification_report(
        labels, probabilities, NAMES[:3], rng=np.random.default_rng(seed), resamples=40
    )
    drawn = np.random.default_rng(seed).integers(0, 60, (40, 60))
    slow = [
        metrics.roc_auc_score(labels[rows], probabilities[rows], multi_class="ovr", average="macro")
        for rows in drawn
    ]
    assert (fast.auc.low, fast.auc.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]))


def test_multi_type_sheets_are_right_for_any_of_their_types_and_counted_apart(rng):
    probabilities = np.eye(5)[[0, 1, 1, 3, 2]]
    labels = np.array([0, 1, -1, -1, 3])
    alternatives = [(0,), (1,), (1, 3), (1, 4), (3,)]
    report = classification_report(
        labels, probabilities, NAMES, rng=rng, resamples=20, alternatives=alternatives
    )
    assert (report.sheets, report.accuracy.estimate) == (3, pytest.approx(2 / 3))
    assert (report.multi_type.sheets, report.multi_type.right) == (2, 1)
    assert report.accuracy_with_multi_type.estimate == pytest.approx(3 / 5)
    assert report.confusion.sum() == 3
    assert multi_type_right(np.array([1, 3]), [(1, 3), (1, 4)]).tolist() == [True, False]


def test_resamples_without_a_class_are_counted(rng):
    labels = np.array([0] * 20 + [1])
    probabilities = np.tile([0.7, 0.3], (21, 1))
    report = classification_report(labels, probabilities, ("none", "defect"), rng=rng, resamples=200)
    assert 40 < report.undefined["auc"] < 110  # (20/21)^21 = .36 of 200 is 72, standard deviation 7
    assert report.undefined["balanced_accuracy"] == report.undefined["auc"]
    assert "accuracy" not in report.undefined


def test_a_class_of_one_group_gives_no_bounds_that_depend_on_it(rng):
    labels = np.array([0] * 20 + [1] * 3)
    probabilities = np.tile([0.7, 0.3], (23, 1)) + rng.uniform(-0.2, 0.2, (23, 1)) * [1, -1]
    groups = [f"tile {i}" for i in range(20)] + ["coil"] * 3
    report = classification_report(labels, probabilities, ("none", "defect"), groups=groups, rng=rng)
    for interval in (report.auc, report.balanced_accuracy, report.f1_macro, report.classes[1].f1):
        assert np.isnan([interval.low, interval.high]).all()
        assert not np.isnan(interval.estimate)
    assert report.accuracy.low < report.accuracy.high
    assert any("one group only of defect" in note for note in report.notes)
    assert np.isnan(auc_interval(labels == 1, probabilities[:, 1], groups, rng=rng).low)


def test_twelve_right_sheets_keep_bounds_below_1(rng):
    labels, groups = np.repeat([0, 1, 2], [8, 8, 12]), np.repeat(np.arange(14), 2)  # 4, 4 and 6 groups
    probabilities = np.eye(3)[labels] * 0.97 + 0.01
    report = classification_report(labels, probabilities, NAMES[:3], groups=groups, rng=rng, resamples=50)
    lows = [wilson(count, count).low for count in (4, 4, 6)]
    for name in ("recall", "precision", "f1"):
        assert [getattr(one, name).low for one in report.classes] == pytest.approx(lows)
    for found in (report.balanced_accuracy, report.f1_macro):
        assert (found.estimate, found.low, found.high) == pytest.approx((1, np.mean(lows), 1))
    for found in (report.accuracy, report.f1_weighted):
        assert (found.estimate, found.low, found.high) == pytest.approx((1, wilson(14, 14).low, 1))
    # Pairs of one class against the rest: 4 groups against 10, 4 against 10, 6 against 8.
    assert [one.auc.low for one in report.classes] == pytest.approx(lows)
    assert (report.auc.low, report.auc.high) == pytest.approx((np.mean(lows), 1))
    two = classification_report(labels % 2, np.eye(2)[labels % 2], NAMES[:2], groups=groups, rng=rng)
    assert two.auc.low == pytest.approx(wilson(4, 4).low)
    alone = auc_interval(labels == 2, labels.astype(float), groups, rng=rng, resamples=50)
    assert (alone.low, alone.high) == pytest.approx((wilson(6, 6).low, 1))


def test_constant_verdicts_have_no_bounds_of_balanced_accuracy(rng):
    """It is one half whatever the sheets are; the other figures keep bounds with width."""
    report = classification_report(
        np.repeat([0, 1], 12), np.tile([0.9, 0.1], (24, 1)), NAMES[:2], rng=rng, resamples=50
    )
    assert report.balanced_accuracy.estimate == 0.5
    assert np.isnan([report.balanced_accuracy.low, report.balanced_accuracy.high]).all()
    assert f"every verdict is {NAMES[0]}: no bounds for balanced accuracy" in report.notes
    assert report.accuracy.low < 0.5 < report.accuracy.high
    assert report.auc.low < 0.5 < report.auc.high
    assert report.classes[1].f1.high > 0.1


def test_a_single_class_is_reported_with_the_reason(rng):
    probabilities = np.tile([0.9, 0.1], (6, 1))
    report = classification_report(np.zeros(6, int), probabilities, ("none", "defect"), rng=rng, resamples=10)
    assert np.isnan(report.auc.estimate)
    assert any("AUC undefined" in note for note in report.notes)
    assert any("no sheet of defect" in note for note in report.notes)
    assert report.as_dict()["auc"]["estimate"] is None
    json.dumps(report.as_dict(), allow_nan=False)
    assert 0.5 < report.accuracy.low < 1  # six right of six are no proof of perfection


def test_a_single_group_has_no_intervals(rng):
    labels, probabilities = _sample(rng, rows=20, classes=2)
    report = classification_report(labels, probabilities, NAMES[:2], groups=["coil"] * 20, rng=rng)
    assert np.isnan(report.accuracy.low)
    assert report.undefined == {}
    assert any("one group" in note for note in report.notes)


def test_the_auc_of_a_score_has_bounds(rng):
    positive = rng.random(200) < 0.5
    scores = rng.random(200) + 0.5 * positive
    found = auc_interval(positive, scores, rng=rng, resamples=100)
    assert found.low < found.estimate < found.high
    assert found.estimate == pytest.approx(metrics.roc_auc_score(positive, scores))


def _report(labels, probabilities, **options):
    rng = np.random.default_rng(0)
    return classification_report(
        np.array(labels), np.array(probabilities), ("none", "defect"), rng=rng, **options
    )


@pytest.mark.parametrize(
    ("labels", "probabilities", "options", "message"),
    [
        ([0, 1], [[0.5, 0.5], [np.nan, 0.5]], {}, "probabilities row 1: expected finite numbers"),
        (
            [0, 1],
            [[0.5, 0.5], [0.6, 0.6]],
            {},
            "row 1: expected shares of 0..1 that sum to 1, got a sum of 1.2",
        ),
        ([0, 1], [[0.5, 0.5], [1.5, -0.5]], {}, "a smallest of -0.5"),
        ([0, 1], [[3.0, -1.0], [0.5, 0.5]], {}, "these may be logits: apply softmax first"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], {}, "labels: expected class indices from 0 to 1, got 2 at row 1"),
        ([0, -1], [[0.5, 0.5], [0.5, 0.5]], {}, "got -1 at row 1"),
        (
            [0, 1],
            [[1.0], [1.0]],
            {},
            "expected 2 rows of 2, one row a label and one column a class, got 2 rows of 1",
        ),
        ([0], [[0.5, 0.5], [0.5, 0.5]], {}, "expected 1 rows of 2"),
        ([0, 1], [[0.5, 0.5]] * 2, {"groups": ["a"]}, "groups: expected 2, one a sheet, got 1"),
        ([0, 1], [[0.5, 0.5]] * 2, {"alternatives": [(0,)]}, "alternatives: expected 2, one a label, got 1"),
        ([-1, -1], [[0.5, 0.5]] * 2, {"alternatives": [(0, 1)] * 2}, "2 sheets that all have several"),
        ([0, 1], [[0.5, 0.5]] * 2, {"weights": np.array([-1.0, 1.0])}, "weights: expected 2 finite numbers"),
    ],
)
def test_bad_input_is_refused(labels, probabilities, options, message):
    with pytest.raises(BadInput, match=message):
        _report(labels, probabilities, **options)
