"""Scores of one class: the margin, which does not saturate, and the probability, which does.

The margin of a class is its logit minus the log-sum-exp of all others. It equals the log odds of the class
probability, log p - log(1 - p), for any number of classes. The largest other logit would serve for two
classes; for five it switches from class to class. Probabilities reach 1 in single precision from a margin of
17 on, so confident sheets tie; margins in double precision do not.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32
from scipy.special import logsumexp

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import softmax
from steelsight.types import Logits

__all__ = ["class_margin", "class_probability"]


def class_margin(logits: Logits, index: int) -> Float[np.ndarray, " n"]:
    """Log odds of one class.

    logits  (n, c), c >= 2
    returns (n,) float64
    raises  BadInput for a single class: there is no other class to compare it with

    >>> class_margin(np.array([[2.0, -1.0]]), 0).tolist()
    [3.0]
    """
    if logits.shape[1] < 2:
        raise BadInput(f"margin: expected a model of at least two classes, got {logits.shape[1]}")
    wide = logits.astype(np.float64)
    margin: Float[np.ndarray, " n"] = wide[:, index] - logsumexp(np.delete(wide, index, axis=1), axis=1)
    return margin


def class_probability(logits: Logits, index: int) -> Float32[np.ndarray, " n"]:
    """Softmax probability of one class in single precision, the study's score.

    logits  (n, c), c >= 1
    returns (n,) float32, 0..1
    """
    return softmax(logits.astype(np.float32))[:, index].astype(np.float32)
