"""Learning curves: losses and accuracies by epoch, with the epoch that was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from steelsight.reports.figures.style import INK, MUTED, SERIES_COLOURS, dress, new_figure, title_axes

__all__ = ["draw_learning_curves"]

LOSSES = {"train_loss": "training", "validation_loss": "validation"}
SCORES = {"validation_accuracy": "accuracy", "validation_balanced_accuracy": "balanced accuracy"}


def draw_learning_curves(
    history: Sequence[Mapping[str, Any]], *, best_epoch: int | None = None, title: str = ""
) -> Figure:
    """Losses at the left; validation accuracies, if there are any, at the right.

    history     one mapping per epoch with `epoch`, `train_loss` and, None without validation sheets,
                `validation_loss`, `validation_accuracy`, `validation_balanced_accuracy`
    best_epoch  whose weights were kept; marked in both panels
    """
    scored = [name for name in SCORES if any(row.get(name) is not None for row in history)]
    figure, axes = new_figure(1, 2 if scored else 1, height=3.1)
    lost = [name for name in LOSSES if any(row.get(name) is not None for row in history)]
    _plot(axes[0], history, {name: LOSSES[name] for name in lost}, SERIES_COLOURS[:2])
    axes[0].set_ylabel("loss")
    if scored:
        _plot(axes[1], history, {name: SCORES[name] for name in scored}, SERIES_COLOURS[2:4])
        axes[1].set_ylabel("on validation sheets")
        axes[1].set_ylim(top=min(1.005, axes[1].get_ylim()[1]))
    for panel in axes:
        _mark(panel, best_epoch)
    if title:
        title_axes(axes[0], title)
    return figure


def _plot(
    axes: Axes, history: Sequence[Mapping[str, Any]], series: Mapping[str, str], colours: Sequence[str]
) -> None:
    dress(axes, grid="y")
    for (name, label), colour in zip(series.items(), colours, strict=False):
        points = [(row["epoch"], row[name]) for row in history if row.get(name) is not None]
        marker = "o" if len(points) < 25 else ""
        axes.plot(
            *zip(*points, strict=True),
            color=colour,
            linewidth=1.6,
            marker=marker,
            markersize=3.5,
            label=label,
        )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(fontsize=8.5, frameon=False, labelcolor=INK)


def _mark(axes: Axes, best_epoch: int | None) -> None:
    if best_epoch is None:
        return
    axes.axvline(best_epoch, color=MUTED, linewidth=1, linestyle=(0, (2, 3)), zorder=0)
    axes.annotate(
        "kept",
        (best_epoch, 1),
        xycoords=("data", "axes fraction"),
        xytext=(3, -2),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=MUTED,
    )
