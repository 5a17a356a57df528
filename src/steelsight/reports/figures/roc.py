"""ROC curves, one per class or per model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from steelsight.reports.figures.labels import wrap_label
from steelsight.reports.figures.many import named_curves
from steelsight.reports.figures.style import GRID, MUTED, SERIES_COLOURS, WIDTH, dress, new_figure, title_axes

__all__ = ["RocLike", "draw_roc"]

STROKES = ("-", "--", "-.", ":")  # lines differ by stroke too, for print in grey


@runtime_checkable
class RocLike(Protocol):
    """A ROC curve, such as `evaluation.curves.roc.RocCurve`."""

    @property
    def false_positive_rate(self) -> Float[np.ndarray, " m"]: ...
    @property
    def true_positive_rate(self) -> Float[np.ndarray, " m"]: ...
    @property
    def auc(self) -> float: ...


def draw_roc(
    curves: Mapping[str, RocLike], *, title: str = "", colours: Sequence[str] | None = None
) -> Figure:
    """All curves in one square panel, with areas in the legend; of very many, those `named_curves` names.

    colours  one per curve, such as class colours; None = the series colours
    """
    figure, (axes,) = new_figure(width=WIDTH, height=4.7)
    dress(axes, grid="both")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 3)), label="guessing, 0.500")
    chosen = colours or [SERIES_COLOURS[i % len(SERIES_COLOURS)] for i in range(len(curves))]
    named = named_curves([curve.auc for curve in curves.values()])
    for number, ((name, curve), colour) in enumerate(zip(curves.items(), chosen, strict=True)):
        if number not in named:
            axes.plot(
                curve.false_positive_rate, curve.true_positive_rate, color=GRID, linewidth=0.6, zorder=1
            )
            continue
        stroke = STROKES[(number // 4) % len(STROKES)] if colours else STROKES[number % len(STROKES)]
        label = wrap_label(f"{name}, {curve.auc:.3f}", 38).replace("$", r"\$")
        axes.plot(
            curve.false_positive_rate,
            curve.true_positive_rate,
            color=colour,
            linewidth=1.8,
            linestyle=stroke,
            label=label,
        )
    if len(named) < len(curves):
        axes.plot([], [], color=GRID, linewidth=0.6, label=f"{len(curves) - len(named)} between them")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xlabel("false positive rate (false alarms)")
    axes.set_ylabel("true positive rate (recall)")
    legend = axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.02, 1),
        borderaxespad=0,
        fontsize=8.5,
        title="area under the curve",
        frameon=False,
    )
    legend.get_title().set(fontsize=8.5, color=MUTED)
    if title:
        title_axes(axes, title)
    return figure
