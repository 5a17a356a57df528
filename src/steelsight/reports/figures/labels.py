"""A score over the number of training sheets, and where it seems to go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from steelsight.reports.figures.style import MUTED, SERIES_COLOURS, dress, new_figure
from steelsight.types import Interval

__all__ = ["draw_label_curve"]

BEYOND = 4  # times the largest size


def draw_label_curve(
    sizes: Sequence[int],
    scores: Sequence[Interval],
    law: Callable[[float], float],
    *,
    name: str = "balanced accuracy",
) -> Figure:
    """Points with intervals, sizes on a logarithmic axis, the law through them and, dashed, beyond."""
    figure, (axes,) = new_figure(width=6.0, height=3.6)
    dress(axes, grid="both")
    estimates = np.array([score.estimate for score in scores])
    bars = np.array([[s.estimate - s.low, s.high - s.estimate] for s in scores]).T
    axes.errorbar(
        sizes,
        estimates,
        yerr=np.nan_to_num(np.maximum(bars, 0)),
        fmt="o",
        color=SERIES_COLOURS[0],
        markersize=5,
        linewidth=1.3,
    )
    for low, high, dash in ((sizes[0], sizes[-1], "-"), (sizes[-1], BEYOND * sizes[-1], (0, (4, 3)))):
        places = np.geomspace(low, high, 60)
        axes.plot(
            places, [law(float(n)) for n in places], color=SERIES_COLOURS[1], linewidth=1.6, linestyle=dash
        )
    axes.axvline(sizes[-1], color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.set_xscale("log")
    axes.set_xticks([*sizes, BEYOND * sizes[-1]])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(max(0.0, float(estimates.min()) - 0.15), 1.01)
    axes.set_xlabel("training sheets")
    axes.set_ylabel(name)
    return figure
