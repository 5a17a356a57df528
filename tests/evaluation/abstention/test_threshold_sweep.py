"""The sweep over thresholds: by hand, by repeated sheets, and with intervals that have width."""

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.threshold_sweep import describe_classes, sweep_thresholds
from steelsight.evaluation.intervals.bootstrap import Resampling, wilson

FIGURES = ("coverage", "accuracy", "balanced_accuracy")
BOUNDS = ("coverage_bounds", "accuracy_bounds", "balanced_bounds")


def test_the_studys_sweep_by_hand():
    labels, answers = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    rows = sweep_thresholds(labels, answers, np.array([0.9, 0.5, 0.8, 0.6]), [0.0, 0.6, 0.95], classes=2)
    assert [row.coverage for row in rows] == [1.0, 0.75, 0.0]
    assert rows[0].accuracy == pytest.approx(0.75)
    assert rows[0].balanced_accuracy == pytest.approx(0.75)
    assert rows[1].accuracy == 1
    assert np.isnan([rows[2].accuracy, rows[2].balanced_accuracy]).all()
    assert all(getattr(row, name) is None for row in rows for name in BOUNDS)


def test_a_class_without_answers_leaves_the_mean():
    labels, answers = np.array([0, 0, 1, 2]), np.array([0, 0, 0, 2])
    rows = sweep_thresholds(labels, answers, np.array([0.9, 0.8, 0.3, 0.6]), [0.0, 0.5, 0.7, 1.0], classes=4)
    assert [row.classes_answered for row in rows] == [3, 2, 1, 0]
    assert {row.classes for row in rows} == {3}  # the fourth class has no sheet at all
    assert [row.balanced_accuracy for row in rows[:3]] == pytest.approx([2 / 3, 1, 1])
    words = describe_classes(rows)
    assert "3 of 3 from 0, 2 of 3 from 0.5, 1 of 3 from 0.7, 0 of 3 from 1." in words


@pytest.mark.parametrize("intervals", [False, True])
def test_a_weight_of_three_is_three_sheets(intervals):
    rng = np.random.default_rng(6)
    labels, answers, scores = rng.integers(0, 3, 90), rng.integers(0, 3, 90), rng.random(90)
    # Without a draw, weight 0 is a sheet that is not there; with one its group would still be drawn.
    times = rng.integers(1 if intervals else 0, 4, 90)
    rows = np.repeat(np.arange(90), times)
    common = {"thresholds": [0.0, 0.5, 0.8], "classes": 3}

    def resampling(groups=None):
        return Resampling(np.random.default_rng(1), groups, 60) if intervals else None

    weighted = sweep_thresholds(
        labels, answers, scores, weights=times.astype(np.float64), resampling=resampling(), **common
    )
    repeated = sweep_thresholds(
        labels[rows], answers[rows], scores[rows], resampling=resampling(rows), **common
    )
    for mine, other in zip(weighted, repeated, strict=True):
        for name in (*FIGURES, "classes_answered", "classes"):
            assert getattr(mine, name) == pytest.approx(getattr(other, name))
        for name in BOUNDS if intervals else ():
            pair = [getattr(row, name) for row in (mine, other)]
            assert pair[0].low < pair[0].estimate < pair[0].high or name == "coverage_bounds"
            for side in ("estimate", "low", "high"):
                assert getattr(pair[0], side) == pytest.approx(getattr(pair[1], side))


def test_intervals_contain_the_figures_and_have_width(rng):
    labels = np.repeat([0, 1], 12)
    row = sweep_thresholds(
        labels, labels, np.ones(24), [0.5], classes=2, resampling=Resampling(rng, resamples=20)
    )[0]
    for figure, bounds in zip(FIGURES, BOUNDS, strict=True):
        assert getattr(row, bounds).estimate == getattr(row, figure) == 1
        assert getattr(row, bounds).low < 0.9
    assert row.accuracy_bounds == wilson(24, 24)
    assert row.balanced_bounds.low == pytest.approx(wilson(12, 12).low)
    nothing = sweep_thresholds(
        labels, labels, np.zeros(24), [0.5], classes=2, resampling=Resampling(rng, resamples=20)
    )[0]
    assert nothing.coverage_bounds == wilson(0, 24)
    assert np.isnan([nothing.accuracy_bounds.estimate, nothing.balanced_bounds.estimate]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thresholds": [1.2]}, "threshold: expected from 0 to 1, got 1.2"),
        ({"thresholds": [float("nan")]}, "threshold: expected from 0 to 1, got nan"),
        ({"labels": np.array([0, 2])}, "labels: expected class indices from 0 to 1, got 2"),
        ({"answers": np.array([0, -1])}, "answers: expected class indices from 0 to 1, got -1"),
        ({"scores": np.ones(3)}, "scores: expected 2"),
        ({"weights": np.zeros(2)}, "weights: expected 2 finite numbers of at least 0, not all 0"),
    ],
)
def test_bad_input_is_refused(change, message):
    given = {"labels": np.array([0, 1]), "answers": np.array([0, 1]), "scores": np.ones(2)}
    given |= {"thresholds": [0.5]} | change
    with pytest.raises(BadInput, match=message):
        sweep_thresholds(**given, classes=2)
