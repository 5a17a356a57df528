"""What saying "I don't know" buys: risk over coverage, honest probabilities, and the study's sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from steelsight.reports.figures.style import (
    GRID,
    INK,
    MUTED,
    PAPER,
    SEQUENTIAL,
    SERIES_COLOURS,
    dress,
    new_figure,
    title_axes,
)

__all__ = [
    "ConfidenceBins",
    "ThresholdPoint",
    "draw_reliability",
    "draw_risk_coverage",
    "draw_threshold_sweep",
]

Curve = tuple[np.ndarray, np.ndarray]  # coverage (t,) ascending, risk (t,)

# Lines differ by stroke too, for print in grey; dots are kept for what no model drew.
STROKES = ("-", (0, (5, 2)), (0, (7, 1.5, 1.5, 1.5)), (0, (2, 1)))
DOTTED = (0, (2, 3))
SETTLED = 0.05  # below this coverage a risk is that of a few sheets, and jumps from 0 to 1
FEW = 10  # sheets; a bin of fewer says little, and is drawn pale


@runtime_checkable
class ConfidenceBins(Protocol):
    """What a reliability diagram must tell; `evaluation.abstention.calibration.Reliability` does."""

    @property
    def edges(self) -> Float[np.ndarray, " b1"]: ...
    @property
    def count(self) -> Float[np.ndarray, " b"]: ...
    @property
    def confidence(self) -> Float[np.ndarray, " b"]: ...
    @property
    def accuracy(self) -> Float[np.ndarray, " b"]: ...


@runtime_checkable
class ThresholdPoint(Protocol):
    """One threshold; `evaluation.abstention.selective.SweepRow` is one."""

    @property
    def threshold(self) -> float: ...
    @property
    def coverage(self) -> float: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def balanced_accuracy(self) -> float: ...


def draw_risk_coverage(
    curves: Mapping[str, Curve], *, perfect: Curve | None = None, title: str = ""
) -> Figure:
    """How often an answer is wrong, over the share of sheets answered; one line a score.

    curves   name -> (coverage, risk), as `evaluation.abstention.selective.risk_coverage` gives them
    perfect  the order that answers every right sheet first: the room left to any score
    returns  scaled to the risks at a coverage of 5 % and above; jumps below that may leave the axes
    """
    figure, (axes,) = new_figure(height=4.0)
    dress(axes, grid="both")
    for number, (name, curve) in enumerate(curves.items()):
        axes.plot(
            *curve,
            color=SERIES_COLOURS[number % len(SERIES_COLOURS)],
            linewidth=1.7,
            linestyle=STROKES[number % len(STROKES)],
            label=name.replace("$", r"\$"),
        )
    if perfect is not None:
        axes.plot(*perfect, color=MUTED, linewidth=1.2, linestyle=DOTTED, label="perfect order")
    axes.set_xlim(0, 1.01)
    highest = max([1e-3, *(_settled_risk(curve) for curve in curves.values())])
    axes.set_ylim(0, 1.08 * highest)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0 if highest > 0.1 else None))
    axes.set_xlabel("coverage: share of the sheets answered")
    axes.set_ylabel("risk: share of the answers that are wrong")
    if axes.lines:
        _legend(axes, loc="upper left", bbox_to_anchor=(1.01, 1))
    if title:
        title_axes(axes, title)
    return figure


def draw_reliability(
    before: ConfidenceBins,
    after: ConfidenceBins | None = None,
    *,
    names: tuple[str, str] = ("as trained", "temperature scaled"),
    errors: tuple[float, float] | None = None,
) -> Figure:
    """Accuracy over confidence, bin by bin, above the bins' counts; bars on the diagonal are honest.

    after   the same sheets after calibration; None = only one side is drawn
    errors  expected calibration errors, shown beside the names
    """
    sides = [before] if after is None else [before, after]
    figure, axes = new_figure(
        2, len(sides), width=4.4 if after is None else 8.0, height=4.6, height_ratios=(3.2, 1.0)
    )
    tallest = max([1.0, *(float(side.count.max()) for side in sides if side.count.size)])
    for column, side in enumerate(sides):
        above, below = axes[column], axes[len(sides) + column]
        _bars(above, side)
        _counts(below, side, tallest)
        error = "" if errors is None else f", ECE {errors[column]:.3f}"
        title_axes(above, names[column] + error)
    axes[0].set_ylabel("share of right verdicts")
    axes[len(sides)].set_ylabel("sheets")
    figure.align_ylabels([axes[0], axes[len(sides)]])
    handles = [
        Patch(color=SERIES_COLOURS[0], label="right verdicts"),
        *axes[0].get_legend_handles_labels()[0],
    ]
    if any(((side.count > 0) & (side.count < FEW)).any() for side in sides):
        handles.insert(1, Patch(color=SEQUENTIAL(0.3), label=f"of fewer than {FEW} sheets"))
    axes[0].legend(handles=handles, loc="upper left", fontsize=8.5, frameon=False, labelcolor=INK)
    return figure


def draw_threshold_sweep(rows: Sequence[ThresholdPoint], *, title: str = "") -> Figure:
    """The study's figure 13: accuracy, balanced accuracy and the share classified, over the threshold.

    rows  in any order; a line stops where nothing is classified any more
    """
    figure, (axes,) = new_figure(width=6.8, height=3.8)
    dress(axes, grid="both")
    ordered = sorted(rows, key=lambda row: row.threshold)
    places = [row.threshold for row in ordered]
    series = {
        "accuracy of the classified": [row.accuracy for row in ordered],
        "balanced accuracy of the classified": [row.balanced_accuracy for row in ordered],
        "share classified": [row.coverage for row in ordered],
    }
    marker = "o" if len(ordered) < 25 else ""
    for number, (name, values) in enumerate(series.items()):
        axes.plot(
            places,
            values,
            color=SERIES_COLOURS[number],
            linewidth=1.7,
            linestyle=STROKES[number],
            marker=marker,
            markersize=3.5,
            label=name,
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("threshold on the confidence")
    _legend(axes, loc="lower left")
    if title:
        title_axes(axes, title)
    return figure


def _settled_risk(curve: Curve) -> float:
    """The largest risk worth showing; a curve that never reaches 5 % coverage shows all it has."""
    coverage, risk = curve
    settled = risk[coverage >= SETTLED]
    return float(settled.max() if settled.size else risk.max(initial=0.0))


def _legend(axes: Axes, **place: Any) -> None:
    axes.legend(fontsize=8.5, framealpha=1, edgecolor=GRID, labelcolor=INK, **place)


def _bars(axes: Axes, side: ConfidenceBins) -> None:
    dress(axes, grid="y")
    widths = np.diff(side.edges)
    filled = side.count > 0
    axes.bar(
        side.edges[:-1][filled],
        side.accuracy[filled],
        widths[filled],
        align="edge",
        color=[SERIES_COLOURS[0] if count >= FEW else SEQUENTIAL(0.3) for count in side.count[filled]],
        edgecolor=PAPER,
        linewidth=0.8,
    )
    axes.plot(
        side.confidence[filled],
        side.confidence[filled],
        color=SERIES_COLOURS[1],
        linestyle="",
        marker="_",
        markersize=9,
        markeredgewidth=2,
        label="mean confidence",
    )
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=DOTTED)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))


def _counts(axes: Axes, side: ConfidenceBins, tallest: float) -> None:
    dress(axes, grid="y")
    middles = (side.edges[:-1] + side.edges[1:]) / 2
    # Gaps come from the width: a white outline would paint over a bar one pixel high.
    axes.bar(middles, side.count, 0.94 * np.diff(side.edges), color=MUTED)
    axes.set(xlim=(0, 1), ylim=(0, tallest * 1.08))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("confidence")
