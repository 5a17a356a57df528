"""VGG16 with batch normalisation, from torchvision's definition.

Source: Simonyan and Zisserman 2014, configuration D.
"""

from __future__ import annotations

from torch import nn
from torchvision.models import vgg16_bn

__all__ = ["CHANNELS", "GRID", "vgg_features"]

CHANNELS = 512
GRID = (7, 7)  # torchvision averages the feature map to it: 7 · 7 · 512 = the study's 25088 inputs


def vgg_features() -> nn.Sequential:
    """Thirteen convolutions: (n, 3, h, w) → (n, 512, h // 32, w // 32)."""
    features: nn.Sequential = vgg16_bn(weights=None).features
    return features
