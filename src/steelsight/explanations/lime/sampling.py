"""Random samples of shown superpixels, as LIME's reference implementation draws and weighs them.

The reference shows each superpixel with probability 1/2 and weighs a sample by exp(-d²/2w²), d the cosine
distance to the whole sheet. The weight depends only on how many superpixels are shown, so samples can also be
drawn in proportion to their weights: first that number from its weighted distribution, then a random set of
that size.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import gammaln
from torch import Tensor

__all__ = ["ReferenceSamples", "draw_masks", "shown_distribution"]

KERNEL_WIDTH = 0.25  # the reference's
RIDGE = 1.0  # the reference's
REFERENCE_SETS = 10_000  # samples drawn; with their complements 20,000

Masks = Float[np.ndarray, "m s"]


def shown_distribution(segment_count: int, *, kernel_width: float = KERNEL_WIDTH) -> Float[np.ndarray, " s1"]:
    """Probability that 0, 1, ..., s superpixels are shown: binomial times the kernel's weight."""
    shown = np.arange(segment_count + 1)
    log_counts = gammaln(segment_count + 1) - gammaln(shown + 1) - gammaln(segment_count - shown + 1)
    weight = log_counts + _log_kernel(shown, segment_count, kernel_width)
    distribution: Float[np.ndarray, " s1"] = np.exp(weight - weight.max())
    distribution /= distribution.sum()
    return distribution


def draw_masks(segment_count: int, samples: int, rng: np.random.Generator) -> Masks:
    """Draw samples (m, s) of 0 (masked) and 1 (shown) in proportion to the reference's weights.

    Two measures reduce variance: the numbers of shown superpixels are stratified (one draw in each quantile
    of their distribution), and samples come in antithetic pairs, taken from the two ends of one shuffled
    order, so that one tends to show what the other masks.
    """
    pairs = (samples + 1) // 2
    steps = np.cumsum(shown_distribution(segment_count))
    levels = (rng.permutation(2 * pairs) + rng.random(2 * pairs)) / (2 * pairs)
    counts = np.minimum(np.searchsorted(steps, levels), segment_count).reshape(pairs, 2, 1)
    order = rng.permuted(np.tile(np.arange(segment_count), (pairs, 1)), axis=1)
    ends = np.stack([order, segment_count - 1 - order], 1)  # (pairs, 2, s): rank from either end
    return (ends < counts).reshape(2 * pairs, segment_count)[:samples].astype(np.float64)


class ReferenceSamples:
    """20,000 samples as the reference draws and weighs them, each with its complement.

    masks   (s, m) float32, 1 shown, 0 masked
    weight  (m,) of each sample
    """

    def __init__(self, segment_count: int, rng: np.random.Generator) -> None:
        drawn = torch.from_numpy(rng.integers(0, 2, (segment_count, REFERENCE_SETS), dtype=np.int8)).float()
        self.masks = torch.cat([drawn, 1 - drawn], 1)  # (s, m)
        by_count = np.exp(_log_kernel(np.arange(segment_count + 1), segment_count, KERNEL_WIDTH))
        weight = torch.from_numpy(by_count).float()
        self.weight = weight[self.masks.sum(0).long()]
        scaled = self.masks * self.weight
        self.centre = scaled.sum(1) / self.weight.sum()
        self.scaled = scaled - self.centre[:, None] * self.weight
        self.inner = (self.scaled @ self.masks.T).double() + RIDGE * torch.eye(
            segment_count, dtype=torch.float64
        )

    def regress(self, logits: Float[Tensor, " m"]) -> Float[Tensor, " s"]:
        """Coefficients of the reference's weighted ridge regression of logits on these samples."""
        centred = logits - (logits * self.weight).sum() / self.weight.sum()
        coefficients: Tensor = torch.linalg.solve(self.inner, (self.scaled @ centred).double())
        return coefficients


def _log_kernel(shown: Int[np.ndarray, " k"], segment_count: int, width: float) -> Float[np.ndarray, " k"]:
    """Log weight of a sample that shows so many superpixels."""
    distance = 1 - np.sqrt(shown / segment_count)
    weight: Float[np.ndarray, " k"] = -(distance**2) / (2 * width**2)
    return weight
