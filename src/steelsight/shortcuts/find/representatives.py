"""Representative sheets of a candidate, and the class means of its property, for the page and the JSON."""

from __future__ import annotations

from typing import Final

import numpy as np

from steelsight.shortcuts.find.ranking import Candidate, ModelEvidence

__all__ = ["SHOWN", "class_means", "representative_sheets"]

SHOWN: Final = 3  # sheets per candidate
MUCH: Final = 0.75  # quantile, among the sheets with the property, from which a sheet has much of it


def class_means(evidence: ModelEvidence, candidate: Candidate) -> dict[str, float]:
    """Compute the mean of the property on the sheets of each class that has any, by class name."""
    labels, names = evidence.sheets.labels, evidence.sheets.class_names
    return {
        names[c]: float(candidate.property.values[labels == c].mean()) for c in np.unique(labels).tolist()
    }


def representative_sheets(evidence: ModelEvidence, candidate: Candidate) -> list[int]:
    """Choose up to SHOWN sheets of other classes with much of the property and the largest margins.

    The margin is that of the candidate's class. Sheets of any class with the most of the property fill up the
    rest.
    returns  positions
    """
    values = candidate.property.values if candidate.more else -candidate.property.values
    has = values > 0 if candidate.property.presence else np.ones(values.size, dtype=bool)
    much = has & (values >= np.quantile(values[has], MUCH)) if has.any() else has
    others = np.flatnonzero(much & (evidence.sheets.labels != candidate.association.target))
    nearest = others[np.argsort(-evidence.margins[others, candidate.association.target], kind="stable")]
    most = np.argsort(-values, kind="stable")
    return list(dict.fromkeys([*nearest.tolist(), *most.tolist()]))[:SHOWN]
