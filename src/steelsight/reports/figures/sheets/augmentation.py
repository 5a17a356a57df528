"""Flipped copies: the probability that copies differ, and class counts before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from steelsight.reports.figures.style import (
    INK,
    MUTED,
    SERIES_COLOURS,
    class_colours,
    dress,
    new_figure,
    title_axes,
)

__all__ = ["draw_before_after", "draw_flip_chance"]


def draw_flip_chance(chance: Callable[[float], float], best: float) -> Figure:
    """Probability that a sheet and two copies differ, over the probability of each flip; maximum marked."""
    figure, (axes,) = new_figure(width=5.6, height=3.0)
    dress(axes, grid="both")
    places = np.linspace(0, 1, 201)
    axes.plot(places, [chance(float(p)) for p in places], color=SERIES_COLOURS[0], linewidth=1.8)
    top = chance(best)
    axes.plot([best, best], [0, top], color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    axes.plot([best], [top], marker="o", color=SERIES_COLOURS[1], markersize=5)
    axes.annotate(
        f"p = 1/√2 = {best:.3f}, f = {top:.3f}",
        (best, top),
        xytext=(-8, 6),
        textcoords="offset points",
        ha="right",
        fontsize=8.5,
        color=INK,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1.18 * top))
    axes.set_xlabel("probability p of each flip")
    axes.set_ylabel("probability that all three differ")
    return figure


def draw_before_after(
    names: Sequence[str], before: Sequence[int], after: Sequence[int], *, clean: int | None = 0
) -> Figure:
    """Training sheets per class, before and after copies were added, with shares.

    clean  the defect-free class; None = there is none
    """
    figure, panels = new_figure(1, 2, height=0.85 + 0.36 * len(names))
    widest = max([*before, *after, 1])
    for axes, counts, title in zip(panels, (before, after), ("before", "after"), strict=True):
        dress(axes)
        places = range(len(names))
        axes.barh(places, counts, height=0.66, color=class_colours(len(names), clean))
        axes.set_yticks(places, list(names) if axes is panels[0] else [""] * len(names), parse_math=False)
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        total = max(1, sum(counts))
        for place, count in zip(places, counts, strict=True):
            text = f"{count:,}  {count / total:.1%}"
            axes.text(count + widest * 0.015, place, text, va="center", fontsize=8.5, color=INK)
        axes.set_xlim(0, widest * 1.32)
        title_axes(axes, title)
    return figure
