"""The margin of a class: its logit minus the log-sum-exp of the others', in double precision.

It is the log odds of the class's probability, so it never saturates: probabilities of .9999999 and .99999999
round to ties, their margins do not.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from steelsight.errors import BadInput
from steelsight.types import Logits

__all__ = ["logit_margins"]


def logit_margins(logits: Logits) -> Float[np.ndarray, "n c"]:
    """Every class's margin.

    returns  (n, c) float64; of two classes one is minus the other
    raises   BadInput for a single class, which has no margin

    >>> logit_margins(np.array([[2.0, -1.0]])).tolist()
    [[3.0, -3.0]]
    """
    classes = logits.shape[1]
    if classes < 2:
        raise BadInput(f"margins: expected logits of two classes or more, got {classes}")
    wide = logits.astype(np.float64)
    others = [logsumexp(np.delete(wide, c, axis=1), axis=1) for c in range(classes)]
    margins: Float[np.ndarray, "n c"] = wide - np.stack(others, axis=1)
    return margins
