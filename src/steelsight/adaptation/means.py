"""Which class means of a bundle's familiarity stay when it is adapted.

Those of its training sheets stay, but for classes that the new head leaves out. Those of an earlier
adaptation go: the sheets at hand take their place. The card keeps the names, in `source.adapted`.
"""

from __future__ import annotations

from dataclasses import replace

from steelsight.adaptation.classes import ClassPlan
from steelsight.runtime.bundle.open import Bundle, FeatureStatistics

__all__ = ["kept_means"]


def kept_means(bundle: Bundle, plan: ClassPlan) -> tuple[FeatureStatistics | None, tuple[str, ...]]:
    """The bundle's statistics with the means that stay, and their class names; "" = not known.

    returns  None and no name where the bundle has no statistics
    """
    before = bundle.statistics
    if before is None:
        return None, ()
    names = _training_means(bundle, len(before.means))
    rows = [row for row, name in enumerate(names) if name not in plan.dropped]
    return replace(before, means=before.means[rows]), tuple(names[row] for row in rows)


def _training_means(bundle: Bundle, count: int) -> tuple[str, ...]:
    """Class names of the first means, which are of training sheets; those of an adaptation come last."""
    card = bundle.card
    entries = card.source.get("adapted")
    last = entries[-1] if isinstance(entries, list) and entries else None
    if not isinstance(last, dict):
        return card.class_names if count == len(card.class_names) else ("",) * count
    names, labelled = last.get("means"), last.get("means_of_labelled")
    if isinstance(names, list) and len(names) == count and isinstance(labelled, int):
        return tuple(map(str, names[: max(0, count - labelled)]))
    # Adapted by an earlier version, which kept no names and added a mean of each of its classes.
    return ("",) * max(0, count - len(card.class_names))
