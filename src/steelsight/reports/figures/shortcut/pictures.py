"""Figures of a search for shortcuts: effects of all candidates, and grids of sheets with maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32
from matplotlib.figure import Figure

from steelsight.reports.figures.glyphs import drawn_text
from steelsight.reports.figures.labels import short_labels, wrap_label
from steelsight.reports.figures.style import GRID, INK, MUTED, PAPER, SERIES_COLOURS, dress, new_figure
from steelsight.reports.overlay import blend
from steelsight.types import GrayImage, Interval

__all__ = ["EffectRow", "Panel", "draw_effects", "draw_panels", "panels_across"]

COLUMN_IN, MARGIN_IN, GAP_IN, TITLE_IN, HEAD_IN, LEAD_IN = 3.8, 0.12, 0.14, 0.2, 0.2, 0.14
STRIP_ASPECT, TILE_IN = 2.5, 1.9
LEAST_SHAPE, MOST_SHAPE, MOST_HIGH_IN = 0.7, 1.0, 3.0  # width : height of a place, so that lines fit the page
PEAK = 99.5  # percentile of a map drawn at full strength


@dataclass(frozen=True)
class EffectRow:
    """One candidate."""

    name: str
    effect: Interval
    strong: bool  # drawn in colour


@dataclass(frozen=True)
class Panel:
    """One picture of a grid."""

    gray: GrayImage
    title: str
    heat: Float32[np.ndarray, "h w"] | None = None  # red above 0, blue below
    pixel_aspect: float = 1.0  # width : height of a pixel on the original image; drawn so


def draw_effects(rows: Sequence[EffectRow], *, least: float, label: str) -> Figure:
    """One dot with interval per candidate, in the given order; a line at the smallest relevant effect."""
    names = [wrap_label(row.name, 46) for row in rows]
    lines = max((name.count("\n") + 1 for name in names), default=1)
    figure, (axes,) = new_figure(height=0.9 + (0.13 + 0.13 * lines) * len(rows))
    dress(axes, grid="x")
    for place, row in enumerate(rows):
        colour = SERIES_COLOURS[1] if row.strong else MUTED
        low, high = row.effect.low, row.effect.high
        axes.plot([low, high], [place, place], color=colour, linewidth=1.6, solid_capstyle="round")
        axes.plot([row.effect.estimate], [place], "o", color=colour, markersize=5)
    axes.axvline(0, color=GRID, linewidth=1)
    axes.axvline(least, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(rows)), names, parse_math=False)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.set_xlim(-1.03, 1.03)
    axes.set_xlabel(wrap_label(label, 46))
    return figure


def panels_across(panel: Panel) -> int:
    """Number of pictures like this one per line."""
    return 2 if _shape(panel) >= STRIP_ASPECT else 4


def _shape(panel: Panel) -> float:
    """Width : height of the original image."""
    height, width = panel.gray.shape
    return float(width * panel.pixel_aspect / height)


def draw_panels(lines: Sequence[tuple[str, Sequence[Panel]]]) -> Figure:
    """Lines of pictures with headings, wrapped at full lines, each in the aspect ratio of its image.

    Columns and places are those of the picture of median shape; the others fit into them.
    """
    ordered = sorted((each for _, panels in lines for each in panels), key=_shape)
    usual = ordered[len(ordered) // 2]
    columns = panels_across(usual)
    across = COLUMN_IN if columns == 2 else TILE_IN * min(max(_shape(usual), LEAST_SHAPE), MOST_SHAPE)
    panel = (across, min(across / _shape(usual), MOST_HIGH_IN))
    rows = [-(-len(panels) // columns) for _, panels in lines]
    heads = [HEAD_IN if head else 0.0 for head, _ in lines]
    leads = [LEAD_IN if head and number else 0.0 for number, (head, _) in enumerate(lines)]
    full_h = 2 * MARGIN_IN + sum(heads) + sum(leads) + sum(rows) * (panel[1] + TITLE_IN + GAP_IN) - GAP_IN
    full_w = 2 * MARGIN_IN + columns * (panel[0] + GAP_IN) - GAP_IN
    figure = Figure(figsize=(full_w, full_h), facecolor=PAPER)
    top = full_h - MARGIN_IN
    for (head, panels), count, room, lead in zip(lines, rows, heads, leads, strict=True):
        top -= lead
        if head:
            place = (MARGIN_IN / full_w, top / full_h)
            figure.text(*place, head, fontsize=9, weight="bold", va="top", color=INK, parse_math=False)
            top -= room
        for number, each in enumerate(panels):
            line, column = divmod(number, columns)
            left = MARGIN_IN + column * (panel[0] + GAP_IN)
            bottom = top - (line + 1) * (panel[1] + TITLE_IN) - line * GAP_IN
            box = (left / full_w, bottom / full_h, panel[0] / full_w, panel[1] / full_h)
            _draw_panel(figure, box, each, panel[0])
        top -= count * (panel[1] + TITLE_IN + GAP_IN)
    return figure


def _draw_panel(
    figure: Figure, box: tuple[float, float, float, float], panel: Panel, width_in: float
) -> None:
    axes = figure.add_axes(box)
    style: dict[str, Any] = {"interpolation": "nearest", "aspect": 1 / panel.pixel_aspect}
    axes.set_anchor("NW")
    if panel.heat is None:
        axes.imshow(panel.gray, cmap="gray", vmin=0, vmax=255, **style)
    else:
        limit = float(np.percentile(np.abs(panel.heat), PEAK)) or 1.0
        axes.imshow(blend(panel.gray, panel.heat, limit), **style)
    room = max(int(width_in / 0.068), 6)  # a letter's mean width at 8 points
    title = short_labels([drawn_text(panel.title)], room)[0]
    axes.set_title(title, fontsize=8, loc="left", pad=3, color=MUTED, parse_math=False)
    axes.set_axis_off()
