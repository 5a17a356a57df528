"""Accuracy and balanced accuracy over the strength of a disturbance: one line per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from steelsight.reports.figures.style import GRID, INK, MUTED, SERIES_COLOURS, dress, new_figure, title_axes
from steelsight.types import Interval

__all__ = ["SweepLevel", "draw_sweep"]

STROKES = ("-", (0, (5, 2)), (0, (7, 1.5, 1.5, 1.5)), (0, (2, 1)), (0, (1, 1)), (0, (9, 2)))


@runtime_checkable
class SweepLevel(Protocol):
    """One point, such as `evaluation.robustness.sweeps.SweepPoint`."""

    @property
    def level(self) -> float: ...
    @property
    def accuracy(self) -> Interval: ...
    @property
    def balanced_accuracy(self) -> float: ...
    @property
    def balanced_bounds(self) -> Interval | None: ...


def draw_sweep(
    series: Mapping[str, Sequence[SweepLevel]], *, title: str, unit: str, marked: float | None = None
) -> Figure:
    """Accuracy at the left, balanced accuracy at the right, over the level, with their intervals.

    marked  the level of the other figures
    """
    figure, panels = new_figure(1, 2, height=3.6)
    for axes, name in zip(panels, ("accuracy", "balanced accuracy"), strict=True):
        dress(axes, grid="both")
        if marked is not None:
            told = f"{marked:g}, as in other figures" if axes is panels[-1] else None
            axes.axvline(marked, color=MUTED, linewidth=1, linestyle=(0, (2, 3)), label=told)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(unit)
        axes.set_ylabel(name)
        axes.set_ylim(0, 1.01)
    for number, (name, points) in enumerate(series.items()):
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        style: dict[str, Any] = {
            "color": colour,
            "linewidth": 1.7,
            "linestyle": STROKES[number % len(STROKES)],
        }
        levels = [point.level for point in points]
        panels[0].plot(levels, [point.accuracy.estimate for point in points], **style)
        label = name.replace("$", r"\$")
        panels[1].plot(levels, [point.balanced_accuracy for point in points], label=label, **style)
        _shade(panels[0], levels, [point.accuracy for point in points], colour)
        _shade(panels[1], levels, [point.balanced_bounds for point in points], colour)
    if panels[1].lines:
        panels[1].legend(fontsize=8.5, framealpha=1, edgecolor=GRID, labelcolor=INK, loc="upper right")
    title_axes(panels[0], title)
    return figure


def _shade(axes: Axes, levels: Sequence[float], bounds: Sequence[Interval | None], colour: str) -> None:
    low, high = (
        [float("nan") if each is None else getattr(each, side) for each in bounds] for side in ("low", "high")
    )
    axes.fill_between(levels, low, high, color=colour, alpha=0.12, linewidth=0)
