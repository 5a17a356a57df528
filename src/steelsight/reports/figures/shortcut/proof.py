"""Figures of a shortcut test: scores of two groups, flips by dose, explanations before and after a paste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steelsight.reports.figures.glyphs import drawn_text
from steelsight.reports.figures.labels import label_width, short_labels, wrap_label
from steelsight.reports.figures.style import MUTED, PAPER, SERIES_COLOURS, dress, new_figure, write_at
from steelsight.reports.overlay import blend
from steelsight.types import GrayImage, Interval, Mask

__all__ = ["DosePoint", "VersionPanel", "draw_changed", "draw_doses", "draw_two_groups"]

WITHOUT, WITH = SERIES_COLOURS[0], SERIES_COLOURS[1]  # blue and orange, as in the study's figure
BINS = 24
OUTLINE = "#ffd400"
PANEL_WIDTH, MOST_HEIGHT = 2.9, 2.0  # inches
LETTER = 0.068  # a letter's mean width at 8 points, inches
MARGIN, GAP, HEAD, SIDE, FOOT = 0.12, 0.08, 0.5, 0.62, 0.28
NAME_LETTERS, LEAST_WIDTH = 20, 6.0  # of a line of a class name; inches, so that the footnote fits
DODGE = 0.02  # of the largest dose, between the two series
PEAK = 99.5  # percentile of a map drawn at full strength
FOOTNOTE = (
    "Red raises the logit of the class, blue lowers it; one scale for all. Yellow: the annotated defect."
)


@dataclass(frozen=True)
class DosePoint:
    """One dose: its position on the axis, and the shares of verdicts that flip."""

    at: float
    flips: Interval
    control: Interval


@dataclass(frozen=True)
class VersionPanel:
    """One version of a sheet: picture, map of every class, and a title with the verdict."""

    gray: GrayImage
    maps: Float32[np.ndarray, "c h w"]
    title: str


def draw_two_groups(
    scores: Mapping[str, tuple[Float[np.ndarray, " n"], Float[np.ndarray, " m"]]],
    names: tuple[str, str],
) -> Figure:
    """Histograms of two groups, one panel per score, with sheets as ticks and medians as lines.

    scores  name of the score -> (first group, second group)
    names   of the groups
    """
    figure, panels = new_figure(columns=len(scores), height=2.9)
    for axes, (title, groups) in zip(panels, scores.items(), strict=True):
        dress(axes, grid="y")
        pooled = np.concatenate(groups)
        low, high = float(pooled.min()), float(pooled.max())
        room = (high - low) or 1.0
        edges = np.linspace(low - 0.02 * room, high + 0.02 * room, BINS + 1)
        for number, (values, name, colour) in enumerate(zip(groups, names, (WITHOUT, WITH), strict=True)):
            share = np.full(values.size, 1 / values.size)
            axes.hist(
                values,
                edges.tolist(),
                weights=share,
                color=colour,
                alpha=0.45,
                label=f"{name} ({values.size})",
            )
            axes.axvline(float(np.median(values)), color=colour, linewidth=1.4)
            axes.plot(values, np.full(values.size, -0.025 - 0.03 * number), "|", color=colour, markersize=6)
        axes.set_xlabel(title, parse_math=False)
        axes.set_ylabel("share of the group")
        axes.set_ylim(bottom=-0.09)
    panels[0].legend(frameon=False, fontsize=8, loc="best")
    return figure


def draw_doses(series: Mapping[str, Sequence[DosePoint]]) -> Figure:
    """Share of verdicts that flip by dose, one panel per kind of dose, with the control."""
    figure, panels = new_figure(columns=len(series), height=2.7)
    top = max(point.flips.high for points in series.values() for point in points)
    for axes, (title, points) in zip(panels, series.items(), strict=True):
        dress(axes, grid="y")
        at = [point.at for point in points]
        beside = [place + DODGE * max(at) for place in at]  # so that equal shares do not hide each other
        _draw_series(axes, at, [point.flips for point in points], WITH, "pasted")
        _draw_series(axes, beside, [point.control for point in points], MUTED, "control: clean texture")
        axes.set_xlabel(title, parse_math=False)
        axes.set_ylabel("share of verdicts that flip")
        axes.set_xlim(left=0)
        axes.set_ylim(0, min(1.0, max(0.05, 1.1 * top)))
    figure.legend(
        *panels[0].get_legend_handles_labels(), frameon=False, fontsize=8, ncols=2, loc="outside upper right"
    )
    return figure


def draw_changed(
    versions: Sequence[VersionPanel],
    class_names: Sequence[str],
    *,
    mask: Mask | None = None,
    title: str = "",
    pixel_aspect: float = 1.0,
    footnote: str = FOOTNOTE,
) -> Figure:
    """Versions of a sheet side by side, one column each: the picture, and the map of every class below.

    mask          the annotated defect, outlined; None = none
    pixel_aspect  width : height of a pixel on the original image, which is drawn in its own aspect ratio
    """
    height, width = versions[0].gray.shape
    tall = min(PANEL_WIDTH * height / (width * pixel_aspect), MOST_HEIGHT)
    wide = tall * width * pixel_aspect / height
    rows, columns = 1 + len(class_names), len(versions)
    labels = [wrap_label(name, NAME_LETTERS) for name in ["image", *class_names]]
    side = max([SIDE, *(MARGIN + GAP + label_width(label, points=8.0) for label in labels)])
    full_w = max(side + columns * (wide + GAP) + MARGIN, LEAST_WIDTH)
    headings = _headings([version.title for version in versions], max(int(wide / LETTER), 6))
    head = HEAD + 0.14 * (max(map(len, headings)) - 1)
    full_h = 2 * MARGIN + head + rows * (tall + GAP) + FOOT
    figure = Figure(figsize=(full_w, full_h), facecolor=PAPER)
    room = int((full_w - 2 * MARGIN) / LETTER * 8 / 10.5)  # bold letters are wider
    write_at(
        figure, MARGIN, full_h - MARGIN, short_labels([drawn_text(title)], room)[0], size=9.5, weight="bold"
    )
    limit = _limit(versions)
    for column, version in enumerate(versions):
        left = side + column * (wide + GAP)
        for number, heading in enumerate(headings[column]):
            write_at(figure, left, full_h - MARGIN - 0.24 - 0.14 * number, heading, size=8.0)
        pictures = [version.gray, *(blend(version.gray, heat, limit) for heat in version.maps)]
        for row, (picture, name) in enumerate(zip(pictures, labels, strict=True)):
            bottom = full_h - MARGIN - head - (row + 1) * (tall + GAP) + GAP
            axes = figure.add_axes((left / full_w, bottom / full_h, wide / full_w, tall / full_h))
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="auto")
            axes.set_axis_off()
            if mask is not None and mask.any() and not mask.all():
                axes.contour(np.pad(mask, 1)[1:-1, 1:-1], levels=[0.5], colors=OUTLINE, linewidths=0.9)
            if column == 0:
                write_at(figure, MARGIN, bottom + tall / 2 + 0.07, name, size=8.0)
    write_at(figure, MARGIN, MARGIN + 0.12, footnote, size=7.0, colour=MUTED)
    return figure


def _headings(titles: Sequence[str], room: int) -> list[list[str]]:
    """Each title in one line where all fit, else in two lines divided at its colon.

    room  letters of a line; a longer line is shortened in the middle
    """
    if all(len(title) <= room for title in titles):
        return [[drawn_text(title)] for title in titles]
    parts = [title.partition(": ") for title in titles]
    lines = [[f"{first}:", rest] if rest else [first] for first, _, rest in parts]
    return [[short_labels([drawn_text(line)], room)[0] for line in each] for each in lines]


def _draw_series(
    axes: Axes, at: Sequence[float], shares: Sequence[Interval], colour: str, label: str
) -> None:
    low = [share.estimate - share.low for share in shares]
    high = [share.high - share.estimate for share in shares]
    axes.errorbar(
        at,
        [share.estimate for share in shares],
        yerr=[low, high],
        color=colour,
        marker="o",
        markersize=4,
        linewidth=1.3,
        elinewidth=0.9,
        capsize=2.5,
        label=label,
    )


def _limit(versions: Sequence[VersionPanel]) -> float:
    heights = [np.abs(heat) for version in versions for heat in version.maps]
    return max((float(np.percentile(each, PEAK)) for each in heights), default=1.0) or 1.0
