"""Which superpixels are shown: sets as LIME's reference implementation draws and weighs them.

It tosses a fair coin a superpixel and weighs a set by exp(-d²/2w²), d the cosine distance to the whole sheet.
The weight depends only on how many superpixels are shown, so sets can also be drawn as the weights have them:
that number from its weighted distribution, then any set of that size.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import gammaln
from torch import Tensor

__all__ = ["ReferenceSamples", "draw_masks", "show_chances"]

KERNEL_WIDTH = 0.25  # the reference's
RIDGE = 1.0  # the reference's
COINS = 10_000  # sets, and their complements

Masks = Float[np.ndarray, "m s"]


def show_chances(pieces: int, *, kernel_width: float = KERNEL_WIDTH) -> Float[np.ndarray, " s1"]:
    """How often 0, 1, ..., s superpixels are shown: fair coins times the kernel's weight, summing to 1."""
    shown = np.arange(pieces + 1)
    coins = gammaln(pieces + 1) - gammaln(shown + 1) - gammaln(pieces - shown + 1)
    weight = coins + _log_kernel(shown, pieces, kernel_width)
    chances: Float[np.ndarray, " s1"] = np.exp(weight - weight.max())
    chances /= chances.sum()
    return chances


def draw_masks(pieces: int, samples: int, rng: np.random.Generator) -> Masks:
    """Sets of shown superpixels, (samples, s) of 0 and 1, in pairs, as often as coins times kernel have them.

    The numbers shown are spread evenly over their distribution (one draw in each of its quantiles), and a
    pair is cut from the two ends of one shuffled order, so that what one shows the other tends to hide.
    """
    pairs = (samples + 1) // 2
    steps = np.cumsum(show_chances(pieces))
    levels = (rng.permutation(2 * pairs) + rng.random(2 * pairs)) / (2 * pairs)
    counts = np.minimum(np.searchsorted(steps, levels), pieces).reshape(pairs, 2, 1)
    order = rng.permuted(np.tile(np.arange(pieces), (pairs, 1)), axis=1)
    ends = np.stack([order, pieces - 1 - order], 1)  # (pairs, 2, s): rank from either end
    return (ends < counts).reshape(2 * pairs, pieces)[:samples].astype(np.float64)


class ReferenceSamples:
    """20,000 sets of fair coins, as the reference draws and weighs them, each with its complement."""

    def __init__(self, pieces: int, rng: np.random.Generator) -> None:
        tossed = torch.from_numpy(rng.integers(0, 2, (pieces, COINS), dtype=np.int8)).float()
        self.masks = torch.cat([tossed, 1 - tossed], 1)  # (s, m)
        weight = torch.from_numpy(np.exp(_log_kernel(np.arange(pieces + 1), pieces, KERNEL_WIDTH))).float()
        self.weight = weight[self.masks.sum(0).long()]
        scaled = self.masks * self.weight
        self.centre = scaled.sum(1) / self.weight.sum()
        self.scaled = scaled - self.centre[:, None] * self.weight
        self.inner = (self.scaled @ self.masks.T).double() + RIDGE * torch.eye(pieces, dtype=torch.float64)

    def regress(self, answers: Float[Tensor, " m"]) -> Float[Tensor, " s"]:
        """The reference's weighted ridge regression."""
        about = answers - (answers * self.weight).sum() / self.weight.sum()
        found: Tensor = torch.linalg.solve(self.inner, (self.scaled @ about).double())
        return found


def _log_kernel(shown: Int[np.ndarray, " k"], pieces: int, width: float) -> Float[np.ndarray, " k"]:
    """Log weight of a set, of which only the number shown counts."""
    distance = 1 - np.sqrt(shown / pieces)
    weight: Float[np.ndarray, " k"] = -(distance**2) / (2 * width**2)
    return weight
