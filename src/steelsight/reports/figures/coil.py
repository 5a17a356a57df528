"""The map of a coil: every defect where it lies on the strip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from steelsight.reports.figures.labels import wrap_label
from steelsight.reports.figures.style import class_colour, dress, new_figure, title_axes

__all__ = ["draw_coil_map"]

MARKER: Final = 3.0  # points: a small defect of a long coil stays visible

Box = tuple[float, float, float, float]  # start and end along in m, left and right across in mm


def draw_coil_map(boxes: Sequence[Box], labels: Sequence[str], *, title: str = "") -> Figure:
    """Rectangles along a coil in the colour of their type, each with a mark at its middle.

    boxes   (n) of start_m, end_m, left_mm, right_mm; at least one
    labels  (n) type of each
    """
    figure, (axes,) = new_figure(height=2.8)
    dress(axes, grid="both")
    names = sorted(set(labels))
    for number, name in enumerate(names):
        colour = class_colour(number + 1)
        own = [box for box, label in zip(boxes, labels, strict=True) if label == name]
        for start, end, left, right in own:
            axes.add_patch(Rectangle((start, left), end - start, right - left, color=colour, alpha=0.5))
        middles = [((start + end) / 2, (left + right) / 2) for start, end, left, right in own]
        axes.plot(*zip(*middles, strict=True), "o", color=colour, markersize=MARKER)
    handles = [
        Line2D([], [], color=class_colour(number + 1), marker="o", linestyle="", markersize=5)
        for number in range(len(names))
    ]
    words = [wrap_label(name, 30).replace("$", r"\$") for name in names]
    axes.legend(
        handles,
        words,
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        borderaxespad=0,
        fontsize=8.5,
        frameon=False,
    )
    axes.autoscale_view()
    axes.invert_yaxis()  # the reference edge is above, as on the page of the coil
    axes.set_xlabel("along the coil, m")
    axes.set_ylabel("across, mm")
    if title:
        title_axes(axes, title)
    return figure
