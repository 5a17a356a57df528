"""Figures of data sets: all sheets are drawn inside the figure, unusual input does not fail."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from steelsight.reports.figures.sheets.data import ExampleSheet, draw_examples, draw_sizes, outline_colour
from steelsight.reports.figures.style import figure_png


def example(height: int, width: int, *types: int, title: str = "a") -> ExampleSheet:
    masks = {}
    for kind in types:
        masks[kind] = np.zeros((height, width), dtype=bool)
        masks[kind][height // 3 : height // 2, width // 3 : width // 2] = True
    return ExampleSheet(title, np.full((height, width), 120, dtype=np.uint8), masks)


def test_outlines_have_the_colour_of_their_type_and_a_legend() -> None:
    figure = draw_examples([example(16, 100, 1, 3), example(16, 100)], ("none", "chips", "crack", "scratch"))
    colours = {to_hex(line.get_edgecolor()[0]) for line in figure.axes[0].collections}
    assert colours == {outline_colour(1), outline_colour(3)}
    assert not figure.axes[1].collections
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["chips", "scratch"]


def test_an_outline_does_not_cover_its_mask() -> None:
    sheet = example(40, 60, 1)
    figure = draw_examples([sheet])
    (outline,) = figure.axes[0].collections
    points = np.concatenate([path.vertices for path in outline.get_paths()])
    rows, columns = np.nonzero(sheet.masks[1])
    assert points[:, 0].min() < columns.min()
    assert points[:, 0].max() > columns.max()
    assert points[:, 1].min() < rows.min()
    assert points[:, 1].max() > rows.max()


@pytest.mark.parametrize("shape", [(16, 100), (50, 40), (300, 20), (1, 1)])
@pytest.mark.parametrize("count", [1, 3, 9])
def test_every_sheet_is_inside_the_figure(shape: tuple[int, int], count: int) -> None:
    figure = draw_examples([example(*shape, 1) for _ in range(count)], title="Sheets")
    assert len(figure.axes) == count
    for axes in figure.axes:
        box = axes.get_position()
        assert -1e-9 <= box.x0 < box.x1 <= 1 + 1e-9
        assert -1e-9 <= box.y0 < box.y1 <= 1 + 1e-9
    assert figure_png(figure).startswith(b"\x89PNG")


def test_names_are_plain_text() -> None:
    sheet = example(20, 20, 1, title="$x^2$_" + "very long name " * 5)
    figure = draw_examples([sheet], ("none", "$a_b$"))
    assert "…" in figure.axes[0].get_title(loc="left")
    figure_png(figure)


def test_no_sheets() -> None:
    assert draw_examples([]).axes == []
    figure_png(draw_examples([]))


def test_sizes() -> None:
    varied = draw_sizes([(30, 40, 5), (60, 90, 2)], model=(45, 400))
    assert [sum(bar.get_height() for bar in axes.patches) for axes in varied.axes] == [7, 7]
    assert [text.get_text() for text in varied.axes[1].texts] == [" model"]
    one = draw_sizes([(256, 1600, 48)])
    assert [tick.get_text() for tick in one.axes[0].get_xticklabels()] == ["1600 (all)"]
    figure_png(one)
