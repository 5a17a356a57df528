"""Verdicts scored together equal those scored alone: the full report, the paired bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.classification import classification_report
from steelsight.evaluation.intervals.bootstrap import paired_bootstrap
from steelsight.evaluation.measures import measure
from steelsight.evaluation.verdict_scores import SCORES, score_verdicts


def _case(rng, sheets=90, sets=3, classes=3):
    labels = np.arange(sheets) % classes
    wrong = rng.random((sets, sheets)) < np.linspace(0, 0.6, sets)[:, None]
    verdicts = np.where(wrong, rng.integers(0, classes, (sets, sheets)), labels)
    groups = [f"g{i // 4}" if i < 60 else "" for i in range(sheets)]
    return labels, verdicts, groups


def _probabilities(verdicts, classes=3):
    return np.where(np.eye(classes)[verdicts] == 1, 0.9, 0.1 / (classes - 1))


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_each_set_has_the_intervals_of_the_report(rng, grouped, weighted):
    labels, verdicts, groups = _case(rng)
    weights = rng.random(labels.size) + 0.2 if weighted else None
    common = {"groups": groups if grouped else None, "weights": weights, "resamples": 200}
    found = score_verdicts(labels, verdicts, 3, rng=np.random.default_rng(7), **common)
    for row, answers in enumerate(verdicts):  # the first set is right throughout: Wilson's bounds
        report = classification_report(
            labels, _probabilities(answers), "abc", rng=np.random.default_rng(7), **common
        )
        for score in SCORES:
            ours, theirs = found.interval(row, score), getattr(report, score)
            assert (ours.estimate, ours.low, ours.high) == pytest.approx(
                (theirs.estimate, theirs.low, theirs.high)
            )


def test_differences_are_the_paired_bootstraps(rng):
    labels, verdicts, groups = _case(rng)
    found = score_verdicts(labels, verdicts, 3, rng=np.random.default_rng(7), groups=groups, resamples=200)

    def metric(row, score):
        probabilities = _probabilities(verdicts[row])
        return lambda rows: float(
            measure(labels[rows], probabilities[rows], np.ones((1, rows.size)))[score][0]
        )

    for score in ("accuracy", "f1_weighted"):
        expected = paired_bootstrap(
            metric(2, score), metric(1, score), 90, groups, rng=np.random.default_rng(7), resamples=200
        )
        ours = found.difference(2, 1, score)
        assert ours.difference.estimate == pytest.approx(expected.difference.estimate)
        assert ours.difference.low == pytest.approx(expected.difference.low)
        assert ours.difference.high == pytest.approx(expected.difference.high)
        assert ours.share_above == expected.share_above


def test_one_group_has_no_bounds(rng):
    labels, verdicts, _ = _case(rng)
    found = score_verdicts(labels, verdicts, 3, rng=rng, groups=["one"] * 90)
    assert np.isnan(found.interval(1, "accuracy").low)
    assert np.isnan(found.difference(1, 0, "balanced_accuracy").difference.high)


def test_a_class_of_one_group_withdraws_the_mean_over_classes(rng):
    labels, verdicts, _ = _case(rng)
    groups = ["lone" if label == 2 else "" for label in labels.tolist()]
    found = score_verdicts(labels, verdicts, 3, rng=rng, groups=groups)
    assert np.isnan(found.interval(1, "balanced_accuracy").low)
    assert np.isnan(found.difference(1, 0, "balanced_accuracy").difference.low)
    assert found.interval(1, "accuracy").low > 0


@pytest.mark.parametrize(
    ("verdicts", "message"),
    [
        (np.zeros((2, 5), dtype=np.int64), "expected rows of 90, one a label, got 2 of 5"),
        (np.zeros((0, 90), dtype=np.int64), "expected rows of 90, one a label, got 0 of 90"),
        (np.full((1, 90), 3), "verdicts: expected class indices from 0 to 2, got 3"),
    ],
)
def test_verdicts_of_another_shape_are_refused(rng, verdicts, message):
    with pytest.raises(BadInput, match=message):
        score_verdicts(np.arange(90) % 3, verdicts, 3, rng=rng)


def test_a_row_of_one_class_has_no_bounds_of_balanced_accuracy() -> None:
    labels = np.array([0, 1] * 6)
    verdicts = np.array([np.ones_like(labels), labels])
    scores = score_verdicts(labels, verdicts, 2, rng=np.random.default_rng(0), resamples=50)
    assert np.isnan(scores.interval(0, "balanced_accuracy").low)
    assert scores.interval(1, "balanced_accuracy").low < 1
    assert scores.interval(0, "accuracy").low < 0.5
