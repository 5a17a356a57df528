"""Figures of abstention: risk over coverage, reliability diagrams, and the study's threshold sweep."""

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

# Lines differ by stroke too, for print in gray; dots are reserved for reference lines.
STROKES = ("-", (0, (5, 2)), (0, (7, 1.5, 1.5, 1.5)), (0, (2, 1)))
DOTTED = (0, (2, 3))
SETTLED = 0.05  # below this coverage the risk is that of a few sheets and jumps between 0 and 1
FEW = 10  # bins with fewer sheets are drawn pale


@runtime_checkable
class ConfidenceBins(Protocol):
    """Bins of a reliability diagram, such as `evaluation.abstention.calibration.ReliabilityBins`."""

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
    """One threshold of a sweep, such as `evaluation.abstention.threshold_sweep.SweepRow`."""

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
    """Risk over coverage: share of wrong answers over the share of sheets answered; one line per score.

    curves   name -> (coverage, risk), as returned by `evaluation.abstention.selective.risk_coverage`
    perfect  the curve of the ideal order, which answers every correctly classified sheet first
    returns  y axis scaled to the risks at a coverage of 5 % and above; jumps below that may leave the axes
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
    axes.set_xlabel("coverage: share of sheets answered")
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
    """Accuracy over confidence by bin, with the counts below; calibrated bars end on the diagonal.

    after   the same sheets after calibration; None = only one diagram
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
    figure.legend(
        handles=handles, loc="outside lower center", ncols=3, fontsize=8.5, frameon=False, labelcolor=INK
    )
    return figure


def draw_threshold_sweep(rows: Sequence[ThresholdPoint], *, title: str = "") -> Figure:
    """The study's figure 13: accuracy, balanced accuracy and the share classified, over the threshold.

    rows  in any order; a line ends where no sheet is classified
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
    """Largest risk at a coverage of 5 % and above; of the whole curve where it does not reach 5 %."""
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
    # Gaps come from the width: a white outline would hide a bar one pixel high.
    axes.bar(middles, side.count, 0.94 * np.diff(side.edges), color=MUTED)
    axes.set(xlim=(0, 1), ylim=(0, tallest * 1.08))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("confidence")
