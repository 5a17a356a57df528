"""SqueezeNet v1.1 and the study's reduced form, from torchvision's definition.

Source: Iandola et al. 2016; version 1.1 of the authors' repository.
"""

from __future__ import annotations

from torch import nn
from torchvision.models import squeezenet1_1

__all__ = [
    "CHANNELS",
    "LATE_TAPS",
    "REDUCED_CHANNELS",
    "TAPS",
    "reduced_squeezenet_features",
    "squeezenet_features",
]

CHANNELS = 512
REDUCED_CHANNELS = 384
LATE_TAPS = {"7": 256, "9": 384}  # Fire modules of stride 8 and 16 and their channels, for the place head
TAPS = {"4": 128, **LATE_TAPS}  # and of stride 4


def squeezenet_features() -> nn.Sequential:
    """All eight Fire modules: (n, 3, h, w) → (n, 512, gh, gw), 64x400 → 3x24."""
    features: nn.Sequential = squeezenet1_1(weights=None).features
    return features


def reduced_squeezenet_features() -> nn.Sequential:
    """The first five Fire modules: (n, 3, h, w) → (n, 384, gh, gw), on the same grid: no pooling is cut."""
    return squeezenet_features()[:10]
