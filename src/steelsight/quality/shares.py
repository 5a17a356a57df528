"""Shares of sheets estimated from audit draws, with the number of draws they are worth.

A sheet drawn with inclusion probability p stands for 1/p sheets (Hájek divides by the sum of these
weights). Sheets of one coil resemble each other: the variance is that of coils, by linearisation, and the
number of effective draws follows from it. Draws are independent, so for the sheets of the period
itself a single coil is enough; then the effective number is that of the weights alone.
source  Hájek 1971; Kish 1965; Korn and Graubard 1998
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.exact import beta_quantile, clopper_pearson

__all__ = ["Floats", "SampleShare", "hajek_share"]

Floats = npt.NDArray[np.float64]
LEVEL: Final = 0.95
MANY_COILS: Final = 200  # from here on a t quantile is the normal one


@dataclass(frozen=True)
class SampleShare:
    """A share as it was observed, before reviewers' errors are corrected."""

    estimate: float  # NaN without draws
    effective: float  # draws of equal weight and without coils that would tell as much
    found: int  # draws with the property
    draws: int  # reviewed
    coils: int  # that they are of; a sheet without a coil counts as one

    @property
    def found_effective(self) -> float:
        """The number of effective draws with the property."""
        return 0.0 if not self.draws else self.estimate * self.effective

    @property
    def bounds(self) -> tuple[float, float]:
        """Exact 95 % bounds; with none found the upper one is that of Clopper and Pearson."""
        return clopper_pearson(self.found_effective, self.effective, level=LEVEL)

    @property
    def bound_by_coils(self) -> float | None:
        """Where none was found: the upper bound if all sheets of a coil were alike; else None."""
        return None if self.found else clopper_pearson(0, self.coils, level=LEVEL)[1]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        low, high = self.bounds
        known = {"estimate": self.estimate if self.draws else None, "low": low, "high": high}
        return {**vars(self), **known, "bound_by_coils": self.bound_by_coils}


def hajek_share(
    found: npt.NDArray[np.bool_], probabilities: Floats, coils: npt.NDArray[np.int64]
) -> SampleShare:
    """The share of the sheets with a property, from draws with unequal probabilities.

    found          (n,) whether each draw has the property
    probabilities  (n,) of inclusion, in (0, 1]
    coils          (n,) a number for each coil
    raises         BadInput for lengths that differ, or probabilities out of range

    >>> hajek_share(np.array([True, False]), np.array([0.5, 0.1]), np.array([0, 1])).estimate.__round__(4)
    0.1667
    """
    if not found.shape == probabilities.shape == coils.shape:
        raise BadInput(
            f"draws: expected one probability and one coil each, got {found.size}, {probabilities.size} "
            f"and {coils.size}"
        )
    if not ((probabilities > 0) & (probabilities <= 1)).all():
        raise BadInput("probability of inclusion: expected above 0 and at most 1")
    if not found.size:
        return SampleShare(float("nan"), 0.0, 0, 0, 0)
    weights = 1 / probabilities
    share = min(1.0, float(weights @ found / weights.sum()))  # rounding
    kish = float(weights.sum() ** 2 / (weights @ weights))
    number, count = np.unique(coils, return_inverse=True)
    effective = min(kish, _effective(found, weights, count, share, kish))
    return SampleShare(share, max(effective, 1.0), int(found.sum()), found.size, number.size)


def _effective(
    found: npt.NDArray[np.bool_], weights: Floats, coil: npt.NDArray[np.int64], share: float, kish: float
) -> float:
    """Effective draws by the variance between coils; `kish` where that is not known."""
    coils = int(coil.max()) + 1
    if not 0 < share < 1 or coils < 2:
        return kish
    sums = np.bincount(coil, weights * (found - share)) / weights.sum()
    variance = float(sums @ sums) * coils / (coils - 1)
    if variance <= 0:
        return kish
    wider = _squared_t(found.size - 1) / _squared_t(coils - 1) if coils < found.size else 1.0
    return share * (1 - share) / variance * wider


def _squared_t(freedom: int) -> float:
    """The square of Student's two-sided 95 % quantile, from the beta distribution."""
    if freedom >= MANY_COILS:
        return 3.8415
    quantile = beta_quantile(1 - LEVEL, freedom / 2, 0.5)
    return freedom * (1 - quantile) / quantile
