"""Label sets: the classes that a doubtful sheet may be, by class-conditional split conformal prediction.

A class is in the set of a sheet from a probability on that was found for this class on calibration sheets.
With n calibration sheets of the class and k = floor((1 - coverage)(n + 1)), it is the k-th smallest
probability that these sheets give their own class. A further sheet of the class, exchangeable with them, then
has its class in its set with a probability of at least `coverage`, whatever the model is worth; the share of
covered sheets after one calibration follows a beta distribution, Beta(n + 1 - k, k). Where k is 0 the sheets
are too few to leave the class out of any set. Nothing is promised for sheets drawn in another way.

The unit is a group, as in `guarantee`: of the sheets of one group and class, one counts, drawn at random.
The module needs NumPy alone, because the plant imports it.
source  Vovk, Gammerman and Shafer 2005, section 4.5 (Mondrian); Vovk 2012, for the distribution
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from jaxtyping import Bool, Int

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import Groups, group_index
from steelsight.evaluation.probabilities import check_labels, check_probabilities
from steelsight.types import Labels, Probabilities

__all__ = ["COVERAGE", "SetThresholds", "fit_set_thresholds", "label_sets", "left_out", "set_words"]

COVERAGE: Final = 0.9  # of the sheets of each class, as the certificate's confidence of 90 %


@dataclass(frozen=True)
class SetThresholds:
    """From which probability on each class is in a set, and what it was found on."""

    coverage: float
    least: tuple[float, ...]  # of each class; 0 = always in the set
    sheets: tuple[int, ...]  # calibration sheets of each class, one a group

    @property
    def needed(self) -> tuple[int, ...]:
        """How many more calibration sheets of each class it takes to leave it out of a set; 0 = enough."""
        fewest = fewest_sheets(self.coverage)
        return tuple(max(0, fewest - count) for count in self.sheets)


def left_out(sheets: int, coverage: float) -> int:
    """k: the most calibration sheets of a class that need not have it in their sets, floor((1 - c)(n + 1)).

    raises  BadInput for a coverage that is not above 0 and below 1

    >>> left_out(8, 0.9), left_out(9, 0.9), left_out(19, 0.9)
    (0, 1, 2)
    """
    if not 0 < coverage < 1:
        raise BadInput(f"label sets, coverage: expected above 0 and below 1, got {coverage}")
    # As the decimal number that was meant: 1 - 0.9 is below 0.1 in floating point.
    return math.floor((1 - Fraction(repr(float(coverage)))) * (sheets + 1))


def fewest_sheets(coverage: float) -> int:
    """The smallest number of calibration sheets with which a class can be left out of a set.

    >>> fewest_sheets(0.9)
    9
    """
    left_out(0, coverage)
    return math.ceil(1 / (1 - Fraction(repr(float(coverage))))) - 1


def fit_set_thresholds(
    probabilities: Probabilities,
    labels: Int[np.ndarray, " m"],
    *,
    rng: np.random.Generator,
    coverage: float = COVERAGE,
    groups: Groups | None = None,
) -> SetThresholds:
    """Find the thresholds of all classes on calibration sheets.

    probabilities  (n, c) of sheets that neither the model nor its temperature was fitted to
    labels         (n,) class index; a class may have no sheets, and then is in every set
    rng            draws the sheet of each group and class
    raises         BadInput for labels or probabilities that do not fit, and for the coverage

    >>> p = np.array([[0.75, 0.25], [0.5, 0.5], [0.875, 0.125]])
    >>> fit_set_thresholds(p, np.array([0, 0, 0]), coverage=0.5, rng=np.random.default_rng(0))
    SetThresholds(coverage=0.5, least=(0.75, 0.0), sheets=(3, 0))
    """
    count, classes = probabilities.shape
    check_probabilities(probabilities, count, classes)
    if labels.size != count:
        raise BadInput(f"label sets: expected {count} labels, one a sheet, got {labels.size}")
    if count:
        check_labels(labels, classes)
    left_out(0, coverage)
    rows = _one_a_group(labels, groups, rng)
    least, sheets = [], []
    for index in range(classes):
        own = np.sort(probabilities[rows[labels[rows] == index], index].astype(np.float64))
        free = left_out(own.size, coverage)
        least.append(float(np.clip(own[free - 1], 0, 1)) if free else 0.0)
        sheets.append(own.size)
    return SetThresholds(coverage, tuple(least), tuple(sheets))


def label_sets(probabilities: Probabilities, least: Sequence[float]) -> Bool[np.ndarray, "n c"]:
    """Which classes are in the set of each sheet: those from their threshold on, and the most probable one.

    least    (c) of each class, 0..1
    returns  (n, c); every row names at least one class
    raises   BadInput for another number of thresholds, or one outside 0..1

    >>> label_sets(np.array([[0.25, 0.5, 0.25], [0.5, 0.375, 0.125]]), (0.5, 0.75, 0.125)).tolist()
    [[False, True, True], [True, False, True]]
    """
    if len(least) != probabilities.shape[1] or not all(0 <= each <= 1 for each in least):
        raise BadInput(
            f"label sets: expected {probabilities.shape[1]} thresholds from 0 to 1, got {list(least)!s:.200}"
        )
    named: Bool[np.ndarray, "n c"] = probabilities >= np.asarray(least, dtype=np.float64)
    if len(named):
        named[np.arange(len(named)), probabilities.argmax(axis=1)] = True
    return named


def set_words(names: Sequence[str]) -> str:
    """A set in words.

    >>> set_words(["type 1", "type 3"]), set_words(["none", "type 1", "type 3"])
    ('type 1 or type 3', 'none, type 1 or type 3')
    """
    return " or ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _one_a_group(
    labels: Labels, groups: Groups | None, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Row of one sheet of each group and class."""
    if not labels.size:
        return np.zeros(0, dtype=np.int64)
    order = rng.permutation(labels.size)
    pairs = np.stack([group_index(groups, labels.size), labels])[:, order]
    first: np.ndarray[tuple[int], np.dtype[np.int64]] = order[np.unique(pairs, axis=1, return_index=True)[1]]
    return np.sort(first)
