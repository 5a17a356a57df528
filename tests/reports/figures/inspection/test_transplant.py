"""Transplant figures show scores at their parts, and shade features and classifier."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from steelsight.reports.figures import (
    PartAxis,
    TransplantCurve,
    draw_by_part,
    draw_similarity,
    draw_transplant,
    figure_png,
)
from steelsight.reports.figures.inspection.transplant import CLASSIFIER, FEATURES
from steelsight.types import Interval

AXIS = PartAxis(("conv 1", "fire 1", "head $conv"), 2)


def _curve(name="donor", places=(-1, 0, 1), first=0.9):
    scores = [Interval(first - 0.1 * i, first - 0.1 * i - 0.05, first - 0.1 * i + 0.05) for i in range(3)]
    return TransplantCurve(name, places, tuple(scores))


def test_forward_panels_start_before_the_first_part():
    figure = draw_transplant({"accuracy": [_curve(), _curve("other")]}, AXIS, guess={"accuracy": 0.3})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["none", *AXIS.names]
    lines = [line for line in axes.lines if line.get_marker() != "None"]
    assert [line.get_xdata().tolist() for line in lines] == [[-1, 0, 1]] * 2
    assert lines[0].get_ydata() == pytest.approx([0.9, 0.8, 0.7])
    assert {to_hex(patch.get_facecolor()) for patch in axes.patches} == {FEATURES, CLASSIFIER}
    widths = {to_hex(p.get_facecolor()): (p.get_x(), p.get_x() + p.get_width()) for p in axes.patches}
    assert widths[FEATURES] == (-1.5, 1.5)
    assert widths[CLASSIFIER] == (1.5, 2.5)
    (guess,) = [line for line in axes.lines if line.get_marker() == "None"]
    assert set(guess.get_ydata()) == {0.3}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "donor",
        "other",
        "features",
        "classifier",
    ]


def test_backward_panels_end_after_the_last_part_and_dots_are_not_joined():
    figure = draw_transplant(
        {"back": [_curve(places=(3, 2, 1))], "alone": [_curve(places=(0, 1, 2))]},
        AXIS,
        backward=("back",),
        dots=("alone",),
    )
    back, alone = figure.axes
    assert [label.get_text() for label in back.get_xticklabels()] == [*AXIS.names, "none"]
    assert [label.get_text() for label in alone.get_xticklabels()] == list(AXIS.names)
    assert alone.lines[0].get_linestyle() == "None"
    assert back.lines[0].get_linestyle() == "-"


def test_lines_skip_parts_without_a_value():
    series = {"moved": [0.1, None, 0.3], "like": [Interval(0.9, 0.8, 1.0), Interval(0.5, 0.4, 0.6), None]}
    (axes,) = draw_by_part(series, AXIS, label="change").axes
    assert [line.get_xdata().tolist() for line in axes.lines] == [[0, 2], [0, 1]]
    assert axes.get_ylim()[0] == 0


def test_cells_have_text_where_it_fits_and_missing_values_are_empty():
    values = np.array([[1.0, 0.254, np.nan], [-0.01, 0.5, 0.999], [0.1, 0.2, 0.3]])
    (axes,) = draw_similarity(values, AXIS, AXIS, names=("ours", "theirs")).axes
    assert [text.get_text() for text in axes.texts] == ["1", ".25", "−.01", ".50", "1", ".10", ".20", ".30"]
    big = PartAxis(tuple(f"conv {i}" for i in range(16)), 13)
    (axes,) = draw_similarity(np.full((16, 16), 0.5), big, big, names=("a", "b")).axes
    assert not axes.texts
    assert figure_png(axes.figure)
