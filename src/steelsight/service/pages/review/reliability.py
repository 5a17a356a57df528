"""The place where a score of how reliable a map is comes in: today there is none, so no map is flagged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from steelsight.runtime.bundle.card import BundleCard

__all__ = ["MapFlag", "MapReliability", "nothing_known"]


@dataclass(frozen=True)
class MapFlag:
    """A map is shown with a warning."""

    share: float | None = None  # of maps with such a score that point to the defect; None = not measured


# The flag of the maps of one verdict, a row of `verdicts` with its JSON columns read, by the card of its
# bundle; None for maps that are shown as they are.
MapReliability = Callable[[dict[str, Any], BundleCard], MapFlag | None]


def nothing_known(verdict: dict[str, Any], card: BundleCard) -> MapFlag | None:
    """No bundle has a measured score of its maps yet."""
    del verdict, card
    return None
