"""Heatmaps of several methods on one sheet, and true masks beside predicted ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steelsight.reports.figures.style import INK, MUTED, PAPER
from steelsight.reports.overlay import blend
from steelsight.types import GrayImage, Mask

__all__ = ["MaskPair", "draw_mask_pairs", "draw_methods"]

OUTLINE = "#ffd400"  # yellow occurs in no heatmap
TRUE_TINT, PREDICTED_TINT = (1.0, 0.83, 0.0), (0.0, 0.72, 0.85)
MARGIN, GAP, TITLE, FOOT, HEAD = 0.15, 0.12, 0.27, 0.3, 0.22  # inches
STRIP_ASPECT, STRIP_WIDTH, TILE_HEIGHT = 2.5, 4.0, 2.3
LEAST_WIDTH = 6.2  # room for the footnote
PEAK = 99.8  # percentile drawn at full strength: a single large pixel must not set the scale
FOOTNOTE = (
    "Red: evidence for the class; blue: against it; each map has its own scale. Yellow: the annotated mask."
)


@dataclass(frozen=True)
class MaskPair:
    """One sheet with its true and its predicted mask."""

    gray: GrayImage
    truth: Mask
    predicted: Mask
    title: str


def draw_methods(
    gray: GrayImage,
    maps: Mapping[str, Float32[np.ndarray, "h w"]],
    *,
    mask: Mask | None = None,
    title: str = "",
    footnote: str = FOOTNOTE,
) -> Figure:
    """Draw the sheet, then one panel per method: red above 0, blue below, each on its own scale."""
    panels = [("image", gray[..., None].repeat(3, axis=2) / 255.0)]
    for name, heat in maps.items():
        limit = float(np.percentile(np.abs(heat), PEAK)) or float(np.abs(heat).max()) or 1.0
        panels.append((name, blend(gray, heat, limit)))
    figure, axes = _grid(gray, len(panels), _columns(gray, len(panels)), footnote, [title] if title else [])
    for panel, (name, picture) in zip(axes, panels, strict=True):
        panel.imshow(picture, vmin=0, vmax=1, interpolation="nearest")
        _name(panel, name)
        if mask is not None:
            _outline(panel, mask)
    return figure


def draw_mask_pairs(
    pairs: Sequence[MaskPair],
    *,
    footnote: str = "Left: the annotated mask. Right: the mask derived from the heatmap.",
) -> Figure:
    """One line per sheet: true mask at the left, predicted mask at the right, as tints over the sheet.

    pairs   all of one size
    """
    figure, axes = _grid(pairs[0].gray, 2 * len(pairs), 2, footnote, [pair.title for pair in pairs])
    for number, pair in enumerate(pairs):
        left, right = axes[2 * number : 2 * number + 2]
        left.imshow(_tint(pair.gray, pair.truth, TRUE_TINT), interpolation="nearest")
        right.imshow(_tint(pair.gray, pair.predicted, PREDICTED_TINT), interpolation="nearest")
        _outline(right, pair.truth)
        _name(left, "true mask")
        _name(right, "predicted mask")
    return figure


def _columns(gray: GrayImage, panels: int) -> int:
    if gray.shape[1] >= STRIP_ASPECT * gray.shape[0]:
        return 2 if panels in (2, 4) else min(panels, 3)
    return min(panels, 5 if panels > 8 else 4)


def _grid(
    gray: GrayImage, panels: int, columns: int, footnote: str, titles: Sequence[str]
) -> tuple[Figure, list[Axes]]:
    """Panels with the sheet's aspect ratio, in reading order.

    titles  headings of the first lines
    """
    height, width = gray.shape
    strip = width >= STRIP_ASPECT * height
    panel_w = STRIP_WIDTH if strip else TILE_HEIGHT * width / height
    panel_h = STRIP_WIDTH * height / width if strip else TILE_HEIGHT
    lines = math.ceil(panels / columns)
    full_w = max(columns * (panel_w + GAP) - GAP + 2 * MARGIN, LEAST_WIDTH)
    full_h = lines * (panel_h + TITLE) + HEAD * len(titles) + 2 * MARGIN + FOOT
    figure = Figure(figsize=(full_w, full_h), facecolor=PAPER)
    axes = []
    top = full_h - MARGIN
    for line in range(lines):
        if line < len(titles):
            style: dict[str, Any] = {
                "fontsize": 9.5,
                "weight": "bold",
                "va": "top",
                "color": INK,
                "parse_math": False,
            }
            figure.text(MARGIN / full_w, top / full_h, titles[line], **style)
            top -= HEAD
        top -= panel_h + TITLE
        for column in range(min(columns, panels - line * columns)):
            left = MARGIN + column * (panel_w + GAP)
            box = (left / full_w, top / full_h, panel_w / full_w, panel_h / full_h)
            axes.append(figure.add_axes(box))
            axes[-1].set_axis_off()
    figure.text(MARGIN / full_w, MARGIN / full_h, footnote, fontsize=7, color=MUTED, parse_math=False)
    return figure, axes


def _name(axes: Axes, name: str) -> None:
    axes.set_title(name, fontsize=8.5, loc="left", pad=3, color=INK, parse_math=False)


def _tint(gray: GrayImage, mask: Mask, colour: tuple[float, float, float]) -> Float32[np.ndarray, "h w 3"]:
    base = gray[..., None].repeat(3, axis=2).astype(np.float32) / 255
    tinted: Float32[np.ndarray, "h w 3"] = np.where(
        mask[..., None], 0.45 * base + 0.55 * np.array(colour), base
    ).astype(np.float32)
    return tinted


def _outline(axes: Axes, mask: Mask) -> None:
    share = np.pad(mask.astype(np.float32), 1)
    if not mask.any():
        return
    height, width = share.shape
    axes.contour(
        np.arange(width) - 1, np.arange(height) - 1, share, levels=[0.5], colors=OUTLINE, linewidths=0.9
    )
    axes.set_xlim(-0.5, width - 2.5)
    axes.set_ylim(height - 2.5, -0.5)
