"""Figures of abstention: lines and bars show the given numbers; empty input is allowed."""

from dataclasses import dataclass

import numpy as np
import pytest

from steelsight.reports import figures
from steelsight.reports.figures.abstention import draw_reliability, draw_risk_coverage, draw_threshold_sweep


@dataclass(frozen=True)
class Bins:
    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True)
class Row:
    threshold: float
    coverage: float
    accuracy: float
    balanced_accuracy: float


NAN = float("nan")
BEFORE = Bins(
    np.linspace(0, 1, 5),
    np.array([0.0, 40, 3, 1200]),
    np.array([NAN, 0.3, 0.7, 0.9]),
    np.array([NAN, 0.4, 1, 0.8]),
)
AFTER = Bins(
    np.linspace(0, 1, 5),
    np.array([0.0, 0, 800, 443]),
    np.array([NAN, NAN, 0.6, 0.8]),
    np.array([NAN, NAN, 0.62, 0.79]),
)
EMPTY = Bins(np.linspace(0, 1, 5), np.zeros(4), np.full(4, NAN), np.full(4, NAN))
CURVE = np.array([0.01, 0.5, 1.0]), np.array([1.0, 0.02, 0.06])
PERFECT = np.array([0.94, 1.0]), np.array([0.0, 0.06])
ROWS = [Row(0.9, 0.5, 0.98, 0.97), Row(0.0, 1.0, 0.9, 0.8), Row(1.0, 0.0, NAN, NAN)]
DRAWN = {
    "curves": lambda: draw_risk_coverage(dict.fromkeys("abcdefghij$", CURVE), perfect=PERFECT, title="$_^"),
    "no curve": lambda: draw_risk_coverage({}),
    "nothing wrong": lambda: draw_risk_coverage({"a": (np.array([1.0]), np.array([0.0]))}),
    "both": lambda: draw_reliability(BEFORE, AFTER, errors=(0.123, 0.01)),
    "one": lambda: draw_reliability(BEFORE, names=("$a", "b")),
    "no sheets": lambda: draw_reliability(EMPTY, EMPTY),
    "sweep": lambda: draw_threshold_sweep(ROWS, title="$"),
    "no row": lambda: draw_threshold_sweep([]),
}


@pytest.mark.parametrize("name", DRAWN)
def test_draws_the_same_png_twice(name):
    png = figures.figure_png(DRAWN[name](), dpi=50)
    assert png.startswith(b"\x89PNG")
    assert png == figures.figure_png(DRAWN[name](), dpi=50)


def test_every_curve_has_its_own_line_style():
    axes = DRAWN["curves"]().axes[0]
    lines = axes.lines
    assert len(lines) == 12
    assert (
        len({(line.get_color(), str(line.get_linestyle()), str(line._dash_pattern)) for line in lines}) == 12
    )
    assert np.array_equal(lines[0].get_xydata(), np.column_stack(CURVE))
    assert np.array_equal(lines[-1].get_xydata(), np.column_stack(PERFECT))
    assert [text.get_text() for text in axes.get_legend().get_texts()][-2:] == [r"\$", "perfect order"]


def test_risks_at_low_coverage_do_not_set_the_scale():
    top = DRAWN["curves"]().axes[0].get_ylim()[1]
    assert 0.06 < top < 0.08
    alone = draw_risk_coverage({"a": (np.array([0.01]), np.array([0.5]))})
    assert alone.axes[0].get_ylim()[1] > 0.5


def test_bars_show_accuracy_and_counts_and_small_bins_are_pale():
    before, after, counts_before, counts_after = DRAWN["both"]().axes
    assert [bar.get_height() for bar in before.patches] == [0.4, 1, 0.8]
    assert [bar.get_x() for bar in before.patches] == [0.25, 0.5, 0.75]
    usual, pale, same = (bar.get_facecolor() for bar in before.patches)
    assert usual == same != pale
    assert [bar.get_height() for bar in counts_before.patches] == BEFORE.count.tolist()
    assert counts_before.get_ylim() == counts_after.get_ylim()
    assert [axes.get_title(loc="left") for axes in (before, after)] == [
        "as trained, ECE 0.123",
        "temperature scaled, ECE 0.010",
    ]
    assert "of fewer than 10 sheets" in [text.get_text() for text in before.figure.legends[0].get_texts()]
    assert len(DRAWN["one"]().axes) == 2


def test_the_sweep_is_sorted_and_ends_where_no_sheet_is_classified():
    accuracy, balanced, share = DRAWN["sweep"]().axes[0].lines
    assert list(accuracy.get_xdata()) == [0.0, 0.9, 1.0]
    assert list(accuracy.get_ydata()) == pytest.approx([0.9, 0.98, NAN], nan_ok=True)
    assert list(balanced.get_ydata()) == pytest.approx([0.8, 0.97, NAN], nan_ok=True)
    assert list(share.get_ydata()) == [1.0, 0.5, 0.0]
