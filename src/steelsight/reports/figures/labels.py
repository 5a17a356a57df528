"""Names as labels of a figure: shortened so that they stay different, wrapped, measured before drawing."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Sequence

__all__ = ["label_width", "legend_columns", "short_labels", "wrap_label"]

LETTER = 0.072  # inches, a letter's mean width at 8.5 points
HANDLE = 0.62  # inches, symbol and gaps of one legend entry


def label_width(text: str, *, points: float = 8.5) -> float:
    """About the width of the longest line, in inches; a wide East Asian character counts twice."""
    letters = max(
        sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)
        for line in text.split("\n")
    )
    return letters * LETTER * points / 8.5


def short_labels(names: Sequence[str], most: int = 28) -> list[str]:
    """Names of at most so many letters, cut in the middle; whole where they would no longer differ.

    >>> short_labels(["scale, rolled in, large", "scale, rolled in, small"], most=15)
    ['scale, …, large', 'scale, …, small']
    """
    front = most // 2
    back = most - front - 1
    short = [name if len(name) <= most else f"{name[:front]}…{name[-back:]}" for name in names]
    return [each if short.count(each) == 1 else name for each, name in zip(short, names, strict=True)]


def wrap_label(name: str, most: int = 30) -> str:
    """The name in lines of at most so many letters; a longer word is broken."""
    return "\n".join(textwrap.wrap(name, most)) or name


def legend_columns(labels: Sequence[str], room: float, *, most: int = 3) -> int:
    """Number of legend columns that fit into `room` inches; entries fill column by column."""
    widths = [label_width(label) + HANDLE for label in labels]
    for columns in range(most, 1, -1):
        rows = math.ceil(len(widths) / columns)
        if sum(max(widths[start : start + rows]) for start in range(0, len(widths), rows)) <= room:
            return columns
    return 1
