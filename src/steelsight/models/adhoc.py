"""The study's ad-hoc CNN: four blocks of 3x3 convolution (32 filters, no padding), ReLU and 2x2 max-pool."""

from __future__ import annotations

from torch import nn

__all__ = ["CHANNELS", "adhoc_features", "adhoc_grid"]

CHANNELS = 32
BLOCKS = 4


def adhoc_features() -> nn.Sequential:
    """The four blocks: (n, 3, h, w) → (n, 32, gh, gw)."""
    blocks = []
    for block in range(BLOCKS):
        blocks += [nn.Conv2d(CHANNELS if block else 3, CHANNELS, kernel_size=3), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*blocks)


def adhoc_grid(height: int, width: int) -> tuple[int, int]:
    """The feature map's size: 64x400 gives 2x23, hence the study's 2 · 23 · 32 = 1472 linear inputs."""
    for _ in range(BLOCKS):
        height, width = (height - 2) // 2, (width - 2) // 2
    return height, width
