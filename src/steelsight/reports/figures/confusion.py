"""Confusion matrix: counts as text, shares of each row as shading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steelsight.reports.figures.style import GRID, INK, MUTED, SEQUENTIAL, new_figure, title_axes

__all__ = ["draw_confusion"]

MOST_WRITTEN = 32  # classes whose cells are written
LARGE = 12  # cells with text whose room a matrix of more classes takes
MOST_TICKS = 24
DARK = 0.55  # share above which the text of a cell is white; contrast stays above 4.5:1


def draw_confusion(matrix: Int[np.ndarray, "k k"], names: Sequence[str], *, title: str = "") -> Figure:
    """One row per true class, one column per verdict; the shade of a cell is its share of the row.

    Beyond MOST_WRITTEN classes the cells have no text, and one class in several has its name.

    matrix  counts, k >= 2; a row without sheets stays empty
    """
    size = len(names)
    side = 1.55 + 0.72 * (size if size <= MOST_WRITTEN else LARGE)
    figure, (axes,) = new_figure(width=side + 0.95, height=side)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    axes.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
    if size > MOST_WRITTEN:
        _name_some(axes, names, totals[:, 0])
    else:
        _write_cells(axes, matrix, shares, totals)
        _name_all(axes, names, totals[:, 0])
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set(visible=True, color=GRID)
    axes.set_xlabel("verdict")
    axes.set_ylabel("true class, sheets")
    if title:
        title_axes(axes, title)
    return figure


def _write_cells(
    axes: Axes,
    matrix: Int[np.ndarray, "k k"],
    shares: Float[np.ndarray, "k k"],
    totals: Int[np.ndarray, "k 1"],
) -> None:
    for row, column in np.ndindex(*matrix.shape):
        if not totals[row, 0]:
            continue
        share = shares[row, column]
        colour = "#ffffff" if share > DARK else INK if matrix[row, column] else MUTED
        axes.text(
            column,
            row - 0.08,
            f"{matrix[row, column]:,}",
            ha="center",
            va="center",
            color=colour,
            fontsize=10,
        )
        if matrix[row, column]:
            axes.text(column, row + 0.24, f"{share:.1%}", ha="center", va="center", color=colour, fontsize=7)


def _name_all(axes: Axes, names: Sequence[str], totals: Int[np.ndarray, " k"]) -> None:
    size = len(names)
    axes.set_xticks(range(size), [_short(name) for name in names], parse_math=False)
    axes.set_yticks(
        range(size),
        [f"{_short(n)}\n{int(t):,}" for n, t in zip(names, totals, strict=True)],
        parse_math=False,
    )
    axes.set_xticks(np.arange(1, size) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, size) - 0.5, minor=True)
    axes.grid(which="minor", color="#ffffff", linewidth=2)


def _name_some(axes: Axes, names: Sequence[str], totals: Int[np.ndarray, " k"]) -> None:
    shown = range(0, len(names), -(-len(names) // MOST_TICKS))
    axes.set_xticks(list(shown), [_short(names[i]) for i in shown], rotation=90, parse_math=False)
    axes.set_yticks(list(shown), [f"{_short(names[i])}  {int(totals[i]):,}" for i in shown], parse_math=False)


def _short(name: str, limit: int = 14) -> str:
    """A class name shortened to fit a cell."""
    return name if len(name) <= limit else name[: limit - 1] + "…"
