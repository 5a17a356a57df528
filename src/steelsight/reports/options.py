"""Options of figures: those of every verb that draws. Free of matplotlib, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.options import check_options, option

__all__ = ["FigureOptions"]


@dataclass(frozen=True)
class FigureOptions:
    """In which formats figures are written."""

    svg: bool = option(
        False,
        help="Write every figure as SVG too: beside its PNG file, or in figures/; pages link them.",
        flag="--svg",
    )

    def __post_init__(self) -> None:
        check_options(self)
