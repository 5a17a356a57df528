"""Neurons: images that drive them, real crops with high activation, and mean activations by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steelsight.reports.figures.style import INK, MUTED, PAPER, WIDTH, class_colours, dress, write_at
from steelsight.types import Interval

__all__ = [
    "NeuronCard",
    "draw_growth",
    "draw_neuron_atlas",
    "draw_neuron_cards",
    "draw_neuron_pairs",
    "middle",
]

MARGIN, GAP, LINE = 0.15, 0.1, 0.19  # inches
CARD, PICTURE = 1.15, 1.15
TILE, CROP_GAP = 0.74, 0.06

Picture = UInt8[np.ndarray, "_ _ _"]  # gray (h, w, 1) or colour (h, w, 3)


@dataclass(frozen=True)
class NeuronCard:
    """Contents of one neuron's card."""

    title: str
    pictures: Mapping[str, Picture]  # by form of optimisation, in drawing order
    crops: Sequence[UInt8[np.ndarray, "_ _"]]  # by falling activation
    responses: Mapping[str, Interval]  # by class


def middle(picture: Picture, side: int) -> Picture:
    """The central square of a picture, no larger than the picture."""
    height, width = picture.shape[:2]
    side = min(side, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def draw_neuron_atlas(layers: Mapping[str, Sequence[tuple[str, Picture]]]) -> Figure:
    """One line per layer, one tile per neuron, with its number."""
    most = max(len(row) for row in layers.values())
    columns = max(1, min(most, math.floor((WIDTH - 2 * MARGIN - 1.0 + GAP) / (TILE + GAP))))
    lines = {name: math.ceil(len(row) / columns) for name, row in layers.items()}
    height = 2 * MARGIN + sum(max(1, count) * (TILE + LINE + 0.02) for count in lines.values())
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    top = height - MARGIN
    for name, row in layers.items():
        write_at(figure, MARGIN, top - LINE - 0.5 * TILE, name, size=8.5, weight="bold", align="center")
        for number, (label, picture) in enumerate(row):
            line, column = divmod(number, columns)
            left = MARGIN + 1.0 + column * (TILE + GAP)
            bottom = top - (line + 1) * (TILE + LINE + 0.02)
            _picture(_axes(figure, left, bottom, TILE, TILE), picture, label)
        top -= max(1, lines[name]) * (TILE + LINE + 0.02)
    return figure


def draw_neuron_cards(
    cards: Sequence[NeuronCard], *, class_names: Sequence[str], clean: int | None = 0
) -> Figure:
    """One line per neuron: its images, real crops with the highest activation, mean activation by class.

    clean  the defect-free class; None = there is none
    """
    colours = dict(zip(class_names, class_colours(len(class_names), clean), strict=True))
    forms = list(dict.fromkeys(form for card in cards for form in card.pictures))
    line = CARD + 2 * LINE + 0.22
    height = 2 * MARGIN + len(cards) * line
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    top = height - MARGIN
    crops_left = MARGIN + len(forms) * (PICTURE + GAP)
    crops_width = WIDTH - MARGIN - 2.35 - crops_left
    for card in cards:
        write_at(figure, MARGIN, top - 0.03, card.title, size=8.5, weight="bold")
        bottom = top - 2 * LINE - CARD
        for number, form in enumerate(forms):
            if form in card.pictures:
                left = MARGIN + number * (PICTURE + GAP)
                _picture(_axes(figure, left, bottom, PICTURE, CARD), card.pictures[form], form)
        write_at(
            figure,
            crops_left,
            bottom + CARD + LINE - 0.04,
            "real crops, highest activation first",
            size=7.5,
            colour=MUTED,
        )
        _crops(figure, card.crops, crops_left, bottom, crops_width, CARD)
        _responses(
            _axes(figure, WIDTH - MARGIN - 1.5, bottom + 0.12, 1.5, CARD - 0.05), card.responses, colours
        )
        top -= line
    return figure


def draw_neuron_pairs(
    pairs: Sequence[tuple[str, Picture, Picture]], *, names: tuple[str, str], strip: bool = False
) -> Figure:
    """Two pictures of each neuron side by side.

    pairs   title, left picture, right picture
    names   captions of left and right pictures
    strip   pictures are whole sheets in their own aspect ratio; otherwise central squares
    """
    across = 1 if strip else 3
    side = (WIDTH - 2 * MARGIN - (2 * across - 1) * GAP - (across - 1) * 0.12) / (2 * across)
    shape = pairs[0][1].shape
    tall = side * shape[0] / shape[1] if strip else side
    line = tall + 2 * LINE + 0.1
    height = 2 * MARGIN + math.ceil(len(pairs) / across) * line
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    for number, (title, *pictures) in enumerate(pairs):
        row, column = divmod(number, across)
        left = MARGIN + column * (2 * (side + GAP) + 0.12)
        top = height - MARGIN - row * line
        write_at(figure, left, top - 0.03, title, size=8.0, weight="bold")
        for which, picture in enumerate(pictures):
            box = (left + which * (side + GAP), top - 2 * LINE - tall, side, tall)
            _picture(_axes(figure, *box), picture, names[which])
    return figure


def draw_growth(stages: Sequence[Picture], *, titles: Sequence[str]) -> Figure:
    """One image at its successive sizes, to scale, the last at the right."""
    total = sum(stage.shape[1] for stage in stages)
    scale = (WIDTH - 2 * MARGIN - (len(stages) - 1) * 0.18) / total  # inches a pixel
    tallest = max(stage.shape[0] for stage in stages) * scale
    figure = Figure(figsize=(WIDTH, tallest + 2 * MARGIN + LINE), facecolor=PAPER)
    left = MARGIN
    for stage, title in zip(stages, titles, strict=True):
        wide, tall = stage.shape[1] * scale, stage.shape[0] * scale
        _picture(_axes(figure, left, MARGIN, wide, tall), stage, title)
        left += wide + 0.18
    return figure


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a position in inches."""
    wide, tall = figure.get_size_inches()
    return figure.add_axes((left / wide, bottom / tall, width / wide, height / tall))


def _picture(axes: Axes, picture: Picture, name: str = "") -> None:
    shown = picture[..., 0] if picture.shape[2] == 1 else picture
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    axes.set_anchor("SW")
    if name:
        axes.set_title(name, fontsize=7.5, loc="left", pad=4, color=MUTED, parse_math=False)


def _crops(
    figure: Figure,
    crops: Sequence[UInt8[np.ndarray, "_ _"]],
    left: float,
    bottom: float,
    width: float,
    height: float,
) -> None:
    """Crops in rows from the left, in as many columns as make them largest."""
    if not crops:
        return
    shapes = np.array([crop.shape for crop in crops], dtype=np.float64)
    aspect = float((shapes[:, 1] / shapes[:, 0]).max())  # of the widest

    def tall(columns: int) -> float:
        """The height of a crop, inches."""
        rows = math.ceil(len(crops) / columns)
        across = (width - CROP_GAP * (columns - 1)) / columns
        return min((height - CROP_GAP * (rows - 1)) / rows, across / aspect)

    columns = max(range(1, len(crops) + 1), key=tall)
    side = tall(columns)
    for number, crop in enumerate(crops):
        row, column = divmod(number, columns)
        at = (left + column * (side * aspect + CROP_GAP), bottom + height - (row + 1) * side - row * CROP_GAP)
        axes = _axes(figure, *at, side * aspect, side)
        _picture(axes, crop[..., None])
        axes.set_anchor("W")


def _responses(axes: Axes, responses: Mapping[str, Interval], colours: Mapping[str, str]) -> None:
    dress(axes, grid="x")
    rows = [name for name in colours if name in responses]
    for place, name in enumerate(rows):
        interval, colour = responses[name], colours[name]
        if not math.isnan(interval.low):
            axes.plot([interval.low, interval.high], [place, place], color=colour, linewidth=2)
        axes.plot(interval.estimate, place, marker="o", color=colour, markersize=4)
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=7)
    axes.tick_params(axis="x", labelsize=6.5, length=2, pad=1.5)
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.12)
    axes.set_title("mean activation by class", fontsize=7.5, loc="left", pad=5, color=MUTED)
