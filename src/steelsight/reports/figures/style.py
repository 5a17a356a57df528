"""Common style of all figures: background, text colour, one colour per class, no global plotting state.

Figures are `matplotlib.figure.Figure` objects created here, never by pyplot, so that drawing is safe in the
threads of a server and leaves no window, backend or rc setting behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from steelsight.files import replace_file
from steelsight.reports.figures.glyphs import cover_glyphs

__all__ = [
    "CLASS_COLOURS",
    "GRID",
    "INK",
    "MUTED",
    "PAPER",
    "SEQUENTIAL",
    "SERIES_COLOURS",
    "SIGNED",
    "WIDTH",
    "class_colour",
    "class_colours",
    "dress",
    "figure_png",
    "new_figure",
    "save_figure",
    "title_axes",
    "write_at",
]

PAPER = "#ffffff"
INK = "#1d2733"
MUTED = "#5f6c7b"  # 5.4:1 on PAPER, so small labels stay readable
GRID = "#e3e8ee"
WIDTH = 8.0  # inches; the text column of a report, so that type has one size in all figures

# Okabe and Ito's palette, darkened where contrast on white is low; defect-free first, then the defect types.
CLASS_COLOURS = (
    "#6b7785",
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#b0508c",
    "#b8860b",
    "#3fa7d6",
    "#7a3e00",
    "#4b3f9c",
)
SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0508c", "#b8860b", "#3fa7d6", "#4b3f9c")

# The study's colours of a signed heatmap: blue inhibits, white is zero, red excites.
SIGNED: Colormap = LinearSegmentedColormap.from_list(
    "steelsight_signed", ["#08306b", "#2f79b5", "#a6cbe3", "#ffffff", "#f6b69a", "#d1503f", "#7f0d1d"]
)
SEQUENTIAL: Colormap = LinearSegmentedColormap.from_list(
    "steelsight_sequential", ["#ffffff", "#cfe1ef", "#7fb2d5", "#2f79b5", "#08306b"]
)

_SIZE = {"title": 11.0, "label": 9.0, "tick": 8.5}
_DPI = 160  # two device pixels per CSS pixel at the width of the text column


def class_colours(count: int, clean: int | None = 0) -> list[str]:
    """Colours of a model's or a folder's classes in their order.

    clean  the defect-free class, which is the first; None = all are defect types, none has its colour
    """
    return [class_colour(index + (clean is None)) for index in range(count)]


def class_colour(index: int) -> str:
    """Colour of a class in all figures: 0 is defect-free, then the types; repeats after eight types."""
    if index == 0:
        return CLASS_COLOURS[0]
    return CLASS_COLOURS[1 + (index - 1) % (len(CLASS_COLOURS) - 1)]


def new_figure(
    rows: int = 1,
    columns: int = 1,
    *,
    width: float = WIDTH,
    height: float = 3.6,
    width_ratios: Sequence[float] | None = None,
    height_ratios: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """A figure in the common style with its axes in reading order; sizes in inches."""
    margins = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)  # inches
    figure = Figure(figsize=(width, height), layout=margins, facecolor=PAPER)
    grid = figure.subplots(
        rows, columns, squeeze=False, width_ratios=width_ratios, height_ratios=height_ratios
    )
    axes = [dress(axis) for axis in grid.ravel()]
    return figure, axes


def dress(axes: Axes, *, grid: str | None = None) -> Axes:
    """Apply the common colours, type sizes and spines to axes.

    grid  "x", "y" or "both": faint grid lines at the ticks of that axis
    """
    axes.set_facecolor(PAPER)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#b4bec9")
        spine.set_linewidth(0.8)
    axes.tick_params(colors=MUTED, labelsize=_SIZE["tick"], length=3, width=0.8, color="#b4bec9")
    axes.xaxis.label.set(color=INK, fontsize=_SIZE["label"])
    axes.yaxis.label.set(color=INK, fontsize=_SIZE["label"])
    axes.set_axisbelow(True)
    if grid is not None:
        axes.grid(visible=True, axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    return axes


def title_axes(axes: Axes, title: str, *, size: float = _SIZE["title"]) -> None:
    """Set a title at the left; a `$` in it is text, not mathematics."""
    axes.set_title(title, loc="left", fontsize=size, color=INK, fontweight="bold", pad=8, parse_math=False)


def figure_png(figure: Figure, *, dpi: int = _DPI) -> bytes:
    """The figure as PNG bytes, deterministic."""
    cover_glyphs(figure)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor=PAPER, metadata={"Software": None})
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path, **options: Any) -> Path:
    """Write the figure to `path` and create its folder; the suffix selects the format."""
    if path.suffix.lower() == ".png":
        replace_file(path, figure_png(figure, **options))
        return path
    cover_glyphs(figure)
    kind = path.suffix.lstrip(".").lower()
    replace_file(path, lambda file: figure.savefig(file, format=kind, facecolor=PAPER, **options))
    return path


def write_at(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    *,
    size: float,
    weight: str = "normal",
    colour: str = INK,
    align: str = "top",
) -> None:
    """Write one line of text at a position in inches.

    left, top  inches from the figure's left and lower edge
    align      vertical alignment of the line at `top`
    """
    wide, tall = figure.get_size_inches()
    figure.text(
        left / wide,
        top / tall,
        text,
        fontsize=size,
        fontweight=weight,
        color=colour,
        va=align,
        parse_math=False,
    )
