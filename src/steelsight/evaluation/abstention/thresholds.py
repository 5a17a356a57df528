"""The one place where a threshold on confidence is applied, for trained models and for bundles.

A card holds one threshold in 0..1. In a task with one class a sheet, it separates answers from "I don't
know"; in a multilabel task, a type is present from this probability on. Prices for escapes and reviews give
thresholds on an open scale; `card_threshold` converts those to the card's. Scores of other kinds (distance
from the training sheets, probability of a defect at an operating point) are not confidences and are compared
elsewhere. The module needs NumPy alone, because the plant imports it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from steelsight.errors import BadInput

__all__ = [
    "ANSWER_NOTHING",
    "PRESENT",
    "answered",
    "card_threshold",
    "check_threshold",
    "present_confidence",
    "present_types",
]

ANSWER_NOTHING: Final = 1.0  # the threshold at which every sheet goes to a person
_SUREST: Final = float(np.nextafter(1.0, 0.0))  # the largest threshold that answers a confidence of 1
PRESENT: Final = 0.5  # multilabel: a type counts from here on, unless a card holds a threshold


def answered(confidence: Float[np.ndarray, " n"], threshold: float | None) -> Bool[np.ndarray, " n"]:
    """Which sheets are answered; the others go to a person.

        answered = confidence >= threshold and threshold < 1

    At equality the sheet is answered. A threshold of 1 answers nothing, not even a confidence of 1, which a
    saturated softmax reaches. A confidence of NaN is never answered.

    confidence  (n,) probability of the answer, 0..1; above 1 by rounding is allowed
    threshold   0..1; None = no threshold: every confidence that is a number is answered
    raises      BadInput for a threshold outside 0..1, or NaN

    >>> answered(np.array([0.8, 0.7999, 1.0, np.nan]), 0.8).tolist()
    [True, False, True, False]
    >>> answered(np.array([1.0, 0.2, np.nan]), 1.0).tolist()
    [False, False, False]
    >>> answered(np.array([1.0, 0.2, np.nan]), None).tolist()
    [True, True, False]
    """
    if threshold is None:
        known: Bool[np.ndarray, " n"] = ~np.isnan(confidence)
        return known
    check_threshold(threshold)
    if threshold == ANSWER_NOTHING:
        return np.zeros(confidence.shape, dtype=bool)
    reached: Bool[np.ndarray, " n"] = confidence >= threshold
    return reached


def check_threshold(threshold: float, *, where: str = "threshold") -> None:
    """Refuse a threshold outside 0..1, and NaN; `where` opens the message."""
    if not 0 <= threshold <= 1:
        raise BadInput(f"{where}: expected from 0 to 1, got {threshold}")


def card_threshold(threshold: float) -> float:
    """A threshold on an open scale, as a card holds it.

    threshold  >= 0; infinite = answer nothing, and from 1 on only what is wholly sure is answered
    returns    0..1; ANSWER_NOTHING for infinity alone

    >>> card_threshold(0.7), card_threshold(1.0) < 1, card_threshold(float("inf"))
    (0.7, True, 1.0)
    """
    return min(_SUREST, threshold) if np.isfinite(threshold) else ANSWER_NOTHING


def present_types(
    probabilities: Float[np.ndarray, "n c"], threshold: float | None = None
) -> Bool[np.ndarray, "n c"]:
    """Which types of a multilabel answer are present: from the threshold on, at equality too.

    probabilities  (n, c) each type's own, 0..1; NaN is not present
    threshold      of the card, 0..1; None or 0 = PRESENT. Types that are present are named, so a threshold
                   of 1 does name a probability of 1
    raises         BadInput for a threshold outside 0..1, or NaN

    >>> present_types(np.array([[0.5, 0.49]])).tolist(), present_types(np.array([[0.5, 0.9]]), 0.9).tolist()
    ([[True, False]], [[False, True]])
    """
    if threshold is not None:
        check_threshold(threshold)
    present: Bool[np.ndarray, "n c"] = probabilities >= (threshold or PRESENT)
    return present


def present_confidence(
    probabilities: Float[np.ndarray, "n c"], present: Bool[np.ndarray, "n c"]
) -> Float[np.ndarray, " n"]:
    """The confidence of a multilabel answer: that of its least certain part.

        min over the present types of p, or 1 - max p where none is present

    present  (n, c) as `present_types` gives it

    >>> p = np.array([[0.9, 0.6, 0.2], [0.1, 0.3, 0.2]])
    >>> present_confidence(p, present_types(p)).tolist()
    [0.6, 0.7]
    """
    least = np.where(present, probabilities, np.inf).min(axis=1)
    confidence: Float[np.ndarray, " n"] = np.where(present.any(axis=1), least, 1 - probabilities.max(axis=1))
    return confidence
