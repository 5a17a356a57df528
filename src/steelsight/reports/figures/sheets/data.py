"""A data set in pictures: image sizes, and example sheets of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image, ImageFilter

from steelsight.reports.figures.glyphs import drawn_text
from steelsight.reports.figures.style import (
    INK,
    MUTED,
    PAPER,
    SERIES_COLOURS,
    WIDTH,
    dress,
    new_figure,
    title_axes,
)
from steelsight.types import GrayImage, Mask

__all__ = ["ExampleSheet", "draw_examples", "draw_sizes", "outline_colour"]

# Bright on gray steel, distinguishable with red-green colour blindness; defect types 1, 2, …
OUTLINES = ("#ffd400", "#00d5ff", "#ff5fd0", "#8cff66", "#ff9a3d", "#c9a6ff")

Sides = Int[np.ndarray, "sizes"]

_STRIP_ASPECT = 2.5  # width : height from which sheets are strips, placed two per line
_TITLE_IN, _GAP_IN, _MARGIN_IN, _HEAD_IN = 0.2, 0.12, 0.1, 0.28  # inches
_TILE_COLUMNS = 4
_TALLEST = 1.5  # height : width of a cell; taller pictures shrink


@dataclass(frozen=True)
class ExampleSheet:
    """One sheet with title, pixels, and masks by defect type where known."""

    title: str
    gray: GrayImage
    masks: Mapping[int, Mask] = field(default_factory=dict)


def outline_colour(defect_type: int) -> str:
    """The colour of a defect type's outline on a sheet; types count from 1."""
    return OUTLINES[(defect_type - 1) % len(OUTLINES)]


def draw_sizes(
    sizes: Sequence[tuple[int, int, int]], title: str = "Image sizes", *, model: tuple[int, int] | None = None
) -> Figure:
    """Histograms of image width and height.

    sizes  (height, width, sheets)
    model  (height, width) of the model's input, marked where it is within the axes
    """
    figure, panels = new_figure(1, 2, height=2.7)
    counts = np.array([count for _, _, count in sizes], dtype=np.int64)
    for axes, side, name in zip(panels, (1, 0), ("width", "height"), strict=True):
        dress(axes, grid="y")
        values = np.array([size[side] for size in sizes], dtype=np.int64)
        _draw_sides(axes, values, counts)
        axes.set_xlabel(f"{name} in pixels")
        if model is not None and axes.get_xlim()[0] <= model[side] <= axes.get_xlim()[1]:
            axes.axvline(model[side], color=SERIES_COLOURS[1], linewidth=1.2)
            axes.text(model[side], 1, " model", transform=axes.get_xaxis_transform(), va="top", fontsize=8)
    panels[0].set_ylabel("sheets")
    title_axes(panels[0], title)
    return figure


def draw_examples(
    examples: Sequence[ExampleSheet], type_names: Sequence[str] = (), *, title: str = ""
) -> Figure:
    """Sheets with the outlines of their masks: strips two per line, tiles four per line.

    type_names  "none", then the defect types, for the legend of the outlines
    """
    columns, cell_width, heights = _grid(examples)
    shown = sorted({kind for example in examples for kind, mask in example.masks.items() if mask.any()})
    head = _MARGIN_IN + (_HEAD_IN if title else 0) + (_HEAD_IN if shown else 0)
    height = head + sum(heights) + len(heights) * (_TITLE_IN + _GAP_IN) + _MARGIN_IN
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    top = height - head
    for line, line_height in enumerate(heights):
        for column, example in enumerate(examples[line * columns : (line + 1) * columns]):
            left = _MARGIN_IN + column * (cell_width + _GAP_IN)
            bottom = top - _TITLE_IN - line_height
            box = (left / WIDTH, bottom / height, cell_width / WIDTH, line_height / height)
            _draw_example(figure.add_axes(box, anchor="NW"), example, cell_width)
        top -= line_height + _TITLE_IN + _GAP_IN
    if title:
        style: dict[str, Any] = {"fontsize": 11, "color": INK, "fontweight": "bold", "parse_math": False}
        figure.text(_MARGIN_IN / WIDTH, 1 - _MARGIN_IN / height, title, va="top", **style)
    if shown:
        _draw_legend(figure, shown, type_names, 1 - (_HEAD_IN if title else 0) / height)
    return figure


def _grid(examples: Sequence[ExampleSheet]) -> tuple[int, float, list[float]]:
    """Number of pictures per line, their width, and the height of each line in inches."""
    shapes = [example.gray.shape[0] / example.gray.shape[1] for example in examples]
    columns = 2 if shapes and 1 / float(np.median(shapes)) >= _STRIP_ASPECT else _TILE_COLUMNS
    width = (WIDTH - 2 * _MARGIN_IN - (columns - 1) * _GAP_IN) / columns
    lines = [shapes[start : start + columns] for start in range(0, len(shapes), columns)]
    return columns, width, [width * min(max(line), _TALLEST) for line in lines]


def _draw_sides(axes: Axes, values: Sides, counts: Sides) -> None:
    """A histogram, or one bar when all sheets have the same value."""
    colour = SERIES_COLOURS[0]
    if np.unique(values).size < 2:
        only = int(values[0]) if values.size else 0
        axes.bar([only], [int(counts.sum())], width=max(1, 0.08 * only), color=colour)
        axes.set_xlim(0, 2 * only or 1)
        axes.set_xticks([only], labels=[f"{only} (all)"])
        return
    axes.hist(values, bins=min(24, int(np.ptp(values)) + 1), weights=counts, color=colour)


def _draw_example(axes: Axes, example: ExampleSheet, width_in: float) -> None:
    axes.imshow(example.gray, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    for defect_type, mask in sorted(example.masks.items()):
        if mask.any():
            margin = max(1, mask.shape[1] // 400)  # pixels, so that the line does not cover a thin crack
            wide = Image.fromarray(mask.astype(np.uint8)).filter(ImageFilter.MaxFilter(2 * margin + 1))
            closed = np.pad(np.asarray(wide, dtype=np.float32), 1)  # closes outlines at the edge of the image
            height, width = closed.shape
            axes.contour(
                np.arange(width) - 1,
                np.arange(height) - 1,
                closed,
                levels=[0.5],
                colors=outline_colour(defect_type),
                linewidths=0.9,
            )
    axes.set_xlim(-0.5, example.gray.shape[1] - 0.5)
    axes.set_ylim(example.gray.shape[0] - 0.5, -0.5)
    axes.set_title(
        _shorten(example.title, width_in), loc="left", fontsize=8, color=MUTED, pad=3, parse_math=False
    )
    axes.set_axis_off()


def _draw_legend(figure: Figure, shown: Sequence[int], type_names: Sequence[str], top: float) -> None:
    names = [
        type_names[kind].replace("$", r"\$") if kind < len(type_names) else f"type {kind}" for kind in shown
    ]
    handles = [Line2D([], [], color=outline_colour(kind), linewidth=2.2) for kind in shown]
    legend = figure.legend(
        handles, names, loc="upper left", bbox_to_anchor=(0, top), ncols=6, fontsize=8, frameon=False
    )
    for text in legend.get_texts():
        text.set_color(INK)


def _shorten(title: str, inches: float) -> str:
    """Shorten in the middle to the picture's width: class and number are at the ends."""
    room = max(8, int(inches / 0.066))  # a letter's mean width at 8 points
    title = drawn_text(title)
    if len(title) <= room:
        return title
    return f"{title[: room // 2]}…{title[-(room - room // 2 - 1) :]}"
