"""EfficientNet-Lite0: small, ReLU6, no squeeze-and-excitation, from timm's definition.

Source: Tan and Le 2019, in the Lite form of TensorFlow's authors, whose weights take inputs in -1..1.
"""

from __future__ import annotations

from torch import nn

from steelsight.models.backbones.timm_nets import timm_features

__all__ = ["CHANNELS", "SMALLEST", "TAPS", "WEIGHTS", "lite0_features"]

CHANNELS = 1280
SMALLEST = 32  # px: one place of the feature map
WEIGHTS = "timm:tf_efficientnet_lite0"
TAPS = {"blocks.2": 40, "blocks.4": 112}  # stages of stride 8 and 16 and their channels, for the place head


def lite0_features() -> nn.Module:
    """Stem, seven stages and the last 1x1 convolution: (n, 3, h, w) → (n, 1280, ⌈h/32⌉, ⌈w/32⌉)."""
    return timm_features(WEIGHTS.removeprefix("timm:"))
