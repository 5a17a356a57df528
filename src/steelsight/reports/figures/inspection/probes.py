"""Separability of the layers of a network: probe accuracy by depth with controls, and t-SNE maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from steelsight.reports.figures.style import (
    CLASS_COLOURS,
    INK,
    MUTED,
    SERIES_COLOURS,
    class_colours,
    dress,
    new_figure,
    title_axes,
)
from steelsight.types import Interval, Labels

__all__ = ["SheetMap", "draw_layer_maps", "draw_probe_curves"]

STROKES = ("-", (0, (5, 2)), (0, (2, 1)), (0, (7, 1.5, 1.5, 1.5)))
MARKERS = ("o", "s", "^", "D")
MAP_COLUMNS = 4
DOTTED = (0, (2, 3))


@runtime_checkable
class SheetMap(Protocol):
    """The map of one layer, such as `inspection.probes.embedding.LayerMap`."""

    @property
    def layer(self) -> str: ...
    @property
    def places(self) -> Float32[np.ndarray, "m 2"]: ...
    @property
    def agreement(self) -> Interval: ...


def draw_probe_curves(
    panels: Mapping[str, Mapping[str, Sequence[Interval]]],
    layers: Sequence[str],
    *,
    chance: float | None = None,
    head: int | None = None,
    title: str = "",
) -> Figure:
    """Accuracy of a linear probe by layer: one panel per description, one line per network, with intervals.

    panels  description -> network -> one interval per layer
    layers  in the order of computation
    chance  accuracy of always predicting the most common class
    head    number of the first layer of the head; a thin line separates it from the features
    """
    figure, axes = new_figure(
        len(panels), 1, height=1.3 + 2.5 * len(panels), height_ratios=[1.0] * len(panels)
    )
    lowest = min(
        [1.0 if chance is None else chance]
        + [_low(point) for lines in panels.values() for line in lines.values() for point in line]
    )
    for number, (panel, (name, lines)) in enumerate(zip(axes, panels.items(), strict=True)):
        dress(panel, grid="y")
        _lines(panel, lines)
        if chance is not None:
            panel.axhline(chance, color=MUTED, linewidth=1, linestyle=DOTTED, label="most common class")
        if head is not None and 0 < head < len(layers):
            _part(panel, head)
        panel.set_ylim(max(0.0, lowest - 0.04), 1.02)
        panel.set_xlim(-0.4, len(layers) - 0.6)
        panel.set_ylabel("accuracy of the probe")
        last = number == len(panels) - 1
        panel.set_xticks(range(len(layers)), list(layers) if last else [""] * len(layers))
        if last:
            panel.tick_params(axis="x", rotation=45)
            for label in panel.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
        title_axes(panel, f"{title}, {name}" if title else name)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=3, fontsize=8.5, frameon=False, labelcolor=INK
    )
    return figure


def draw_layer_maps(
    maps: Sequence[SheetMap],
    labels: Labels,
    class_names: Sequence[str],
    *,
    note: str = "",
    clean: int | None = 0,
) -> Figure:
    """One map of the same sheets per layer, coloured by class; axes have no unit and no ticks.

    labels  (m,) class index of the sheets on the maps
    note    seed, perplexity and other settings of the maps
    clean   the defect-free class; None = there is none
    """
    rows = -(-len(maps) // MAP_COLUMNS)
    figure, axes = new_figure(rows, MAP_COLUMNS, height=0.7 + 1.95 * rows)
    size = float(np.clip(900 / max(1, labels.size), 2, 12))
    order = np.random.default_rng(0).permutation(labels.size)  # random order: no class is always drawn on top
    of_class = class_colours(len(class_names), clean)
    colours = [of_class[int(kind)] for kind in labels[order]]
    for panel, drawn in zip(axes, maps, strict=False):
        places: Float[np.ndarray, "m 2"] = drawn.places[order]
        panel.scatter(places[:, 0], places[:, 1], s=size, c=colours, alpha=0.75, linewidths=0)
        panel.set(xticks=[], yticks=[])
        panel.margins(0.04)
        for spine in panel.spines.values():
            spine.set_visible(True)
        title_axes(panel, drawn.layer, size=8.5)
        panel.set_xlabel(
            f"neighbours of the same class {drawn.agreement.estimate:.2f}", fontsize=7, color=MUTED
        )
    for panel in axes[len(maps) :]:
        panel.set_visible(False)
    handles = [
        Line2D([], [], linestyle="", marker="o", markersize=5, color=of_class[kind], label=_text(name))
        for kind, name in enumerate(class_names)
    ]
    legend = figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=min(len(class_names), len(CLASS_COLOURS)),
        fontsize=8.5,
        frameon=False,
        labelcolor=INK,
        title=_text(note) or None,
        title_fontsize=8.5,
    )
    legend.get_title().set_color(MUTED)
    return figure


def _lines(panel: Axes, lines: Mapping[str, Sequence[Interval]]) -> None:
    for number, (name, points) in enumerate(lines.items()):
        colour = SERIES_COLOURS[number % len(SERIES_COLOURS)]
        depth = np.arange(len(points))
        panel.fill_between(
            depth, [p.low for p in points], [p.high for p in points], color=colour, alpha=0.13, linewidth=0
        )
        panel.plot(
            depth,
            [point.estimate for point in points],
            color=colour,
            linewidth=1.8 if not number else 1.4,
            linestyle=STROKES[number % len(STROKES)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            label=_text(name),
        )


def _part(panel: Axes, head: int) -> None:
    panel.axvline(head - 0.5, color=MUTED, linewidth=0.9)
    panel.annotate(
        "head",
        (head - 0.5, 0),
        xycoords=("data", "axes fraction"),
        xytext=(4, 4),
        textcoords="offset points",
        fontsize=8,
        color=MUTED,
    )


def _low(point: Interval) -> float:
    return point.estimate if np.isnan(point.low) else point.low


def _text(name: str) -> str:
    """A `$` in a name is text, not mathematics."""
    return name.replace("$", r"\$")
