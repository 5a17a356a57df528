"""What a training does against a shortcut, beyond its recipe. What the shortcut is, is not its business.

All arrays have one entry a sheet of the lesson. A remedy without anything set changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from steelsight.types import GrayBatch

__all__ = [
    "NO_INTERVENTION",
    "CounterfactualVersions",
    "Intervention",
]

CHANGED = 2  # of a sheet's three twins; the third is a harmless change


@dataclass(frozen=True, eq=False)
class CounterfactualVersions:
    """Other versions of sheets, of which an epoch may show one in a sheet's place."""

    images: UInt8[np.ndarray, "m 3 h w"]  # two with the nuisance put on or taken off, one harmlessly changed
    row: Int[np.ndarray, " n"]  # into images; -1: the sheet has no twin
    chance: Float[np.ndarray, " n"]  # that an epoch shows a changed one; else the sheet or its harmless twin

    def show(
        self, images: GrayBatch, rows: Int[np.ndarray, " b"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "b h w"]:
        """The sheets at these positions, each in a version of its own draw."""
        shown = np.array(images[rows])
        draws = rng.random((3, rows.size))
        for place, position in enumerate(rows.tolist()):
            twin = int(self.row[position])
            if twin < 0:
                continue
            if draws[0, place] < self.chance[position]:
                shown[place] = self.images[twin, int(draws[1, place] * CHANGED)]
            elif draws[2, place] < 0.5:
                shown[place] = self.images[twin, CHANGED]
        return shown


@dataclass(frozen=True, eq=False)
class Intervention:
    """Any of these at once, except that `wrong` holds for the sheets as they are, not for their twins."""

    odds: Float[np.ndarray, " n"] | None = None  # how often each sheet is drawn; None = once an epoch
    twins: CounterfactualVersions | None = None
    cohorts: Int[np.ndarray, " n"] | None = None  # group DRO: the worst of them rules; see losses.robust_loss
    cohort_step: float = 0.01  # how fast a cohort's weight follows its loss; Sagawa et al. 2020
    wrong: GrayBatch | None = None  # (n, h, w) share of each pixel times 255 that must not be a reason
    reasons: float = 0.0  # weight of losses.reason_loss
    frozen: bool = False  # features stay as they are, the head alone learns


NO_INTERVENTION = Intervention()
