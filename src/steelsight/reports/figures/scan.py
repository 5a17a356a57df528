"""Results of a scan: verdicts by label and state, and thumbnails of sheets to inspect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Float32
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from steelsight.reports.figures.glyphs import drawn_text
from steelsight.reports.figures.labels import short_labels
from steelsight.reports.figures.style import INK, MUTED, PAPER, WIDTH, dress, new_figure, title_axes
from steelsight.reports.overlay import blend
from steelsight.types import GrayImage

__all__ = ["Thumbnail", "draw_contact_sheet", "draw_verdicts"]

STATE_COLOURS: Final = {  # distinguishable in gray too
    "decided": "#0072b2",
    "doubtful": "#e0a100",
    "unknown input": "#d55e00",
    "bad image": "#6b7785",
}
BOX: Final = "#ffd400"  # yellow occurs in no heatmap
STRIP_ASPECT: Final = 2.5  # width : height from which sheets are strips, placed two per line
MARGIN, GAP, TITLE = 0.1, 0.12, 0.2  # inches
COLUMNS: Final = 4  # for other sheets
MOST_HEIGHT: Final = 3.0  # of a picture, inches: tall images stay on the screen


@dataclass(frozen=True)
class Thumbnail:
    """One sheet at model size."""

    name: str  # of the image
    verdict: str  # label and probability
    gray: GrayImage
    heat: Float32[np.ndarray, "h w"] | None  # signed evidence for its label
    boxes: Sequence[tuple[float, float, float, float]]  # left, top, right, bottom in pixels of `gray`
    pixel_aspect: float = 1.0  # width : height of a pixel on the original image; drawn so

    @property
    def shape(self) -> float:
        """Width : height of the original image."""
        height, width = self.gray.shape
        return float(width * self.pixel_aspect / height)


def draw_verdicts(counts: Mapping[str, Mapping[str, int]], title: str = "") -> Figure:
    """One bar per label, divided by state.

    counts  sheets of each state, by label; states as in STATE_COLOURS
    """
    figure, (axes,) = new_figure(height=0.95 + 0.36 * max(1, len(counts)) + 0.3 * bool(title))
    dress(axes)
    left = np.zeros(len(counts))
    for state, colour in STATE_COLOURS.items():
        sheets = np.array([by_state.get(state, 0) for by_state in counts.values()], dtype=float)
        if sheets.any():
            axes.barh(range(len(counts)), sheets, left=left, height=0.66, color=colour, label=state)
            left += sheets
    axes.set_yticks(range(len(counts)), list(counts), parse_math=False)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    widest = max([*left.tolist(), 1.0])
    for place, count in enumerate(left.tolist()):
        axes.text(count + widest * 0.01, place, f"{int(count):,}", va="center", fontsize=9, color=INK)
    axes.set_xlim(0, widest * 1.1)
    if left.any():
        axes.legend(loc="upper left", bbox_to_anchor=(0, 0), ncols=4, fontsize=8, frameon=False)
    if title:
        title_axes(axes, title)
    return figure


def draw_contact_sheet(thumbnails: Sequence[Thumbnail]) -> Figure:
    """Sheets side by side, with evidence for the label in red and boxes in yellow.

    Evidence against the label is not shown: it covers nearly all of the remaining sheet.

    thumbnails  each drawn in the aspect ratio of its image; strips are placed two per line, others four, in
                places of the median shape
    """
    usual = sorted(each.shape for each in thumbnails)[len(thumbnails) // 2]
    columns = 2 if usual >= STRIP_ASPECT else COLUMNS
    cell_w = (WIDTH - 2 * MARGIN - (columns - 1) * GAP) / columns
    cell_h = min(cell_w / usual, MOST_HEIGHT)
    lines = -(-len(thumbnails) // columns)
    titles = [_title(each, cell_w) for each in thumbnails]
    head = TITLE * max(title.count("\n") + 1 for title in titles)
    full = 2 * MARGIN + lines * (cell_h + head + GAP)
    figure = Figure(figsize=(WIDTH, full), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))  # one for all, in inches: sixty separate axes take seconds
    axes.set_axis_off()
    style: dict[str, Any] = {"fontsize": 8, "color": MUTED, "parse_math": False, "va": "bottom"}
    for number, thumbnail in enumerate(thumbnails):
        line, column = divmod(number, columns)
        left, top = MARGIN + column * (cell_w + GAP), full - MARGIN - line * (cell_h + head + GAP) - head
        wide = min(cell_w, cell_h * thumbnail.shape)
        tall = wide / thumbnail.shape
        place = (left, left + wide, top - tall, top)
        axes.imshow(_tinted(thumbnail), interpolation="nearest", aspect="auto", extent=place)
        right, down = wide / thumbnail.gray.shape[1], tall / thumbnail.gray.shape[0]
        for x0, y0, x1, y1 in thumbnail.boxes:
            corner, size = (left + x0 * right, top - y1 * down), ((x1 - x0) * right, (y1 - y0) * down)
            axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=BOX, linewidth=0.9))
        axes.text(left, top + 0.03, titles[number], **style)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, full)
    return figure


def _tinted(thumbnail: Thumbnail) -> Float[np.ndarray, "h w 3"]:
    heat = None if thumbnail.heat is None else np.maximum(thumbnail.heat, 0)
    if heat is None or not heat.max() > 0:
        plain: Float[np.ndarray, "h w 3"] = np.repeat(thumbnail.gray[..., None] / 255.0, 3, axis=2)
        return plain
    return blend(thumbnail.gray, heat, float(heat.max()))


def _title(thumbnail: Thumbnail, inches: float) -> str:
    """Name and verdict in one line where they fit, else in two, each shortened in the middle."""
    room = max(int(inches / 0.068), 6)  # a letter's mean width at 8 points
    name, verdict = drawn_text(thumbnail.name), drawn_text(thumbnail.verdict)
    title = f"{name}  {verdict}"
    if len(title) <= room:
        return title
    return "\n".join(short_labels([line], room)[0] for line in (name, verdict))
