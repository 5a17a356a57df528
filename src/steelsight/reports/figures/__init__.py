"""Every figure of every report, one idea a file, in one house style: arrays in, a Figure out."""

from steelsight.reports.figures.style import (
    CLASS_COLOURS,
    SEQUENTIAL,
    SIGNED,
    class_colour,
    dress,
    figure_png,
    new_figure,
    save_figure,
    title_axes,
)

__all__ = [
    "CLASS_COLOURS",
    "SEQUENTIAL",
    "SIGNED",
    "class_colour",
    "dress",
    "figure_png",
    "new_figure",
    "save_figure",
    "title_axes",
]
