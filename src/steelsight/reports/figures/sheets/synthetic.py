"""Synthetic annotations compared with real ones: number, size and position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steelsight.reports.figures.style import INK, MUTED, class_colour, new_figure

__all__ = ["draw_mask_comparison"]

Arrays = Mapping[str, np.ndarray]

# Measure, heading, bin edges; areas in steps of equal ratio.
_PANELS: tuple[tuple[str, str, np.ndarray], ...] = (
    ("components", "defects per sheet", np.arange(0.5, 13.5)),
    ("area_px", "area, px", np.geomspace(30, 4e5, 25)),
    ("height_px", "height, px", np.linspace(0, 256, 17)),
    ("width_px", "width, px", np.geomspace(4, 1600, 21)),
    ("across", "horizontal centre", np.linspace(0, 1, 17)),
    ("down", "vertical centre", np.linspace(0, 1, 9)),
)


def draw_mask_comparison(real: Mapping[int, Arrays], synthetic: Mapping[int, Arrays]) -> Figure:
    """One row per defect type, one panel per measure: real filled, synthetic as a line, both as shares.

    real, synthetic  by defect type and measure: one value per sheet for `components`, else one per region
    """
    types = sorted(set(real) | set(synthetic))
    figure, axes = new_figure(len(types), len(_PANELS), width=11.0, height=0.9 + 1.35 * len(types))
    for row, defect_type in enumerate(types):
        for column, (name, heading, edges) in enumerate(_PANELS):
            panel = axes[row * len(_PANELS) + column]
            _draw_panel(
                panel, real.get(defect_type, {}).get(name), edges, class_colour(defect_type), filled=True
            )
            _draw_panel(panel, synthetic.get(defect_type, {}).get(name), edges, INK, filled=False)
            panel.set_yticks([])
            panel.spines["left"].set_visible(False)
            if edges[-1] / max(edges[0], 1e-9) > 100 and edges[0] > 0:
                panel.set_xscale("log")
            if row == 0:
                panel.set_title(heading, loc="left", fontsize=9, color=INK)
            if column == 0:
                panel.set_ylabel(f"type {defect_type}", color=class_colour(defect_type), fontweight="bold")
    figure.supxlabel(
        "filled: real annotations;  line: synthetic;  shares of sheets (first column) or of regions",
        fontsize=8.5,
        color=MUTED,
    )
    return figure


def _draw_panel(
    axes: Axes, values: np.ndarray | None, edges: np.ndarray, colour: str, *, filled: bool
) -> None:
    if values is None or not len(values):
        return
    shares, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    style: dict[str, Any] = {"fill": True, "alpha": 0.35} if filled else {"linewidth": 1.3}
    axes.stairs(shares / len(values), edges, color=colour, **style)
