"""Precision over recall, one line per class or per model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from steelsight.reports.figures.labels import wrap_label
from steelsight.reports.figures.many import named_curves
from steelsight.reports.figures.style import GRID, MUTED, SERIES_COLOURS, WIDTH, dress, new_figure, title_axes

__all__ = ["PrecisionRecallLike", "draw_precision_recall"]

STROKES = ("-", "--", "-.", ":")  # lines differ by stroke too, for print in gray


@runtime_checkable
class PrecisionRecallLike(Protocol):
    """A precision-recall curve, such as `evaluation.curves.precision_recall.PrCurve`."""

    @property
    def recall(self) -> Float[np.ndarray, " m"]: ...
    @property
    def precision(self) -> Float[np.ndarray, " m"]: ...
    @property
    def average_precision(self) -> float: ...


def draw_precision_recall(curves: Mapping[str, PrecisionRecallLike], *, title: str = "") -> Figure:
    """All curves in one square panel, as steps, with average precision in the legend.

    Of very many the legend has those that `named_curves` names; the others are drawn without a name.
    """
    figure, (axes,) = new_figure(width=WIDTH, height=4.7)
    dress(axes, grid="both")
    named = named_curves([curve.average_precision for curve in curves.values()])
    for number, (name, curve) in enumerate(curves.items()):
        recall, precision = np.r_[0.0, curve.recall], np.r_[curve.precision[:1], curve.precision]
        if number not in named:
            axes.step(recall, precision, where="pre", color=GRID, linewidth=0.6, zorder=1)
            continue
        axes.step(
            recall,
            precision,
            where="pre",
            color=SERIES_COLOURS[number % len(SERIES_COLOURS)],
            linewidth=1.8,
            linestyle=STROKES[number % len(STROKES)],
            label=wrap_label(f"{name}, {curve.average_precision:.3f}", 38).replace("$", r"\$"),
        )
    if len(named) < len(curves):
        axes.plot([], [], color=GRID, linewidth=0.6, label=f"{len(curves) - len(named)} between them")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    legend = axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.02, 1),
        borderaxespad=0,
        fontsize=8.5,
        title="average precision",
        frameon=False,
    )
    legend.get_title().set(fontsize=8.5, color=MUTED)
    if title:
        title_axes(axes, title)
    return figure
