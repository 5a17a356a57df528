"""The place where a score of how reliable a map is comes in: today there is none, so no map is flagged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from steelsight.runtime.bundle.card import BundleCard

__all__ = ["MapFlag", "MapReliability", "nothing_known"]


@dataclass(frozen=True)
class MapFlag:
    """A map is shown with a warning."""

    share: float | None = None  # of maps with such a score that point to the defect; None = not measured


class MapReliability(Protocol):
    """Says whether the maps of one verdict are to be flagged."""

    def __call__(self, verdict: dict[str, Any], card: BundleCard) -> MapFlag | None:
        """The flag, or None for maps that are shown as they are.

        verdict  a row of `verdicts`, with regions and probabilities read
        card     of the bundle that gave it
        """


def nothing_known(verdict: dict[str, Any], card: BundleCard) -> MapFlag | None:
    """No bundle has a measured score of its maps yet."""
    del verdict, card
    return None
