"""Block diagrams of a network and of the Fire module, from a layer summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from steelsight.reports.figures.style import INK, MUTED, PAPER

__all__ = ["LayerLike", "draw_architecture", "draw_fire_module"]

COLOURS = {  # by kind of layer: convolution, parallel convolutions, pooling, linear
    "Conv2d": "#4c86c6",
    "Fire": "#e08a3c",
    "MaxPool2d": "#9aa5b1",
    "AdaptiveAvgPool2d": "#9aa5b1",
    "Pooling": "#9aa5b1",
    "AverageMax": "#9aa5b1",
    "Linear": "#5aa469",
}
SHORT = {
    "Conv2d": "conv",
    "Fire": "Fire",
    "MaxPool2d": "max-pool",
    "AdaptiveAvgPool2d": "average",
    "Pooling": "pool",
    "AverageMax": "average, max",
    "Linear": "linear",
}
LINES = (-0.12, -0.36, -0.59, -0.82)  # heights of the captions below a slab


@runtime_checkable
class LayerLike(Protocol):
    """One layer of a summary, such as `models.summary.LayerRow`."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def parameters(self) -> int: ...
    @property
    def macs(self) -> int: ...


def draw_architecture(layers: Sequence[LayerLike], title: str, *, size: tuple[int, int]) -> Figure:
    """Draw a network from left to right: slabs as high as the output map, as thick as its channels.

    Both scales are logarithmic.
    layers  in the order of computation; ReLU, dropout and flatten are left out
    size    height and width of the input image
    """
    drawn = [layer for layer in layers if layer.kind in COLOURS]
    figure = Figure(figsize=(max(6.0, 0.86 * (len(drawn) + 2.5)), 3.7), facecolor=PAPER)
    axes = _canvas(figure, (-0.75, len(drawn) + 1.5), (-1.55, 2.35))
    for line, word in zip(LINES[1:], ("channels", "size", "parameters"), strict=True):
        axes.text(-0.72, line, word, ha="left", va="top", fontsize=7, color=MUTED)
    _slab(axes, 0.6, size[0], 3, "#c9ced6")
    _caption(axes, 0.6, "image", f"{size[0]}x{size[1]}", "3")
    for place, layer in enumerate(drawn):
        _draw_layer(axes, 1.75 + place, layer)
    first_head = next((i for i, layer in enumerate(drawn) if layer.name.startswith("head")), len(drawn))
    _bracket(axes, 1.3, 1.2 + first_head, "features")
    _bracket(axes, 1.3 + first_head, 1.2 + len(drawn), "head")
    parameters, macs = sum(layer.parameters for layer in layers), sum(layer.macs for layer in layers)
    heading = f"{title}: {parameters:,} parameters, {macs / 1e6:,.1f} million multiply-accumulates an image"
    axes.set_title(heading, fontsize=10, loc="left", color=INK, parse_math=False)
    return figure


def draw_fire_module(inputs: int, squeeze: int, expand: int, grid: tuple[int, int]) -> Figure:
    """Draw a Fire module: 1x1 filters squeeze the channels, parallel 1x1 and 3x3 filters expand them.

    inputs, squeeze, expand     channels in, after the squeeze, after each of the two expand layers
    grid                        height and width of the map, the same throughout
    """
    figure = Figure(figsize=(8.6, 3.2), facecolor=PAPER)
    axes = _canvas(figure, (0.0, 10.0), (0.0, 4.0))
    at = f"{grid[0]}x{grid[1]}"
    _box(axes, (0.2, 1.5), f"{inputs} channels\n{at}", "#c9ced6")
    _box(axes, (2.75, 1.5), f"squeeze: {squeeze} filters 1x1\nReLU", COLOURS["Conv2d"])
    _box(axes, (5.3, 2.7), f"expand: {expand} filters 1x1\nReLU", COLOURS["Fire"])
    _box(axes, (5.3, 0.3), f"expand: {expand} filters 3x3\npadding 1, ReLU", COLOURS["Fire"])
    _box(axes, (7.85, 1.5), f"stacked: {2 * expand} channels\n{at}", "#c9ced6")
    for start, end in (
        ((2.15, 2.0), (2.75, 2.0)),
        ((4.7, 2.2), (5.3, 3.2)),
        ((4.7, 1.8), (5.3, 0.8)),
        ((7.25, 3.2), (7.85, 2.2)),
        ((7.25, 0.8), (7.85, 1.8)),
    ):
        axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=11, color=MUTED))
    note = "Padding 1 gives the 3x3 filters the output size of the 1x1 filters, so both can be stacked."
    axes.text(0.2, -0.1, note, fontsize=8, color=MUTED, va="top")
    return figure


