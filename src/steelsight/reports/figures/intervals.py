"""Estimates with intervals, beside published figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steelsight.reports.figures.style import INK, MUTED, SERIES_COLOURS, dress, new_figure, title_axes
from steelsight.types import Interval

__all__ = ["MeasuredRow", "draw_intervals"]

MARKS = ("o", "s", "^", "v")


@dataclass(frozen=True)
class MeasuredRow:
    """One row: measured intervals by series, and the published figure."""

    name: str
    intervals: Mapping[str, Interval]  # by series, such as "clean" and "noisy"
    published: float | None = None


def draw_intervals(
    panels: Mapping[str, Sequence[MeasuredRow]], *, published_name: str = "the study", title: str = ""
) -> Figure:
    """One panel per metric, one row per name: dots with bars are measured, diamonds are published.

    panels  by the metric's name; all have the same rows in the same order
    """
    rows = next(iter(panels.values()))
    series = list(dict.fromkeys(name for row in rows for name in row.intervals))
    figure, axes = new_figure(1, len(panels), height=1.25 + 0.42 * len(rows))
    for number, (metric, entries) in enumerate(panels.items()):
        _panel(axes[number], entries, series, published_name)
        axes[number].set_xlabel(metric)
        axes[number].set_yticks(range(len(rows)), [row.name for row in rows] if number == 0 else [])
    handles, labels = axes[0].get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(
        list(shown.values()),
        list(shown),
        loc="outside upper right",
        ncols=len(shown),
        fontsize=8.5,
        frameon=False,
    )
    if title:
        title_axes(axes[0], title)
    return figure


def _panel(axes: Axes, rows: Sequence[MeasuredRow], series: Sequence[str], published_name: str) -> None:
    dress(axes, grid="x")
    step = 0.5 / max(len(series), 1)
    for place, row in enumerate(rows):
        for number, name in enumerate(series):
            if name not in row.intervals:
                continue
            interval, colour = row.intervals[name], SERIES_COLOURS[number % len(SERIES_COLOURS)]
            at = place + step * (number - (len(series) - 1) / 2)
            axes.plot(
                [interval.low, interval.high], [at, at], color=colour, linewidth=2, solid_capstyle="butt"
            )
            mark = MARKS[number % len(MARKS)]
            axes.plot(
                interval.estimate, at, marker=mark, color=colour, markersize=5.5, linestyle="", label=name
            )
        if row.published is not None:
            axes.plot(
                row.published,
                place,
                marker="D",
                markersize=6,
                markerfacecolor="none",
                markeredgecolor=INK,
                linestyle="",
                label=published_name,
            )
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=MUTED)
    axes.margins(x=0.06)
