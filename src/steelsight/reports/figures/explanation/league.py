"""Explanation methods compared: overlap with masks, limits of the grid, and time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from steelsight.reports.figures.labels import legend_columns, wrap_label
from steelsight.reports.figures.style import INK, MUTED, SERIES_COLOURS, WIDTH, dress, new_figure
from steelsight.types import Interval

__all__ = ["LeagueRow", "draw_league"]

MARKS = ("o", "s", "^", "v")


@dataclass(frozen=True)
class LeagueRow:
    """One explanation method."""

    name: str
    intervals: Mapping[str, Interval]  # by mask rule
    time_ms: float
    published: float | None = None
    strong: bool = False  # the one recommended


def draw_league(
    rows: Sequence[LeagueRow],
    *,
    score: str = "Dice",
    lines: Mapping[str, float] | None = None,
    published_name: str = "the study, on its data",
) -> Figure:
    """One row per method: dots with bars are measured, diamonds are published; time at the right.

    lines   reference levels by name, such as the scores of a perfect map
    """
    entries = _legend_entries(rows, lines or {}, published_name)
    columns = legend_columns(entries, WIDTH)
    more = math.ceil(len(entries) / columns) - math.ceil(len(entries) / 3)  # lines of the legend
    height = 1.5 + 0.42 * len(rows) + 0.2 * more
    figure, (left, right) = new_figure(1, 2, height=height, width_ratios=(3.4, 1.0))
    _draw_scores(left, rows, published_name)
    for number, (name, level) in enumerate((lines or {}).items()):
        style = ("--", ":", "-.")[number % 3]
        left.axvline(level, color=MUTED, linewidth=1.1, linestyle=style, label=name, zorder=0)
    left.set_xlabel(score)
    left.set_xlim(left=0)
    _draw_times(right, rows)
    handles, labels = left.get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(
        list(shown.values()),
        list(shown),
        loc="outside upper left",
        ncols=columns,
        fontsize=8.5,
        frameon=False,
    )
    return figure


def _legend_entries(rows: Sequence[LeagueRow], lines: Mapping[str, float], published: str) -> list[str]:
    """The labels of the legend; their order may differ from the drawn one."""
    rules = [name for row in rows for name in row.intervals]
    shown = [published] * any(row.published is not None for row in rows)
    return list(dict.fromkeys([*rules, *shown, *lines]))


def _draw_scores(axes: Axes, rows: Sequence[LeagueRow], published_name: str) -> None:
    dress(axes, grid="x")
    series = list(dict.fromkeys(name for row in rows for name in row.intervals))
    step = 0.56 / max(len(series), 1)
    for place, row in enumerate(rows):
        for number, name in enumerate(series):
            if name not in row.intervals:
                continue
            interval, colour = row.intervals[name], SERIES_COLOURS[number % len(SERIES_COLOURS)]
            at = place + step * (number - (len(series) - 1) / 2)
            axes.plot([interval.low, interval.high], [at, at], color=colour, linewidth=2)
            mark = MARKS[number % len(MARKS)]
            axes.plot(
                interval.estimate, at, marker=mark, color=colour, markersize=5, linestyle="", label=name
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
    axes.set_yticks(range(len(rows)), [wrap_label(row.name) for row in rows], parse_math=False)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.strong else "normal")
    _rows_down(axes, len(rows))


def _draw_times(axes: Axes, rows: Sequence[LeagueRow]) -> None:
    dress(axes, grid="x")
    places = range(len(rows))
    times = [max(row.time_ms, 1e-3) for row in rows]
    axes.barh(places, times, height=0.5, color="#b9c6d3")
    for place, row in zip(places, rows, strict=True):
        axes.annotate(
            f"{row.time_ms:,.1f}" if row.time_ms < 100 else f"{row.time_ms:,.0f}",
            (times[place], place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=INK,
        )
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())  # its labels overlap on a short axis
    low, high = min(times), max(times)
    axes.set_xlim(low / 3, high * 8)
    axes.set_yticks([])
    axes.set_xlabel("ms per sheet")
    _rows_down(axes, len(rows))


def _rows_down(axes: Axes, count: int) -> None:
    axes.set_ylim(count - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=MUTED)
