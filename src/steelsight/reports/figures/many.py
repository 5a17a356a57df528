"""What a figure names of very many classes: it would grow with them, in inches and in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["MOST_NAMED", "named_curves"]

MOST_NAMED = 24  # curves that a legend beside a panel holds
EACH_END = 6


def named_curves(areas: Sequence[float]) -> list[int]:
    """Positions of the curves that a legend names: all, or of too many the lowest and the highest areas.

    areas    one a curve
    returns  positions in ascending order

    >>> named_curves([0.9, 0.5])
    [0, 1]
    >>> len(named_curves([0.5] * 1000))
    12
    """
    if len(areas) <= MOST_NAMED:
        return list(range(len(areas)))
    order = np.argsort(areas, kind="stable")
    return sorted({*order[:EACH_END].tolist(), *order[-EACH_END:].tolist()})
