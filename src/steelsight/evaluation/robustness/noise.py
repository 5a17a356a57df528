"""Noise on a network's input, in normalised units; it never touches gray bytes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

from steelsight.errors import BadInput

__all__ = ["STUDY_SIGMA", "add_study_noise"]

STUDY_SIGMA = 0.15  # the study's tables were made at this level


def add_study_noise(
    images: Float[np.ndarray, "n 3 h w"], rng: np.random.Generator, *, noise_sigma: float = STUDY_SIGMA
) -> Float32[np.ndarray, "n 3 h w"]:
    """Add the study's noise, independent in every pixel and channel.

        X' = X + sigma Z,  Z ~ N(0, I)

    images       (n, 3, h, w) in normalised units (zero mean, unit spread over ImageNet)
    noise_sigma  >= 0, in the same units; 0 leaves the images as they are
    returns      a new float32 array; values are not clipped, as in the study

    >>> add_study_noise(np.zeros((1, 3, 2, 2)), np.random.default_rng(0), noise_sigma=0.0).max().item()
    0.0
    """
    if not (np.isfinite(noise_sigma) and noise_sigma >= 0):
        raise BadInput(f"noise_sigma: expected a number of at least 0, got {noise_sigma}")
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    return images.astype(np.float32) + np.float32(noise_sigma) * noise
