"""Confusion matrix: counts as text, shares of each row as shading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steelsight.reports.figures.labels import label_width, short_labels
from steelsight.reports.figures.style import GRID, INK, MUTED, SEQUENTIAL, new_figure, title_axes

__all__ = ["draw_confusion"]

CELL, FINE_CELL, MANY = 0.72, 0.4, 12  # inches a cell; fine cells from more than so many classes
MOST_WRITTEN = 48  # classes whose cells are written
LARGE_SIDE, MOST_TICKS = 10.2, 24  # inches of a figure of more classes, and the names beside it
SLANT, SLANT_RISE = 40, 0.64  # degrees of long names, and their height as a share of their length
DARK = 0.55  # share above which the text of a cell is white; contrast stays above 4.5:1


def draw_confusion(matrix: Int[np.ndarray, "k k"], names: Sequence[str], *, title: str = "") -> Figure:
    """One row per true class, one column per verdict; the shade of a cell is its share of the row.

    matrix  counts, k >= 2; a row without sheets stays empty
    names   of the classes; long ones are slanted, and cut in the middle; beyond MOST_WRITTEN classes the
            cells have no text and one class in several has its name
    """
    size = len(names)
    if size > MOST_WRITTEN:
        return _draw_shades(matrix, names, title)
    labels = short_labels(names)
    longest = max(map(label_width, labels))
    many = size > MANY
    cell = FINE_CELL if many else CELL
    slanted = longest > cell - 0.04
    side = 1.55 + cell * size
    room = max(0.0, longest - CELL) if slanted else 0.0  # for names that are wider than a cell
    figure, (axes,) = new_figure(
        width=side + 0.95 + room, height=side + (longest * SLANT_RISE if slanted else 0)
    )
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    axes.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
    _write_cells(axes, matrix, shares, fine=many)
    slant: dict[str, Any] = {"rotation": SLANT, "ha": "right", "va": "top", "rotation_mode": "anchor"}
    axes.set_xticks(range(size), labels, parse_math=False, **(slant if slanted else {}))
    between = ", " if many else "\n"
    axes.set_yticks(
        range(size),
        [f"{name}{between}{int(total):,}" for name, total in zip(labels, totals[:, 0], strict=True)],
        parse_math=False,
    )
    axes.set_xticks(np.arange(1, size) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, size) - 0.5, minor=True)
    axes.grid(which="minor", color="#ffffff", linewidth=2)
    return _finished(figure, axes, title)


def _draw_shades(matrix: Int[np.ndarray, "k k"], names: Sequence[str], title: str) -> Figure:
    """The matrix of very many classes, in a figure of fixed size."""
    figure, (axes,) = new_figure(width=LARGE_SIDE + 0.95, height=LARGE_SIDE)
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    axes.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=1)
    shown = list(range(0, len(names), -(-len(names) // MOST_TICKS)))
    labels = short_labels([names[i] for i in shown])
    axes.set_xticks(shown, labels, rotation=90, parse_math=False)
    counts = totals[shown, 0].tolist()
    ticks = [f"{label}, {count:,}" for label, count in zip(labels, counts, strict=True)]
    axes.set_yticks(shown, ticks, parse_math=False)
    return _finished(figure, axes, title)


def _finished(figure: Figure, axes: Axes, title: str) -> Figure:
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set(visible=True, color=GRID)
    axes.set_xlabel("verdict")
    axes.set_ylabel("true class, sheets")
    if title:
        title_axes(axes, title)
    return figure


def _write_cells(
    axes: Axes, matrix: Int[np.ndarray, "k k"], shares: Float[np.ndarray, "k k"], *, fine: bool
) -> None:
    """Counts, with shares of the row below them; small cells have counts alone."""
    for row, column in np.ndindex(*matrix.shape):
        if not matrix[row].sum():
            continue
        count, share = matrix[row, column], shares[row, column]
        colour = "#ffffff" if share > DARK else INK if count else MUTED
        middle: dict[str, Any] = {"ha": "center", "va": "center", "color": colour}
        if fine:
            if count:  # zeros would hide the pattern
                size = 6.5 if count < 10_000 else 5
                axes.text(column, row, f"{count:,}", fontsize=size, **middle)
            continue
        axes.text(column, row - 0.08, f"{count:,}", fontsize=10 if count < 1_000_000 else 8, **middle)
        if count:
            axes.text(column, row + 0.24, f"{share:.1%}", fontsize=7, **middle)
