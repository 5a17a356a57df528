"""Figures over size show the given values at the given positions."""

from dataclasses import dataclass

import pytest

from steelsight.errors import BadInput
from steelsight.reports.figures.sheets.size import draw_learning_size, draw_recall_by_area
from steelsight.types import Interval


@dataclass(frozen=True)
class Row:
    low_px: float
    high_px: float
    sheets: int
    recall: Interval


class Falling:
    def at(self, sheets):
        return 0.9 - 2 * sheets**-0.5


def _dots(axes):
    return [tuple(float(v[0]) for v in line.get_data()) for line in axes.lines if line.get_marker() == "o"]


def test_each_range_has_a_dot_a_bar_and_a_count():
    rows = [
        Row(12.0, 340.4, 1200, Interval(0.5, 0.4, 0.6, 0.95)),
        Row(340.4, 9e4, 25, Interval(1.0, 0.9, 1.0, 0.95)),
    ]
    (axes,) = draw_recall_by_area(rows, title="Recall").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "12–340\n1,200 sheets",
        "340–90,000\n25 sheets",
    ]
    assert _dots(axes) == [(0, 0.5), (1, 1.0)]
    bars = [tuple(line.get_ydata()) for line in axes.lines if line.get_marker() != "o"]
    assert bars == [(0.4, 0.6), (0.9, 1.0)]
    assert axes.get_title(loc="left") == "Recall"


def test_a_range_of_one_area_and_one_sheet_is_named_so():
    (axes,) = draw_recall_by_area([Row(5410.0, 5410.2, 1, Interval(1.0, 0.2, 1.0, 0.95))]).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5,410\n1 sheet"]


def test_the_law_is_dashed_beyond_the_largest_size():
    sizes = [100, 400, 1600]
    intervals = [Interval(0.7, 0.6, 0.8, 0.95)] * 3
    (axes,) = draw_learning_size(sizes, intervals, Falling()).axes
    inside, beyond = (line for line in axes.lines if not line.get_label().startswith("_"))
    assert (inside.get_xdata()[0], inside.get_xdata()[-1]) == pytest.approx((100, 1600))
    assert (beyond.get_xdata()[0], beyond.get_xdata()[-1]) == pytest.approx((1600, 6400))
    assert beyond.get_ydata()[-1] == pytest.approx(Falling().at(6400))
    assert (inside.get_linestyle(), beyond.get_linestyle()) == ("-", "--")
    assert _dots(axes) == [(100, 0.7), (400, 0.7), (1600, 0.7)]


def test_without_a_law_nothing_is_extrapolated_and_close_sizes_share_a_label():
    intervals = [Interval(0.7, 0.6, 0.8, 0.95)] * 3
    (axes,) = draw_learning_size([100, 101, 400], intervals).axes
    assert axes.get_legend() is None
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "400"]
    assert axes.get_xlim()[1] < 2 * 400


@pytest.mark.parametrize(
    ("sizes", "count", "message"),
    [([], 0, "got 0 sizes"), ([10, 20], 1, "and 1 intervals"), ([0], 1, "got 1 sizes from 0")],
)
def test_bad_input(sizes, count, message):
    with pytest.raises(BadInput, match=message):
        draw_learning_size(sizes, [Interval(0.5, 0.4, 0.6, 0.95)] * count)


def test_no_ranges():
    with pytest.raises(BadInput, match="expected at least one range of areas"):
        draw_recall_by_area([])
