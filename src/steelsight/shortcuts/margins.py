"""How strongly a network speaks for one class, on a scale that does not saturate.

The margin of a class is its logit minus the log-sum-exp of all others, which is the log odds of its
probability, log p - log(1 - p), for two classes and for many. The largest other logit would do as well for
two; for five it jumps from class to class. Probabilities reach 1 in single precision from a margin of 17 on,
and sheets that a network is sure of then tie; margins in double precision do not.
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
    raises  BadInput for a single class, which leaves nothing to weigh it against

    >>> class_margin(np.array([[2.0, -1.0]]), 0).tolist()
    [3.0]
    """
    if logits.shape[1] < 2:
        raise BadInput(f"margin: expected a model of at least two classes, got {logits.shape[1]}")
    wide = logits.astype(np.float64)
    margin: Float[np.ndarray, " n"] = wide[:, index] - logsumexp(np.delete(wide, index, axis=1), axis=1)
    return margin


def class_probability(logits: Logits, index: int) -> Float32[np.ndarray, " n"]:
    """The probability of one class in single precision, as the study scored it."""
    return softmax(logits.astype(np.float32))[:, index].astype(np.float32)