def _canvas(figure: Figure, across: tuple[float, float], up: tuple[float, float]) -> Axes:
    axes: Axes = figure.add_axes((0.02, 0.06, 0.96, 0.84))
    axes.set_xlim(*across)
    axes.set_ylim(*up)
    axes.set_axis_off()
    return axes


def _draw_layer(axes: Axes, x: float, layer: LayerLike) -> None:
    shape = layer.output_shape
    height = shape[1] if len(shape) == 3 else 1
    _slab(axes, x, height, shape[0], COLOURS[layer.kind])
    grid = f"{shape[1]}x{shape[2]}" if len(shape) == 3 else ""
    _caption(axes, x, SHORT[layer.kind], grid, str(shape[0]))
    if layer.parameters:
        axes.text(x, LINES[3], _count(layer.parameters), ha="center", va="top", fontsize=7, color=MUTED)


def _slab(axes: Axes, x: float, height: int, channels: int, colour: str) -> None:
    """A box in perspective; the width of its front is the number of channels, side and top are shaded."""
    tall = 0.25 + 0.27 * math.log2(max(height, 1))
    thick = 0.06 + 0.045 * math.log2(max(channels, 1))
    deep = 0.16
    left, right = x - thick / 2 - deep / 2, x + thick / 2 - deep / 2
    axes.add_patch(Rectangle((left, 0), thick, tall, facecolor=colour, edgecolor="white", linewidth=0.6))
    top = [(left, tall), (left + deep, tall + deep), (right + deep, tall + deep), (right, tall)]
    side = [(right, 0), (right + deep, deep), (right + deep, tall + deep), (right, tall)]
    for corners, shade in ((top, 0.75), (side, 0.5)):
        axes.add_patch(
            Polygon(corners, facecolor=colour, edgecolor="white", linewidth=0.6, alpha=0.4 + shade / 2)
        )


def _caption(axes: Axes, x: float, kind: str, grid: str, channels: str) -> None:
    axes.text(x, LINES[0], kind, ha="center", va="top", fontsize=8, fontweight="bold")
    axes.text(x, LINES[1], channels, ha="center", va="top", fontsize=7.5)
    axes.text(x, LINES[2], grid, ha="center", va="top", fontsize=7.5)


def _bracket(axes: Axes, left: float, right: float, name: str) -> None:
    if right <= left:
        return
    axes.plot([left, left, right, right], [-1.12, -1.2, -1.2, -1.12], color=MUTED, linewidth=1)
    axes.text((left + right) / 2, -1.26, name, ha="center", va="top", fontsize=9, color=INK)


def _box(axes: Axes, corner: tuple[float, float], text: str, colour: str) -> None:
    style = "round,pad=0.02,rounding_size=0.12"
    axes.add_patch(
        FancyBboxPatch(corner, 1.95, 1.0, boxstyle=style, facecolor=colour, edgecolor="none", alpha=0.85)
    )
    axes.text(corner[0] + 0.975, corner[1] + 0.5, text, ha="center", va="center", fontsize=7.5)


def _count(number: int) -> str:
    return (
        f"{number / 1e6:.1f} M"
        if number >= 1e6
        else f"{number / 1e3:.1f} k"
        if number >= 1e3
        else str(number)
    )
