"""Which sheets stand for a suspect, and how much of it each class has: on the page and in the JSON."""

from __future__ import annotations

from typing import Final

import numpy as np

from steelsight.shortcuts.find.ranking import Candidate, ModelEvidence

__all__ = ["SHOWN", "class_means", "representative_sheets"]

SHOWN: Final = 3
MUCH: Final = 0.75  # quantile, among the sheets that have it, from which a sheet has much of it


def class_means(evidence: ModelEvidence, suspect: Candidate) -> dict[str, float]:
    """Mean of the property on the sheets of each class at hand."""
    labels, names = evidence.sheets.labels, evidence.sheets.class_names
    return {names[c]: float(suspect.candidate.values[labels == c].mean()) for c in np.unique(labels).tolist()}


def representative_sheets(evidence: ModelEvidence, suspect: Candidate) -> list[int]:
    """Sheets of other classes with much of it that come nearest to the class it speaks for.

    Where other classes have none with much of it, those with the most of it, of any class.
    """
    values = suspect.candidate.values if suspect.more else -suspect.candidate.values
    has = values > 0 if suspect.candidate.presence else np.ones(values.size, dtype=bool)
    much = has & (values >= np.quantile(values[has], MUCH)) if has.any() else has
    others = np.flatnonzero(much & (evidence.sheets.labels != suspect.pull.target))
    nearest = others[np.argsort(-evidence.margins[others, suspect.pull.target], kind="stable")]
    most = np.argsort(-values, kind="stable")
    return list(dict.fromkeys([*nearest.tolist(), *most.tolist()]))[:SHOWN]
