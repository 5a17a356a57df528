"""Draw sheets so that their classes have given shares, to certify a threshold for a mill's own shares.

A certificate counts sheets of equal weight, so a test with other shares is thinned instead of weighted: each
sheet is kept or left out by a draw of its own, which keeps sheets as independent as they were.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadInput
from steelsight.evaluation.probabilities import check_labels
from steelsight.types import Labels

__all__ = ["draw_to_shares"]


def draw_to_shares(
    labels: Labels, shares: Sequence[float], rng: np.random.Generator
) -> Int[np.ndarray, " m"]:
    """Rejection sampling: keep each sheet with a probability that depends on its class alone.

        P(keep i) = (s_c / f_c) / max_k (s_k / f_k),  c = label of i,  f = the classes' shares of `labels`

    The class that is scarcest for its share is kept whole: no subset with these shares is larger on average.

    labels   (n,) class index
    shares   one a class, each at least 0, summing to 1; a class with share 0 is dropped
    returns  (m,) rows kept, ascending; the number of sheets of a class varies around its share
    raises   BadInput for no labels, a label or share out of range, or a class with a share but no sheet
    source   von Neumann 1951, rejection sampling

    >>> rows = draw_to_shares(np.array([0] * 50 + [1] * 50), [0.9, 0.1], np.random.default_rng(0))
    >>> (rows < 50).sum().item(), 0 < (rows >= 50).sum().item() < 15
    (50, True)
    """
    wanted = np.asarray(shares, dtype=np.float64)
    check_labels(labels, wanted.size)
    if not np.isfinite(wanted).all() or wanted.min() < 0 or abs(wanted.sum() - 1) > 1e-6:
        raise BadInput(
            f"shares: expected numbers of at least 0 that sum to 1, one a class, got {list(shares)}"
        )
    counts = np.bincount(labels, minlength=wanted.size)
    missing = np.flatnonzero((wanted > 0) & (counts == 0))
    if missing.size:
        raise BadInput(
            f"shares: expected sheets of every class with a share, got none of class {int(missing[0])}; "
            "give it share 0 or bring sheets of it"
        )
    odds = np.divide(wanted, counts, out=np.zeros_like(wanted), where=counts > 0)
    keep = odds / odds.max()
    rows: Int[np.ndarray, " m"] = np.flatnonzero(rng.random(labels.size) < keep[labels])
    return rows
