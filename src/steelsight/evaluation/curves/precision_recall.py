"""Precision over recall, for rare defects.

Where good sheets are many, a ROC curve hides how many alarms are false; this curve shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import check_labels, check_probabilities, check_scores
from steelsight.types import Labels

__all__ = ["PrCurve", "pr_curve", "pr_curves"]


@dataclass(frozen=True)
class PrCurve:
    """One point for each distinct score, from the strictest threshold on; no point is interpolated."""

    recall: Float[np.ndarray, " m"]  # ascending to 1
    precision: Float[np.ndarray, " m"]
    thresholds: Float[np.ndarray, " m"]  # a sheet is called positive at this score and above
    average_precision: float


def pr_curve(positive: Bool[np.ndarray, " n"], scores: Float[np.ndarray, " m"]) -> PrCurve:
    """The precision-recall curve and its area as a sum of steps; trapezoids would be optimistic.

        AP = sum_k (R_k - R_(k-1)) P_k

    raises  BadInput without a positive sheet, or for scores that are not finite or not one a sheet

    >>> pr_curve(np.array([True, False, True]), np.array([0.9, 0.8, 0.7])).precision.round(2).tolist()
    [1.0, 0.5, 0.67]
    """
    check_scores(scores, positive.size)
    if not positive.any():
        raise BadInput(f"precision and recall: expected positive sheets, got none among {positive.size}")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(positive[order])
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    recall, precision = hits[ends] / hits[-1], hits[ends] / (ends + 1)
    area = float((np.diff(recall, prepend=0.0) * precision).sum())
    return PrCurve(recall, precision, ranked[ends], area)


def pr_curves(
    labels: Labels, probabilities: Float[np.ndarray, "m c"], class_names: Sequence[str]
) -> dict[str, PrCurve]:
    """One curve for each class against the rest, of two the second alone; empty classes are left out."""
    check_probabilities(probabilities, labels.size, len(class_names))
    check_labels(labels, len(class_names))
    chosen = [1] if len(class_names) == 2 else range(len(class_names))
    return {
        class_names[c]: pr_curve(labels == c, probabilities[:, c].astype(np.float64))
        for c in chosen
        if (labels == c).any()
    }
