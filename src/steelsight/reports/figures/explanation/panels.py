"""Heatmaps over sheets: red excites a class, blue inhibits it, on one symmetric scale per sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from steelsight.reports.figures.labels import wrap_label
from steelsight.reports.figures.style import INK, MUTED, PAPER
from steelsight.reports.overlay import BLUE, RED, blend
from steelsight.types import AreaFractions, GrayImage, Mask

__all__ = ["FOOTNOTE", "ExplanationRow", "draw_explanations"]

OUTLINE = "#ffd400"  # yellow occurs in no heatmap

STRIP_WIDTH, TILE_HEIGHT = 4.0, 2.5  # of a panel, inches
LEAST_CELL, LEAST_STRIP = 1.7, 0.25  # inches: names stay readable beside narrow sheets, long strips visible
LINES = 3  # of a sheet's heading; a longer one is shortened at the front
LETTER = 0.08  # a letter's mean width at 9 points, inches
STRIP_ASPECT = 2.5  # width : height from which an image is a strip
MARGIN, GAP, HEAD, TITLE, BAR, FOOT = 0.15, 0.12, 0.2, 0.26, 0.85, 0.3  # inches
FOOTNOTE = "Red raises the logit of the class, blue lowers it; the maps of one sheet have a common scale."


@dataclass(frozen=True)
class ExplanationRow:
    """One sheet: the image at model size, and a signed map for each class shown."""

    gray: GrayImage
    mask: AreaFractions | Mask | None  # annotated defect, outlined; None = unknown or none
    title: str
    maps: Sequence[Float32[np.ndarray, "h w"]]  # each of the size of `gray`
    names: Sequence[str]  # one per map
    pixel_aspect: float = 1.0  # width : height of a model pixel on the original image; drawn so


def draw_explanations(rows: Sequence[ExplanationRow], *, footnote: str = FOOTNOTE) -> Figure:
    """For each sheet the image with the outline of its mask, then one panel per map and a colour bar.

    All maps of a sheet have one scale, so that classes can be compared; sheets have different scales.
    """
    layouts = [_layout(row) for row in rows]
    height = sum(layout.height for layout in layouts) + MARGIN + FOOT
    width = max((layout.width for layout in layouts), default=STRIP_WIDTH) + 2 * MARGIN + BAR
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    top = height - MARGIN
    for row, layout in zip(rows, layouts, strict=True):
        _draw_row(figure, row, layout, top)
        top -= layout.height
    figure.text(MARGIN / width, MARGIN / height, footnote, fontsize=7, color=MUTED, parse_math=False)
    return figure


@dataclass(frozen=True)
class _Layout:
    columns: int
    lines: int
    panel_width: float  # inches, as below
    panel_height: float
    title: str

    @property
    def heading(self) -> list[str]:
        """The title in up to three lines."""
        line = int(self.width / LETTER)
        return wrap_label(_shorten(self.title, (LINES - 1) * self.width), line).split("\n")[:LINES]

    @property
    def width(self) -> float:
        return self.columns * (self.panel_width + GAP)

    @property
    def height(self) -> float:
        return HEAD * len(self.heading) + self.lines * (self.panel_height + TITLE) + 2 * GAP


def _layout(row: ExplanationRow) -> _Layout:
    """Strips are placed two or three per line, tiles up to four."""
    panels = 1 + len(row.maps)
    height, width = row.gray.shape[0], row.gray.shape[1] * row.pixel_aspect
    title = row.title
    if width >= STRIP_ASPECT * height:
        columns = min(panels, 2 if panels == 4 else 3)
        drawn = max(STRIP_WIDTH * height / width, LEAST_STRIP)
        return _Layout(columns, math.ceil(panels / columns), STRIP_WIDTH, drawn, title)
    columns = min(panels, 3 if panels in (5, 6) else 4)
    cell = max(TILE_HEIGHT * width / height, LEAST_CELL)
    return _Layout(columns, math.ceil(panels / columns), cell, TILE_HEIGHT, title)


def _draw_row(figure: Figure, row: ExplanationRow, layout: _Layout, top: float) -> None:
    limit = _limit(row.maps)
    full_width, full_height = figure.get_size_inches()
    for words in layout.heading:
        top -= HEAD
        place = (MARGIN / full_width, top / full_height)
        figure.text(*place, words, fontsize=9, fontweight="bold", color=INK, parse_math=False)
    pictures = [row.gray, *(blend(row.gray, signed, limit) for signed in row.maps)]
    for panel, (picture, title) in enumerate(zip(pictures, ["image", *row.names], strict=True)):
        line, column = divmod(panel, layout.columns)
        left = MARGIN + column * (layout.panel_width + GAP)
        bottom = top - (line + 1) * (layout.panel_height + TITLE)
        axes = _axes(figure, left, bottom, layout.panel_width, layout.panel_height)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_aspect(1 / row.pixel_aspect, anchor="W")
        axes.set_title(
            _shorten(title, layout.panel_width), fontsize=8.5, loc="left", pad=3, color=INK, parse_math=False
        )
        axes.set_axis_off()
        if row.mask is not None:
            _outline(axes, row.mask)
    if row.maps:
        bottom = top - layout.lines * (layout.panel_height + TITLE)
        _draw_bar(figure, _axes(figure, MARGIN + layout.width, bottom, 0.12, top - TITLE - bottom), limit)


def _shorten(title: str, inches: float) -> str:
    """Shorten at the front to the panel's width: verdict and probability are at the end."""
    room = int(inches / LETTER)
    return title if len(title) <= room else "…" + title[-(room - 1) :]


