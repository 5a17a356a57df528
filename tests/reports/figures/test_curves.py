"""Figures of curves and classes show the given values."""

from dataclasses import dataclass

import numpy as np
import pytest

from steelsight.reports.figures import (
    draw_before_after,
    draw_flip_chance,
    draw_precision_recall,
    draw_sweep,
)
from steelsight.types import Interval


@dataclass(frozen=True)
class Pr:
    recall: np.ndarray
    precision: np.ndarray
    average_precision: float


@dataclass(frozen=True)
class Point:
    level: float
    accuracy: Interval
    balanced_accuracy: float
    balanced_bounds: Interval | None = None


def _words(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_precision_over_recall_is_drawn_as_steps_with_its_area():
    curve = Pr(np.array([0.5, 1.0]), np.array([1.0, 0.6]), 0.8)
    (axes,) = draw_precision_recall({"crack": curve, "a $b$": curve}, title="model").axes
    assert _words(axes) == ["crack, 0.800", r"a \$b\$, 0.800"]
    line = axes.lines[0]
    assert line.get_drawstyle() == "steps-pre"
    assert np.asarray(line.get_data()).T.tolist() == [[0, 1], [0.5, 1], [1, 0.6]]


def test_a_sweep_shows_both_accuracies_and_the_marked_level():
    points = [Point(level, Interval(0.9 - level, 0.8 - level, 0.95 - level), 0.7) for level in (0.0, 0.3)]
    left, right = draw_sweep({"one": points, "two": points}, title="Noise", unit="σ", marked=0.15).axes
    assert left.get_ylabel() == "accuracy"
    assert right.get_ylabel() == "balanced accuracy"
    assert _words(right) == ["0.15, as in other figures", "one", "two"]
    assert [line.get_xdata()[0] for line in left.lines[:1]] == [0.15]
    assert left.lines[1].get_ydata().tolist() == pytest.approx([0.9, 0.6])
    assert right.lines[1].get_ydata().tolist() == [0.7, 0.7]


def test_a_sweep_shades_known_bounds():
    interval = Interval(0.7, 0.6, 0.8)
    for bounds, wanted in ((None, 0), (interval, 2)):
        points = [Point(level, interval, 0.7, bounds) for level in (0.0, 0.3)]
        left, right = draw_sweep({"one": points}, title="Noise", unit="σ").axes
        assert len(left.collections[0].get_paths()) == 1
        drawn = [
            path.vertices for each in right.collections for path in each.get_paths() if len(path.vertices)
        ]
        assert {0.6, 0.8} == set(np.concatenate(drawn)[:, 1].round(6)) if wanted else not drawn


def test_the_flip_chance_marks_its_maximum():
    (axes,) = draw_flip_chance(lambda p: p * (1 - p), 0.5).axes
    assert "0.500, f = 0.250" in axes.texts[0].get_text()


def test_before_and_after_share_one_scale():
    before, after = draw_before_after(("none", "crack"), (90, 10), (90, 30)).axes
    assert before.get_xlim() == after.get_xlim()
    assert [text.get_text() for text in before.texts] == ["90  90.0%", "10  10.0%"]
    assert [text.get_text() for text in after.texts] == ["90  75.0%", "30  25.0%"]
