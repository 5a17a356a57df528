"""Labels of figures do not collide: measured on the drawn figure, for long names and many classes."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from steelsight.reports.figures.confusion import draw_confusion
from steelsight.reports.figures.explanation.league import LeagueRow, draw_league
from steelsight.reports.figures.glyphs import cover_glyphs
from steelsight.reports.figures.labels import legend_columns, short_labels
from steelsight.types import Interval

NAMES = {
    "short": ["none", "type 1", "type 2", "type 3", "type 4"],
    "long": [f"inclusion of rolled-in scale, {kind}" for kind in ("large", "small", "deep", "long", "flat")],
    "many": [f"class {number}" for number in range(40)],
    "many and long": [f"longitudinal_scratch_of_kind_{number}" for number in range(25)],
    "Chinese": ["氧化铁皮压入缺陷", "表面夹杂物缺陷", "纵向划痕缺陷", "边部裂纹缺陷"],
    "mathematics": ["$x_1$ spot", "$", "a_b^c"],
}


def drawn(figure: Figure) -> Figure:
    cover_glyphs(figure)
    FigureCanvasAgg(figure).draw()
    return figure


def corners(text: object) -> np.ndarray:
    """Corners of a label's own box, rotated with it, px."""
    angle = np.deg2rad(text.get_rotation())
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    renderer = text.figure.canvas.get_renderer()
    extent = text.get_window_extent(renderer)
    centre = np.array([(extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2])
    text.set_rotation(0)
    flat = text.get_window_extent(renderer)
    text.set_rotation(np.rad2deg(angle))
    half = np.array([flat.width, flat.height]) / 2 - 1  # touching is not overlapping
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return centre + (signs * half) @ turned.T


def overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two rectangles overlap: no side of either separates them."""
    for box in (one, other):
        for side in (box[1] - box[0], box[3] - box[0]):
            a, b = one @ side, other @ side
            if a.max() <= b.min() or b.max() <= a.min():
                return False
    return True


def assert_apart(texts: list) -> None:
    boxes = [corners(text) for text in texts if text.get_text()]
    assert len(boxes) >= 3
    assert not any(overlap(one, other) for one, other in combinations(boxes, 2))


@pytest.mark.parametrize("kind", NAMES)
def test_the_labels_of_a_confusion_matrix_do_not_collide(kind: str) -> None:
    names = NAMES[kind]
    matrix = np.full((len(names), len(names)), 7, dtype=np.int64) + 12_000 * np.eye(
        len(names), dtype=np.int64
    )
    figure = drawn(draw_confusion(matrix, names, title="All sheets"))
    (axes,) = figure.axes
    ticks = [axes.get_xticklabels(), axes.get_yticklabels()]
    for texts in ticks:
        assert_apart(list(texts))
    assert_apart([*ticks[0], axes.xaxis.label])
    assert_apart([*ticks[1], axes.yaxis.label])
    assert_apart(list(axes.texts)[:60])
    width, height = figure.bbox.width, figure.bbox.height
    for text in (*ticks[0], *ticks[1]):
        box = corners(text)
        assert (box > -1).all()
        assert (box < (width + 1, height + 1)).all()
    shown = [text.get_text() for text in ticks[0]]
    assert len(set(shown)) == len(names)  # shortened names stay different


@pytest.mark.parametrize("long", [False, True])
def test_the_legend_and_the_names_of_a_league_stay_inside(long: bool) -> None:
    more = " of the class map before its pooling" if long else ""
    score = Interval(0.3, 0.2, 0.4)
    rows = [
        LeagueRow(f"Method {n}{more}", {f"rule {r}{more}": score for r in range(3)}, 10.0**n, 0.4)
        for n in range(6)
    ]
    lines = {f"ceiling {n}{more}": 0.8 + n / 20 for n in range(3)}
    figure = drawn(draw_league(rows, lines=lines))
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert box.y1 <= figure.bbox.height
    names = figure.axes[0].get_yticklabels()
    assert_apart(list(names))
    assert min(corners(text)[:, 0].min() for text in names) >= -1
    left = figure.axes[0].get_window_extent()
    assert left.width > 0.3 * figure.bbox.width  # the names leave room for the scores
    assert box.y0 >= left.y1


def test_short_labels_stay_different() -> None:
    names = ["a" * 50 + "1" + "b" * 50, "a" * 50 + "2" + "b" * 50, "short", "c" * 40]
    shown = short_labels(names)
    assert shown[:3] == names[:3]
    assert len(shown[3]) == 28
    assert len(set(shown)) == 4


def test_legends_have_as_many_columns_as_fit() -> None:
    assert legend_columns(["a", "b", "c"], 8.0) == 3
    assert legend_columns(["x" * 60, "y" * 60, "z" * 60], 8.0) == 1