def _limit(maps: Sequence[Float32[np.ndarray, "h w"]]) -> float:
    """The value drawn in full colour; half a percent of the pixels exceed it.

    Otherwise a single large pixel would set the scale, and the map would look empty.
    """
    if not maps:
        return 1.0
    heights = np.abs(np.stack(list(maps)))
    peaks = np.percentile(heights.reshape(len(heights), -1), 99.5, axis=1)
    return float(peaks.max()) or float(heights.max()) or 1.0


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a position in inches from the lower left corner."""
    full_width, full_height = figure.get_size_inches()
    axes: Axes = figure.add_axes(
        (left / full_width, bottom / full_height, width / full_width, height / full_height)
    )
    return axes


def _outline(axes: Axes, mask: AreaFractions | Mask) -> None:
    """A line around the mask; a mask below half a pixel is outlined at half its maximum."""
    share = np.pad(np.asarray(mask, dtype=np.float32), 1)  # closes outlines at the edge of the image
    peak = float(share.max())
    if peak > 0:
        height, width = share.shape
        axes.contour(
            np.arange(width) - 1,
            np.arange(height) - 1,
            share,
            levels=[min(0.5, peak / 2)],
            colors=OUTLINE,
            linewidths=0.9,
        )
        axes.set_xlim(-0.5, width - 2.5)
        axes.set_ylim(height - 2.5, -0.5)


def _draw_bar(figure: Figure, axes: Axes, limit: float) -> None:
    steps = np.linspace(-1, 1, 101, dtype=np.float32)[None]
    middle = np.full(steps.shape, 140, dtype=np.uint8)  # about a sheet's gray
    colours = LinearSegmentedColormap.from_list("signed", blend(middle, steps, 1.0)[0])
    scale = ScalarMappable(Normalize(-limit, limit), colours)
    bar = figure.colorbar(scale, cax=axes, ticks=[-limit, 0, limit])
    bar.ax.set_yticklabels([f"−{limit:.2g}", "0", f"+{limit:.2g}"], fontsize=7)
    bar.ax.set_title("excites", fontsize=7, color=RED, pad=3)
    bar.ax.set_xlabel("inhibits", fontsize=7, color=BLUE, labelpad=3)
