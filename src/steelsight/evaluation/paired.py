"""Whether two models differ on the same sheets: McNemar's exact test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from scipy.stats import binomtest

from steelsight.errors import BadInput

__all__ = ["McNemar", "mcnemar"]


@dataclass(frozen=True)
class McNemar:
    """Sheets on which one model alone is right, and how surprising their split is."""

    first_only: int
    second_only: int
    p_value: float  # two-sided; 1 where they never disagree


def mcnemar(first_right: Bool[np.ndarray, " n"], second_right: Bool[np.ndarray, " m"]) -> McNemar:
    """Exact binomial form: among the sheets where one alone is right, either is so with probability 1/2.

    Sheets are taken as independent; where groups of them are not, use the paired bootstrap over groups.
    raises  BadInput for different lengths
    source  McNemar 1947; exact form as in Fagerland, Lydersen and Laake 2013

    >>> mcnemar(np.array([True] * 6 + [False]), np.array([False] * 6 + [True])).p_value
    0.125
    """
    if first_right.shape != second_right.shape:
        raise BadInput(
            f"mcnemar: expected two answers a sheet, got {first_right.size} and {second_right.size}"
        )
    first, second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    p_value = float(binomtest(first, first + second).pvalue) if first + second else 1.0
    return McNemar(first, second, p_value)
