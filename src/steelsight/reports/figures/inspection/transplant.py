"""Scores of a model as parts of its weights are replaced, and similarity of two models part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from steelsight.reports.figures.style import (
    GRID,
    INK,
    MUTED,
    SEQUENTIAL,
    SERIES_COLOURS,
    dress,
    new_figure,
    title_axes,
)
from steelsight.types import Interval

__all__ = ["PartAxis", "TransplantCurve", "draw_by_part", "draw_similarity", "draw_transplant"]

# As on the study's slide: green for the feature extractor, red for the classifier.
FEATURES, CLASSIFIER = "#dff0e4", "#f8dedb"
STROKES = ("-", (0, (5, 2)), (0, (7, 1.5, 1.5, 1.5)), (0, (2, 1)), (0, (1, 1)), (0, (9, 2)))
MARKS = ("o", "s", "^", "v", "D", "P")
DARK = 0.55  # value above which a cell's text turns white
BARE = "none"


@dataclass(frozen=True)
class PartAxis:
    """The parts of a network along an axis, from the input; the first `features` extract features."""

    names: tuple[str, ...]
    features: int


@dataclass(frozen=True)
class TransplantCurve:
    """Scores of one donor by part; place -1 is the receiver before any part is replaced."""

    name: str
    places: tuple[int, ...]  # a backward curve starts after the last part
    scores: tuple[Interval, ...]


def draw_transplant(
    panels: Mapping[str, Sequence[TransplantCurve]],
    axis: PartAxis,
    *,
    backward: Sequence[str] = (),
    dots: Sequence[str] = (),
    guess: Mapping[str, float] | None = None,
) -> Figure:
    """One panel per score or direction: one line per donor with intervals; features and classifier shaded.

    panels    by title; all have the same donors in the same order
    backward  titles of panels whose steps go from the output to the input
    dots      titles of panels whose steps are independent of one another
    guess     by title: the score of a constant prediction, drawn as a dotted line
    """
    figure, axes = new_figure(1, len(panels), height=3.9)
    names = list(dict.fromkeys(curve.name for curves in panels.values() for curve in curves))
    handles: list[Any] = []
    for panel, (title, curves) in zip(axes, panels.items(), strict=True):
        before = title not in dots and title not in backward
        _part_axis(panel, axis, before=before, after=title in backward)
        for curve in curves:
            number = names.index(curve.name)
            shift = 0.7 * ((number + 0.5) / len(names) - 0.5) if title in dots else None
            line = _curve(panel, curve, number, shift=shift)
            if panel is axes[0]:
                handles.append(line)
        if guess is not None and title in guess:
            panel.axhline(guess[title], color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
        panel.set_ylim(0, 1.02)
        title_axes(panel, title, size=9.5)
    areas = [Patch(color=FEATURES, label="features"), Patch(color=CLASSIFIER, label="classifier")]
    figure.legend(
        handles=[*handles, *areas],
        loc="outside lower center",
        ncols=min(4, len(handles) + 2),
        fontsize=8.5,
        frameon=False,
        labelcolor=INK,
    )
    return figure


def draw_by_part(
    series: Mapping[str, Sequence[Interval | float | None]], axis: PartAxis, *, label: str, title: str = ""
) -> Figure:
    """One line per series over the parts, where it has values; intervals as a band."""
    figure, (axes,) = new_figure(width=6.2, height=3.4)
    _part_axis(axes, axis, before=False, after=False)
    for number, (name, values) in enumerate(series.items()):
        known = [(i, value) for i, value in enumerate(values) if value is not None]
        scores = tuple(v if isinstance(v, Interval) else Interval(v, np.nan, np.nan) for _, v in known)
        _curve(axes, TransplantCurve(name, tuple(i for i, _ in known), scores), number)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_ylabel(label)
    if axes.lines:
        axes.legend(fontsize=8.5, frameon=False, labelcolor=INK, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    if title:
        title_axes(axes, title)
    return figure


def draw_similarity(
    values: Float[np.ndarray, "l m"], rows: PartAxis, columns: PartAxis, *, names: tuple[str, str]
) -> Figure:
    """Similarity of every part of one model to every part of another, 0..1; NaN stays empty.

    names   of the model in the rows and of that in the columns
    """
    written = max(values.shape) <= 10  # more cells are too small to write in
    side = min(8.0, 1.5 + (0.44 if written else 0.28) * max(values.shape))
    figure, (axes,) = new_figure(width=side, height=side)
    axes.imshow(np.clip(values, 0, 1), cmap=SEQUENTIAL, vmin=0, vmax=1)
    for row, column in np.ndindex(*values.shape) if written else ():
        value = float(values[row, column])
        colour = "#ffffff" if value > DARK else INK
        if not np.isnan(value):
            axes.text(column, row, _cell(value), ha="center", va="center", fontsize=7.5, color=colour)
    axes.set_xticks(range(len(columns.names)), columns.names, rotation=90, parse_math=False)
    axes.set_yticks(range(len(rows.names)), rows.names, parse_math=False)
    axes.axhline(rows.features - 0.5, color=MUTED, linewidth=1)
    axes.axvline(columns.features - 0.5, color=MUTED, linewidth=1)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set(visible=True, color=GRID)
    axes.set_ylabel(names[0], parse_math=False)
    axes.set_xlabel(names[1], parse_math=False)
    return figure


def _part_axis(axes: Axes, axis: PartAxis, *, before: bool, after: bool) -> None:
    """Parts along x, with a place for the unchanged model before the first or after the last."""
    dress(axes, grid="y")
    count = len(axis.names)
    places = [*([-1] if before else []), *range(count), *([count] if after else [])]
    names = [*([BARE] if before else []), *axis.names, *([BARE] if after else [])]
    axes.set_xticks(places, names, rotation=90, parse_math=False)
    left, right, middle = places[0] - 0.5, places[-1] + 0.5, axis.features - 0.5
    axes.axvspan(left, middle, color=FEATURES, linewidth=0, zorder=0)
    axes.axvspan(middle, right, color=CLASSIFIER, linewidth=0, zorder=0)
    axes.set_xlim(left, right)


def _curve(axes: Axes, curve: TransplantCurve, number: int, *, shift: float | None = None) -> Any:
    """One series; with a shift it is drawn as separate dots beside their places."""
    colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
    low, high = (np.array([getattr(score, side) for score in curve.scores]) for side in ("low", "high"))
    places = np.array(curve.places, dtype=np.float64)
    if shift is None:
        axes.fill_between(places, low, high, color=colour, alpha=0.13, linewidth=0)
    else:
        places += shift
        axes.vlines(places, low, high, color=colour, linewidth=1.2)
    (line,) = axes.plot(
        places,
        [score.estimate for score in curve.scores],
        color=colour,
        linewidth=1.7,
        linestyle=STROKES[number % len(STROKES)] if shift is None else "none",
        marker=MARKS[number % len(MARKS)],
        markersize=4,
        label=curve.name.replace("$", r"\$"),
    )
    return line


def _cell(value: float) -> str:
    """Two digits without the zero before the point."""
    digits = f"{abs(value):.2f}"
    return ("−" if value < 0 and digits != "0.00" else "") + (digits[1:] if digits < "1" else "1")
