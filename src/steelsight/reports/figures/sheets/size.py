"""Recall over the area of a defect, and a score over the number of training sheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from steelsight.errors import BadInput
from steelsight.reports.figures.style import GRID, INK, MUTED, SERIES_COLOURS, dress, new_figure, title_axes
from steelsight.types import Interval

__all__ = ["AreaRange", "ScoreModel", "draw_learning_size", "draw_recall_by_area"]

BEYOND = 4  # the law is extrapolated up to this factor beyond the largest size
CLOSEST = 1.25  # sizes closer than this factor have one label


@runtime_checkable
class AreaRange(Protocol):
    """One range of areas, such as `evaluation.by_size.AreaRow`."""

    @property
    def low_px(self) -> float: ...
    @property
    def high_px(self) -> float: ...
    @property
    def sheets(self) -> int: ...
    @property
    def recall(self) -> Interval: ...


@runtime_checkable
class ScoreModel(Protocol):
    """A predicted score for any number of sheets, such as `evaluation.curves.learning_curve.PowerLaw`."""

    def at(self, sheets: int | float, /) -> float: ...


def draw_recall_by_area(rows: Sequence[AreaRange], *, title: str = "") -> Figure:
    """Recall with its interval, one column per range of areas, smallest first.

    raises  BadInput without a range
    """
    if not rows:
        raise BadInput("recall by area: expected at least one range of areas, got none")
    figure, (axes,) = new_figure(width=6.4, height=3.4)
    dress(axes, grid="y")
    for place, row in enumerate(rows):
        _bar(axes, place, row.recall)
    axes.set_xticks(range(len(rows)), [_range_words(row) for row in rows])
    axes.set(xlim=(-0.6, len(rows) - 0.4), ylim=(0, 1.03))
    axes.set_xlabel("area of the defect, pixels")
    axes.set_ylabel("recall")
    if title:
        title_axes(axes, title)
    return figure


def _range_words(row: AreaRange) -> str:
    """The areas of a range and its number of sheets; one area where the range has no width."""
    low, high = f"{row.low_px:,.0f}", f"{row.high_px:,.0f}"
    areas = low if low == high else f"{low}–{high}"
    return f"{areas}\n{row.sheets:,} sheet" + "s" * (row.sheets != 1)


def draw_learning_size(
    sizes: Sequence[int],
    intervals: Sequence[Interval],
    law: ScoreModel | None = None,
    *,
    score: str = "balanced accuracy",
    title: str = "",
) -> Figure:
    """A score over the number of training sheets, and a fitted law, dashed beyond the largest size.

    raises  BadInput without a size, for a size below 1, or unless there is one interval per size
    """
    if not sizes or len(sizes) != len(intervals) or min(sizes) < 1:
        raise BadInput(
            f"learning curve: expected sizes of at least 1 with one interval each, got {len(sizes)} sizes "
            f"from {min(sizes, default=0)} and {len(intervals)} intervals"
        )
    figure, (axes,) = new_figure(width=6.4, height=3.6)
    dress(axes, grid="y")
    axes.set_xscale("log")
    for size, interval in zip(sizes, intervals, strict=True):
        _bar(axes, size, interval)
    last = max(sizes) * (1 if law is None else BEYOND)
    if law is not None:
        _law(axes, law, min(sizes), max(sizes), last)
    ticks = _label_sizes([*sizes, last])
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(min(sizes) / 1.2, last * 1.2)
    axes.set_ylim(top=min(1.01, axes.get_ylim()[1]))
    axes.set_xlabel("training sheets (logarithmic)")
    axes.set_ylabel(score)
    if title:
        title_axes(axes, title)
    return figure


def _bar(axes: Axes, at: float | int, interval: Interval) -> None:
    colour = SERIES_COLOURS[0]
    axes.plot([at, at], [interval.low, interval.high], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot(at, interval.estimate, marker="o", color=colour, markersize=5.5, linestyle="", clip_on=False)


def _law(axes: Axes, law: ScoreModel, first: int, largest: int, last: int) -> None:
    spans = (
        (first, largest, "-", INK, "power law"),
        (largest, last, (0, (4, 2)), MUTED, "the same, extrapolated"),
    )
    for start, end, stroke, colour, label in spans:
        grid = np.geomspace(start, end, 60).tolist()
        scores = [law.at(n) for n in grid]
        axes.plot(grid, scores, color=colour, linewidth=1.4, linestyle=stroke, label=label, zorder=1)
    axes.legend(fontsize=8.5, framealpha=1, edgecolor=GRID, labelcolor=INK, loc="lower right")


def _label_sizes(sizes: Sequence[int]) -> list[int]:
    """Sizes ascending, without those whose labels would touch the previous one."""
    kept: list[int] = []
    for size in sorted(set(sizes)):
        if not kept or size >= CLOSEST * kept[-1]:
            kept.append(size)
    return kept
