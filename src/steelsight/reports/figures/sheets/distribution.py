"""Number of sheets per class."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from steelsight.reports.figures.style import INK, MUTED, class_colours, dress, new_figure, title_axes

__all__ = ["draw_distribution"]


def draw_distribution(
    names: Sequence[str],
    counts: Sequence[int],
    title: str = "",
    *,
    clean: int | None = 0,
    sheets: int | None = None,
) -> Figure:
    """One bar per class in its colour, with count and share.

    clean   the defect-free class; None = there is none
    sheets  of which the shares are; they sum to more than 1 where a sheet has several types. None = the sum
            of the counts
    """
    figure, (axes,) = new_figure(height=0.75 + 0.36 * len(names) + 0.3 * bool(title))
    dress(axes)
    places = range(len(names))
    axes.barh(places, counts, height=0.66, color=class_colours(len(names), clean))
    axes.set_yticks(places, list(names), parse_math=False)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    total, widest = sum(counts) if sheets is None else sheets, max([*counts, 1])
    for place, count in zip(places, counts, strict=True):
        share = f"  {count / total:.1%}" if total else ""
        text = axes.text(count + widest * 0.01, place, f"{count:,}", va="center", fontsize=9, color=INK)
        axes.annotate(share, (1, 0.5), xycoords=text, va="center", fontsize=8.5, color=MUTED)
    axes.set_xlim(0, widest * 1.14)
    if title:
        title_axes(axes, title)
    return figure
