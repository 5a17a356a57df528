"""Training interventions, independent of the shortcut.

All arrays have one entry a sheet of the training data. An intervention without anything set changes nothing.
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

CHANGED = 2  # of a sheet's three versions; the third is a harmless change


@dataclass(frozen=True, eq=False)
class CounterfactualVersions:
    """Other versions of sheets; an epoch may use one of them in place of the sheet."""

    images: UInt8[np.ndarray, "m 3 h w"]  # two with the nuisance put on or taken off, one harmlessly changed
    row: Int[np.ndarray, " n"]  # into images; -1: the sheet has no other version
    chance: Float[
        np.ndarray, " n"
    ]  # of a changed version; otherwise the sheet or its harmless change, half each

    def draw(
        self, images: GrayBatch, rows: Int[np.ndarray, " b"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "b h w"]:
        """The sheets at these positions, each in a version drawn for it."""
        drawn = np.array(images[rows])
        draws = rng.random((3, rows.size))
        for place, position in enumerate(rows.tolist()):
            row = int(self.row[position])
            if row < 0:
                continue
            if draws[0, place] < self.chance[position]:
                drawn[place] = self.images[row, int(draws[1, place] * CHANGED)]
            elif draws[2, place] < 0.5:
                drawn[place] = self.images[row, CHANGED]
        return drawn


@dataclass(frozen=True, eq=False)
class Intervention:
    """What training does against a shortcut; `wrong` cannot be combined with `versions`."""

    odds: Float[np.ndarray, " n"] | None = None  # how often each sheet is drawn; None = once an epoch
    versions: CounterfactualVersions | None = None
    cohorts: Int[np.ndarray, " n"] | None = None  # groups of group DRO, see losses.robust_loss
    cohort_step: float = 0.01  # step size of the cohorts' weights; Sagawa et al. 2020
    wrong: GrayBatch | None = (
        None  # (n, h, w) share of each pixel, times 255, that the verdict must not depend on
    )
    reasons: float = 0.0  # weight of losses.reason_loss
    frozen: bool = False  # train the head alone


NO_INTERVENTION = Intervention()
